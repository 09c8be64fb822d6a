/** Mutants of who is a member, who leads, and who waits for that. @module */
import type { Mutant } from "./mutant.ts";

/** See `mutants.ts`. */
export const MEMBER_MUTANTS: readonly Mutant[] = [
  {
    name: "config entry before an own-term commit",
    file: "config/membership.ts",
    find: "if (raft.commit < raft.termStart || raft.specAt.index > raft.commit) {",
    put: "if (raft.specAt.index > raft.commit) {",
    // Three schedules with two leaders and two changes in flight each: told, not drawn.
    shape: "tests/config/change_test.ts",
    seeds: 1,
  },
  {
    name: "two uncommitted config entries",
    file: "config/membership.ts",
    find: "if (raft.commit < raft.termStart || raft.specAt.index > raft.commit) {",
    put: "if (raft.commit < raft.termStart) {",
    shape: "tests/config/change_test.ts",
    seeds: 1,
  },
  {
    name: "removed voter counted",
    file: "config/specs.ts",
    find: "return isOpen ? [before.spec, newest.spec] : [newest.spec];",
    put: "return newest.index > commit ? [before.spec] : [newest.spec];",
    shape: "tests/config/members_test.ts",
    seeds: 1,
  },
  {
    name: "former member heard",
    file: "config/membership.ts",
    find: 'if (out === null || kind === "removed") return false;',
    put: 'if (out !== null || kind !== "removed") return false;',
    shape: "tests/config/force_test.ts",
    seeds: 1,
  },
  {
    name: "timeout-now obeyed without being up to date",
    file: "config/lead_transfer.ts",
    find: "if (raft.log.last < lastIndex || raft.log.lastTerm < lastTerm) return;",
    put: "if (raft.log.last < 0) return;",
    shape: "tests/config/lead_transfer_test.ts",
    seeds: 1,
  },
  {
    name: "target told to lead before it holds the end of the log",
    file: "config/lead_transfer.ts",
    find: "if (match < lastIndex) return;",
    put: "if (match < 0) return;",
    shape: "tests/config/lead_transfer_test.ts",
    seeds: 1,
  },
  {
    name: "promotion of a learner that lags",
    file: "config/catch_up.ts",
    find: "if (catchUp?.ready && match >= catchUp.reached) return null;",
    put: "if (catchUp !== null) return null;",
    shape: "tests/config/members_test.ts",
    seeds: 1,
  },
  {
    name: "vote of a live leader's voter given away",
    file: "config/election.ts",
    find: "if ((leaderLives && !transfer) || term < raft.term) return reply(false);",
    put: "if (term < raft.term) return reply(false);",
    shape: "tests/config/election_test.ts",
    seeds: 1,
  },
  {
    name: "barrier served by a round that began before it",
    file: "config/replication.ts",
    find: "raft.barriers.push({ round: raft.round + 1, index, answer });",
    put: "raft.barriers.push({ round: raft.round, index, answer });",
    shape: "tests/config/read_index_test.ts",
    seeds: 1,
  },
  {
    name: "write that was given up goes into the log after all",
    file: "config/clients.ts",
    find: "if (gone) this.#backlog.committed(body.length);",
    put: "if (gone && body.length < 0) this.#backlog.committed(body.length);",
    shape: "tests/config/backlog_test.ts",
    seeds: 1,
  },
  {
    name: "resource started while one put out may run it",
    file: "ha/core.ts",
    find: "const unique = out.size === 0 && !outDamaged;",
    put: "const unique = out.size >= 0 || outDamaged;",
    aids: [{
      file: "ha/placement.ts",
      find: "situation.out.size > 0 ? []",
      put: "situation.out.size < 0 ? []",
    }],
    shape: "tests/ha/out_test.ts",
    seeds: 1,
  },
  {
    name: "a person's word about a former member counts at once",
    file: "ha/node_plan.ts",
    find: "|| !confirmed || lives)",
    put: "|| !confirmed)",
    aids: [{
      file: "ha/node_plan.ts",
      find:
        "  const lives = situation.goneFor(id) < situation.timing.leaseMs + situation.timing.slackMs;\n",
      put: "",
    }],
    shape: "tests/ha/out_test.ts",
    seeds: 1,
  },
];
