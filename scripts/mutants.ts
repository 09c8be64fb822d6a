/**
 * `deno task mutants [TEXT…]` plays all mutants, or those whose name holds one of the texts.
 *
 * A mutant is our own code with one known way to break a promise; each is to be caught by the
 * simulator within a stated number of seeds. One that lives says that a check is blind; one whose
 * text is not found any more says that this list has fallen behind the code.
 *
 * @module
 */

import { type Mutant, PAIR, THREE } from "./mutant.ts";
import { DISK_MUTANTS } from "./mutants_disks.ts";
import { LOCK_MUTANTS } from "./mutants_locks.ts";
import { MEMBER_MUTANTS } from "./mutants_members.ts";
import { RECOVERY_MUTANTS } from "./mutants_recovery.ts";
import { SNAPSHOT_MUTANTS } from "./mutants_snapshot.ts";

const ROOT = new URL("..", import.meta.url).pathname;

const MUTANTS: readonly Mutant[] = [
  {
    name: "vote not persisted",
    file: "config/election.ts",
    find: "  raft.persist({ hardState: raft.hardState() });\n  reply(granted);",
    put: "  raft.effects.push();\n  reply(granted);",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "ack before persist",
    file: "config/sqlite_driver.ts",
    find: "if (eager || this.#barrier <= this.#durable)",
    put: "if (eager || this.#barrier <= Infinity)",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "vote for a shorter log",
    file: "config/election.ts",
    find: "const upToDate = mayVote(raft, from, raft.log.isUpToDate(lastTerm, lastIndex));",
    put: "const upToDate = mayVote(raft, from, lastTerm + lastIndex >= 0);",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "log not matched before it is extended",
    file: "config/replication.ts",
    find: "if (raft.log.termAt(prevIndex) !== prevTerm) {",
    put: "if (raft.log.termAt(prevIndex) === undefined) {",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "retried transaction applied twice",
    file: "config/replica.ts",
    find: "if (before !== undefined && before.index + REQUEST_WINDOW >= index)",
    put: "if (before !== undefined && before.index + REQUEST_WINDOW < index)",
    shape: THREE,
    seeds: 100,
  },
  {
    name: "guard counted from receive instead of send time",
    file: "ha/core.ts",
    find: "const turn = this.#guard.prove(provenAt, timing.leaseMs, now);",
    put: "const turn = this.#guard.prove(now, timing.leaseMs, now);",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "fence wait without watchdog time",
    file: "ha/death.ts",
    find: "silence >= timing.deadMs + timing.fenceWaitMs",
    put: "silence >= timing.leaseMs",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "fence wait of nothing",
    file: "ha/death.ts",
    find: "silence >= timing.deadMs + timing.fenceWaitMs",
    put: "silence >= timing.deadMs",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "order from an older DC epoch obeyed",
    file: "ha/transactions.ts",
    find: `    { path: LOCK, version: epoch },
    { path: STATUS_FILE, version: files.statusVersion },`,
    put: "",
    // The letter must be on its way until its sender was replaced, counted dead, and is back: told,
    // not drawn.
    shape: "tests/ha/epoch_test.ts",
    seeds: 1,
  },
  {
    name: "last words believed within the lease of a newer life",
    file: "ha/death.ts",
    find: "if (silence < timing.leaseMs + timing.slackMs) return null;",
    put: "if (silence < 0) return null;",
    shape: "tests/ha/death_test.ts",
    seeds: 1,
  },
  {
    name: "failed resource moved on a word that is not final",
    file: "ha/plan.ts",
    find: 'return this.#say(id, { ...old, state: "relocate", target, tried }, because);',
    put: "return this.#say(id, { ...old, node: target, tried }, because);",
    shape: "tests/ha/final_word_test.ts",
    seeds: 1,
  },
  {
    name: "start without a read barrier",
    file: "ha/core.ts",
    find: "this.#barrierTenure === this.#guard.tenure;\n    // Without",
    put: "this.#barrierTenure >= 0;\n    // Without",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "watchdog petted after the guard lapsed",
    file: "ha/arming.ts",
    find: "if (!held || this.#state",
    put: "if (this.#state",
    shape: THREE,
    seeds: 100,
  },
  {
    name: "majority of those who happen to be there",
    file: "heartbeat/quorum.ts",
    find: "return Math.floor(expectedVotes(spec) / 2) + 1;",
    put: "return Math.floor(expectedVotes(spec) / 2);",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "old-term entry committed by count",
    file: "config/replication.ts",
    find: "if (index > raft.commit && raft.log.termAt(index) === raft.term)",
    put: "if (index > raft.commit)",
    // It takes five steps of bad luck in one order (dissertation, figure 3.7): told, not drawn.
    shape: "tests/config/commit_test.ts",
    seeds: 1,
  },
  {
    name: "leader counts its own entry before it is durable",
    file: "config/replication.ts",
    find: "if (id === raft.self) return raft.durable;",
    put: "if (id === raft.self) return raft.log.last;",
    shape: "tests/config/commit_test.ts",
    seeds: 1,
  },
  {
    name: "client told of whatever stands at its index",
    file: "config/clients.ts",
    find: "if (asked.term !== term) return;",
    put: "if (asked.term < 0) return;",
    // The leader that lost its lead forgets its clients first; either of both is enough.
    aids: [{
      file: "config/core.ts",
      find: "    this.#noteLead();\n    this.#settle();",
      put: "    this.#settle();",
    }],
    shape: "tests/config/promise_test.ts",
    seeds: 1,
  },
  {
    name: "witness register of a newer term widened",
    file: "config/membership.ts",
    find: "witness.register.term > raft.term) return deposed(raft);",
    put: "witness.register.term < 0) return deposed(raft);",
    shape: "tests/config/promise_test.ts",
    seeds: 1,
  },
  {
    name: "witness and data node change by one majority",
    file: "config/electorate.ts",
    find: "(old.witness === young.witness ? 0 : 1) > 1;",
    put: "(old.witness === young.witness ? 0 : 0) > 1;",
    shape: "tests/config/promise_test.ts",
    seeds: 1,
  },
  ...SNAPSHOT_MUTANTS,
  ...RECOVERY_MUTANTS,
  ...MEMBER_MUTANTS,
  ...DISK_MUTANTS,
  ...LOCK_MUTANTS,
  {
    name: "witness register's set ignored, by the claim and by the vote",
    file: "config/witness.ts",
    find: "if (!register.set.includes(node)) return",
    put: "if (register.set.length > 2) return",
    aids: [{
      file: "storage/arbiter.ts",
      find: 'if (early.found === "ok" && !early.value.set.includes(context.self)) {',
      put: 'if (early.found === "ok" && early.value.set.length > 2) {',
    }],
    shape: PAIR,
    seeds: 400,
  },
  {
    name: "echo counted from when it came",
    file: "heartbeat/core.ts",
    find: "this.#proof.heard(peer.member.id, sentAt);",
    put: "this.#proof.heard(peer.member.id, now);",
    shape: THREE,
    seeds: 50,
  },
  {
    name: "echo of a life that is not accepted proves",
    file: "heartbeat/core.ts",
    find: "if (echo?.accepted === true && sentAt !== null) {",
    put: "if (echo !== undefined && sentAt !== null) {",
    shape: "tests/heartbeat/death_test.ts",
    seeds: 1,
  },
  {
    name: "report vouches up to when it came",
    file: "heartbeat/core.ts",
    find: "after(sentAt, Math.max(0, echo.heldMs - 1))",
    put: "now",
    shape: "tests/heartbeat/death_test.ts",
    seeds: 1,
  },
  {
    name: "member vouches for the time before its start",
    file: "heartbeat/peer.ts",
    find: "const quiet = now - latest(this.#firstHand, this.since);",
    put: "const quiet = now - this.#firstHand;",
    shape: "tests/heartbeat/death_test.ts",
    seeds: 1,
  },
  {
    name: "pulse read by another member not counted",
    file: "heartbeat/peer.ts",
    find: "    this.sign(at);\n    this.lastPulse",
    put: "    this.alive(at);\n    this.lastPulse",
    shape: "tests/heartbeat/death_test.ts",
    seeds: 1,
  },
  {
    name: "recording of a former life is let in",
    file: "heartbeat/core.ts",
    find: "if (!fresh || sentAt <= peer.lives.adoptedAt) return;",
    put: "if (!fresh && sentAt !== null) return;",
    shape: "tests/heartbeat/death_test.ts",
    seeds: 1,
  },
  {
    name: "stop reported before the processes are gone",
    file: "ha/agent.ts",
    find: 'state: state === "waiting" ? "starting" : state,',
    put: 'state: state === "waiting" ? "starting" : state === "stopping" ? "stopped" : state,',
    shape: THREE,
    seeds: 400,
  },
  {
    name: "answer to a former life's request taken",
    file: "config/clients.ts",
    find: "new Proposals(parts.raft.prng.u32() * LIFE_REQUESTS)",
    put: "new Proposals(parts.raft.prng.u32() && 1)",
    shape: "tests/config/life_test.ts",
    seeds: 1,
  },
  {
    name: "expectations of a transaction ignored",
    file: "config/tree.ts",
    find: "if (found !== version) {",
    put: "if (found < 0) {",
    shape: THREE,
    seeds: 40,
  },
];

const wanted = Deno.args;
const chosen = MUTANTS.filter(({ name }) =>
  wanted.length === 0 || wanted.some((text) => name.includes(text))
);
// "0 of 0 caught" would read like a success.
const unknown = wanted.filter((text) => !MUTANTS.some(({ name }) => name.includes(text)));
if (unknown.length > 0) {
  console.error(`no mutant is called "${unknown.join('", "')}"; there are:`);
  for (const { name } of MUTANTS) console.error(`  ${name}`);
  Deno.exit(2);
}
const folder = Deno.makeTempDirSync({ prefix: "pentad-mutants-" });
let alive = 0;

/** A copy of the source, one for each lane, so that lanes do not see each other's mutants. */
async function lane(number: number, queue: Mutant[]): Promise<void> {
  const copy = `${folder}/${number}`;
  copyTree(`${ROOT}mod`, `${copy}/mod`);
  copyTree(`${ROOT}scripts`, `${copy}/scripts`);
  for (const tests of ["config", "contract", "ha", "heartbeat", "host"]) {
    copyTree(`${ROOT}tests/${tests}`, `${copy}/tests/${tests}`);
  }
  for (const name of ["deno.json", "deno.lock"]) {
    Deno.copyFileSync(`${ROOT}${name}`, `${copy}/${name}`);
  }
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    if (!await isCaught(copy, mutant)) alive++;
  }
}

async function isCaught(copy: string, mutant: Mutant): Promise<boolean> {
  const { name } = mutant;
  const changes = [mutant, ...mutant.aids ?? []];
  const sources = new Map<string, string>();
  for (const { file, find, put } of changes) {
    const path = `${copy}/mod/${file}`;
    const source = Deno.readTextFileSync(path);
    if (!sources.has(path)) sources.set(path, source);
    if (source.split(find).length !== 2) {
      console.log(`STALE   ${name}: its text is not there exactly once in ${file}`);
      restore(sources);
      return false;
    }
    Deno.writeTextFileSync(path, source.replace(find, () => put));
  }
  const started = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: typeof mutant.shape === "string" ? ["test", "-A", "--no-check", mutant.shape] : [
      ...["run", "-A", "--no-check", "scripts/sim.ts", "--quiet"],
      ...["--count", String(mutant.seeds), ...mutant.shape],
    ],
    cwd: copy,
    stdin: "null",
  }).output();
  restore(sources);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const text = new TextDecoder().decode(stdout);
  const how = /^(seed|error:) .*/m.exec(text)?.[0] ??
    firstLine(new TextDecoder().decode(stderr));
  // A test that is not there catches nothing.
  const missing = /^.*failed, not found/m.exec(new TextDecoder().decode(stderr));
  if (missing !== null) {
    console.log(`STALE   ${name}: ${missing[0]}`);
    return false;
  }
  const caught = code !== 0;
  const verdict = caught ? "caught " : "ALIVE  ";
  console.log(`${verdict} ${name} (${seconds} s)${caught ? `: ${how}` : ""}`);
  return caught;
}

function restore(sources: ReadonlyMap<string, string>): void {
  for (const [path, source] of sources) Deno.writeTextFileSync(path, source);
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim() !== "") ?? "";
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else Deno.copyFileSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

try {
  const queue = [...chosen];
  const lanes = Math.max(1, Math.min(2, navigator.hardwareConcurrency));
  await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at, queue)));
} finally {
  Deno.removeSync(folder, { recursive: true });
}
console.log(`${chosen.length - alive} of ${chosen.length} mutants caught`);
if (alive > 0) Deno.exit(1);
