/** Mutants of lost databases and of replicas that recover. @module */
import { type Mutant } from "./mutant.ts";

const RECOVERY = "tests/config/recovery_test.ts";
const LOSS = "tests/host/database_loss_test.ts";

export const RECOVERY_MUTANTS: readonly Mutant[] = [
  {
    name: "damaged log treated as empty",
    file: "config/core.ts",
    find: "      recovery: stored.recovery,",
    put: "      recovery: null,",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "database that is gone treated as a new one",
    file: "host/linux/database_open.ts",
    find: "if (!isThere(path) && (mustExist || found !== null))",
    put: "if (!isThere(path) && path.length === 0)",
    shape: LOSS,
    seeds: 1,
  },
  {
    name: "recovering replica votes",
    file: "config/election.ts",
    find: "if (raft.recovery !== null) return maySecond(raft, candidate);",
    put: "if (raft.recovery !== null) return true;",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "recovering ends by the word of a leader that may be deposed",
    file: "config/recovery.ts",
    find: "recovery.confirmed ||= isConfirmed(raft, node, recovery);",
    put: "recovery.confirmed = true;",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "recovering ends too early",
    file: "config/recovery.ts",
    find: "|| commit < raft.termStart || match < commit) return;",
    put: "|| commit < raft.termStart || match > commit) return;",
    aids: [{
      file: "config/recovery.ts",
      find: "nonce !== recovery.nonce || raft.commit < commit)",
      put: "nonce !== recovery.nonce || commit < 0)",
    }],
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "answers count of one that may have promised otherwise",
    file: "config/replication.ts",
    find: "return diverged || recovery?.known === false ||",
    put: "return diverged || recovery?.known === null ||",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "solo commits not sealed",
    file: "config/election.ts",
    find: "  raft.alone = true;\n",
    put: "",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "rollback not noticed by the seal",
    file: "host/linux/database_open.ts",
    find: 'if (why !== null) throw new Lost("older", why);',
    put: 'if (why !== null && last < 0) throw new Lost("older", why);',
    shape: LOSS,
    seeds: 1,
  },
  {
    name: "rollback not noticed by the leader",
    file: "config/replication.ts",
    find: "    noteLoss(raft, from, message);\n",
    put: "",
    shape: RECOVERY,
    seeds: 1,
  },
  {
    name: "damage in the middle of SQLite's log taken for its end",
    file: "host/linux/database_open.ts",
    find: "if (wal !== null) throw new Damage(wal);",
    put: "if (wal === path) throw new Damage(wal);",
    shape: LOSS,
    seeds: 1,
  },
  {
    name: "vote told before it is sealed",
    file: "host/linux/database_file.ts",
    find: "if (hardState || sealed || recovery !== undefined || install) this.#seal();",
    put: "if (sealed || recovery !== undefined || install) this.#seal();",
    shape: "tests/host/database_test.ts",
    seeds: 1,
  },
];
