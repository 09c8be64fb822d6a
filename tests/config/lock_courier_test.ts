/** How a node's commands get into the log, and whose locks are given back for it. */
import assert from "node:assert/strict";
import { encodeText } from "../../mod/base/bytes.ts";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { EPOCH, instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { type Lead, LockCourier } from "../../mod/config/lock_courier.ts";
import { LockDeaths } from "../../mod/config/lock_deaths.ts";
import { type LockResult, LockTable } from "../../mod/config/lock_table.ts";
import {
  COMMANDS_MAX,
  type LockCommand,
  type LocksEntry,
  NO_LIFE,
} from "../../mod/config/lock_wire.ts";
import { Tree } from "../../mod/config/tree.ts";
import type { MemberHealth, Operation } from "../../mod/streams.ts";
import { transactionOf } from "./lone.ts";

const RETRY_MS = 100;

/** Node 1, its table, and what it sent. */
class Desk {
  readonly table = new LockTable();
  readonly sent: LocksEntry[] = [];
  readonly results: LockResult[] = [];
  lead: Lead = { now: instant(0), leader: 2, term: 1, retryMs: RETRY_MS };
  taken = true;
  readonly courier: LockCourier;

  constructor(table = new LockTable()) {
    this.table = table;
    let lives = 0;
    this.courier = new LockCourier({
      ...{ self: 1, table: () => this.table, lead: () => this.lead },
      newLife: () => `${++lives}`.padStart(16, "a"),
      send: (entry) => {
        if (this.taken) this.sent.push(entry);
        return this.taken;
      },
    });
  }

  submit(ino: number, kind: LockCommand["kind"] = "write"): () => boolean {
    const withdraw = this.courier.submit([command(ino, kind)], (outcomes) => {
      this.results.push(...outcomes.map(({ result }) => result));
    });
    this.courier.turn();
    return withdraw;
  }

  apply(entry: LocksEntry): void {
    this.courier.onApplied(entry, this.table.run(entry));
    this.courier.turn();
  }

  last(): LocksEntry {
    return this.sent.at(-1) ?? assert.fail("something is sent");
  }
}

function command(ino: number, kind: LockCommand["kind"] = "write"): LockCommand {
  return { type: "posix", kind, ino, owner: 1n, start: 0n, end: 9n, pid: 0 };
}

Deno.test("LockCourier: one entry is under way; what comes meanwhile goes with the next", () => {
  const desk = new Desk();
  desk.submit(1);
  desk.submit(2);
  const withdraw = desk.submit(3);
  desk.submit(4);
  assert.deepEqual(desk.sent.map(({ commands }) => commands.length), [1]);
  assert.ok(withdraw(), "it never was sent");
  desk.apply(desk.last());
  assert.deepEqual(desk.sent.map(({ commands }) => commands.map(({ ino }) => ino)), [[1], [2, 4]]);
  assert.ok(!withdraw());
  desk.apply(desk.last());
  assert.deepEqual(desk.results, ["done", "done", "done"]);
});

Deno.test("LockCourier: an entry is bounded, and all of a submission is in one", () => {
  const desk = new Desk();
  desk.submit(1);
  for (let ino = 2; ino <= COMMANDS_MAX; ino++) desk.submit(ino);
  desk.courier.submit([command(998), command(999)], () => {});
  desk.apply(desk.last());
  assert.equal(desk.last().commands.length, COMMANDS_MAX - 1);
  desk.apply(desk.last());
  assert.deepEqual(desk.last().commands.map(({ ino }) => ino), [998, 999]);
});

Deno.test("LockCourier: it is sent again until it is applied, by the same number", () => {
  const desk = new Desk();
  desk.lead = { ...desk.lead, leader: null };
  desk.submit(1);
  assert.equal(desk.sent.length, 0, "nobody leads");
  desk.taken = false;
  desk.lead = { ...desk.lead, leader: 2 };
  desk.courier.turn();
  desk.taken = true;
  desk.courier.turn();
  desk.courier.turn();
  assert.equal(desk.sent.length, 1);
  assert.equal(desk.courier.deadline(), RETRY_MS);
  desk.lead = { ...desk.lead, now: instant(RETRY_MS) };
  desk.courier.turn();
  desk.lead = { ...desk.lead, leader: 3, term: 2 };
  desk.courier.turn();
  assert.deepEqual(desk.sent.map(({ seq }) => seq), [1, 1, 1]);
  // In our own log it is, until another leads.
  desk.lead = { ...desk.lead, leader: 1, term: 3 };
  desk.courier.turn();
  desk.lead = { ...desk.lead, now: instant(99 * RETRY_MS) };
  desk.courier.turn();
  assert.equal(desk.sent.length, 4);
  for (const entry of desk.sent) desk.apply(entry);
  assert.deepEqual(desk.results, ["done"], "applied once");
});

Deno.test("LockCourier: a new life frees what the last one had, without being asked", () => {
  const former = { node: 1, life: "b".repeat(16), before: NO_LIFE, seq: 5, commands: [command(7)] };
  const table = new LockTable();
  table.run(former);
  const desk = new Desk(table);
  desk.courier.turn();
  assert.deepEqual([desk.last().before, desk.last().commands], [former.life, []]);
  desk.apply(desk.last());
  assert.equal(table.count(1), 0);
  assert.deepEqual(desk.table.run({ ...former, seq: 6 }).changed, [], "that one is over");
});

Deno.test("LockCourier: where another life came between, it follows that one", () => {
  const desk = new Desk();
  desk.submit(1);
  const refused = desk.last();
  // A former life's first entry was still under way.
  const between = {
    node: 1,
    life: "c".repeat(16),
    before: NO_LIFE,
    seq: 1,
    commands: [command(1)],
  };
  desk.apply(between);
  desk.apply(refused);
  assert.equal(desk.last().before, between.life);
  desk.apply(desk.last());
  assert.deepEqual(desk.results, ["done"]);
  assert.equal(desk.table.count(1), 1);
});

Deno.test("LockCourier: taken for dead, it is told, and goes on as another life", () => {
  const desk = new Desk();
  let lost = 0;
  desk.courier.onLost = () => lost++;
  desk.submit(1);
  const { life } = desk.last();
  desk.apply(desk.last());
  desk.submit(1, "unlock");
  desk.submit(2);
  desk.courier.onApplied(null, desk.table.release(1, life));
  desk.courier.turn();
  assert.equal(lost, 1);
  assert.deepEqual(desk.results, ["done", "done"], "what was to be given back is");
  assert.notEqual(desk.last().life, life);
  assert.deepEqual(desk.last().commands.map(({ ino }) => ino), [2]);
  desk.apply(desk.last());
  assert.deepEqual(desk.results, ["done", "done", "done"]);
});

const TIMING = timingOf("standard");
const PROOF_MS = TIMING.deadMs + TIMING.fenceWaitMs;

function health(over: Partial<MemberHealth>, armed = true): MemberHealth {
  const rest = { load: 0, memory: 0, ioDelay: 0, guardMarginMs: 0, diskLocks: 0, resources: 0 };
  return {
    ...{ node: nodeId(1), state: "down", boot: bootId("0".repeat(16)) },
    ...{ lastHeard: instant(500), vouched: instant(500 + PROOF_MS), vitals: { ...rest, armed } },
    ...over,
  };
}

Deno.test("LockDeaths: only who was armed, is down, and silent for long enough by a majority's word", () => {
  const table = new LockTable();
  const life = "d".repeat(16);
  table.run({ node: 1, life, before: NO_LIFE, seq: 1, commands: [command(1)] });
  const due = (each: MemberHealth) => {
    const deaths = new LockDeaths();
    deaths.note(each);
    return deaths.due({ table, tree: treeOf({}) }, TIMING, 1);
  };
  assert.deepEqual(due(health({})), [{ node: 1, life }]);
  assert.deepEqual(due(health({ vouched: instant(500 + PROOF_MS - 1) })), []);
  assert.deepEqual(due(health({ vouched: EPOCH })), []);
  assert.deepEqual(due(health({}, false)), []);
  assert.deepEqual(due(health({ vitals: null })), []);
  for (const state of ["online", "isolated", "unknown"] as const) {
    assert.deepEqual(due(health({ state })), [], state);
  }
  assert.deepEqual(due(health({ node: nodeId(2) })), [], "it has no locks");
});

function treeOf(files: Readonly<Record<string, string>>): Tree {
  const tree = new Tree([]);
  const operations = Object.entries(files).flatMap(([path, text]): Operation[] => [
    { op: "create", path },
    { op: "write", path, offset: 0, data: encodeText(text) },
  ]);
  const transaction = transactionOf(1, [{ op: "mkdir", path: "ha" }, ...operations]);
  assert.ok(!("code" in tree.apply(transaction, { index: 1, writer: 1 })));
  return tree;
}

Deno.test("LockDeaths: not who may have let go of its watchdog since it last said that it has one", () => {
  const table = new LockTable();
  const life = "d".repeat(16);
  table.run({ node: 1, life, before: NO_LIFE, seq: 1, commands: [command(1)] });
  const due = (files: Readonly<Record<string, string>>) => {
    const deaths = new LockDeaths();
    deaths.note(health({}));
    return deaths.due({ table, tree: treeOf(files) }, TIMING, 1).length;
  };
  const status = (entry: object) => JSON.stringify({ form: 1, nodes: { 1: entry }, services: {} });
  const guarded = status({ state: "online" });
  const marked = status({ state: "online", unguarded: true });
  const [file, decisions] = ["ha/disarmed", "ha/manager_status"];
  assert.equal(due({ [decisions]: guarded }), 1);
  assert.equal(due({ [file]: "arming\n", [decisions]: guarded }), 1, "it is guarded again");
  assert.equal(due({ [decisions]: status({}) }), 1);
  const open: readonly Readonly<Record<string, string>>[] = [
    { [file]: "disarmed\n", [decisions]: marked },
    { [file]: "disarmed\n", [decisions]: guarded },
    { [file]: "arming\n", [decisions]: marked },
    { [decisions]: marked },
    { [file]: "arming\n" },
    { [file]: "arming\n", [decisions]: JSON.stringify({ nodes: {} }) },
    { [decisions]: "{" },
    { [decisions]: "null" },
  ];
  for (const files of open) assert.equal(due(files), 0, JSON.stringify(files));
});

Deno.test("LockDeaths: each life once a term, and again where another leads", () => {
  const table = new LockTable();
  const life = "d".repeat(16);
  table.run({ node: 1, life, before: NO_LIFE, seq: 1, commands: [command(1)] });
  const deaths = new LockDeaths();
  deaths.note(health({}));
  const [dead] = deaths.due({ table, tree: treeOf({}) }, TIMING, 1);
  assert.ok(dead);
  assert.equal(
    deaths.due({ table, tree: treeOf({}) }, TIMING, 1).length,
    1,
    "it is not in the log yet",
  );
  deaths.proposed(dead, 1);
  assert.equal(deaths.due({ table, tree: treeOf({}) }, TIMING, 1).length, 0);
  assert.equal(deaths.due({ table, tree: treeOf({}) }, TIMING, 2).length, 1);
  table.release(1, life);
  assert.equal(deaths.due({ table, tree: treeOf({}) }, TIMING, 3).length, 0);
});
