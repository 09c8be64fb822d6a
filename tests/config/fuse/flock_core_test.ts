/** Locks of programs over whole replicas: losses, crashes, deaths, elections beneath. */
import assert from "node:assert/strict";
import { decodeText, encodeText } from "../../../mod/base/bytes.ts";
import { bootId, nodeId } from "../../../mod/base/id.ts";
import { reason } from "../../../mod/base/reason.ts";
import { EPOCH, instant } from "../../../mod/base/time.ts";
import { timingOf } from "../../../mod/base/timing.ts";
import { CONFIG_LIMITS, type ConfigLimits } from "../../../mod/config/compaction.ts";
import { LockTable } from "../../../mod/config/lock_table.ts";
import { SimKernel } from "../../../mod/sim/fuse_kernel.ts";
import { type OpenFile, SimProgram } from "../../../mod/sim/fuse_program.ts";
import type { Done, Outcome } from "../../../mod/sim/fuse_walk.ts";
import { Desk, type Node, specOf } from "../cluster.ts";

const { deadMs, fenceWaitMs } = timingOf("fast");
const WRITE = { kind: "write", flock: true, wait: true } as const;

/** A desk on which every node has a mount, and programs on it. */
class World {
  readonly desk: Desk;
  readonly #kernels = new Map<number, SimKernel>();
  #pids = 1;

  constructor(seed = 1, limits: ConfigLimits | null = null) {
    this.desk = new Desk(seed, specOf(3, false), 0);
    this.desk.limits = limits;
    for (const node of this.desk.nodes) this.desk.start(node);
    this.desk.onFuse = (node, bytes) => this.#kernels.get(node)?.write(bytes);
    for (const { id } of this.desk.nodes) this.mount(id);
    this.desk.until(() => this.desk.leader() !== undefined);
    const made = this.wait<null>((done) => this.program(1).writeFile("f", encodeText("0"), done));
    assert.ok(made.ok);
    this.desk.run(200);
  }

  mount(id: number): void {
    this.#kernels.get(id)?.abort();
    const { desk } = this;
    const kernel = new SimKernel((bytes) =>
      desk.at(0.01, () => desk.feed(desk.node(id), { kind: "fuse", bytes }))
    );
    this.#kernels.set(id, kernel);
    kernel.start();
  }

  program(id: number): SimProgram {
    const kernel = this.#kernels.get(id) ?? assert.fail();
    return new SimProgram(kernel, { uid: 0, gid: 0, pid: this.#pids++ });
  }

  wait<T>(begin: (done: Done<T>) => void): Outcome<T> {
    let outcome: Outcome<T> | null = null;
    begin((ended) => outcome = ended);
    this.desk.until(() => outcome !== null);
    return outcome ?? assert.fail();
  }

  /** A program of a node locks the file; what it asked may still wait. */
  lock(id: number): { program: SimProgram; file: OpenFile; outcome: Outcome<null> | null } {
    const program = this.program(id);
    const opened = this.wait<OpenFile>((done) =>
      program.open("f", { read: true, write: true }, done)
    );
    assert.ok(opened.ok);
    const held = { program, file: opened.value, outcome: null as Outcome<null> | null };
    program.lock(opened.value, WRITE, (outcome) => held.outcome = outcome);
    return held;
  }

  follower(not = 0): Node {
    const leader = this.desk.leader()?.id;
    return this.desk.nodes.find(({ id, core }) => id !== leader && id !== not && core !== null) ??
      assert.fail();
  }

  /** What stream 1 of every node says of a member. */
  silent(id: number, silenceMs: number, armed: boolean): void {
    for (const node of this.desk.nodes) {
      const vitals = {
        ...{ load: 0, memory: 0, ioDelay: 0, armed, guardMarginMs: 0, diskLocks: 0, resources: 0 },
      };
      const lastHeard = instant(1000);
      const health = {
        ...{ node: nodeId(id), state: "down", boot: bootId("0".repeat(16)), vitals } as const,
        ...{ lastHeard, vouched: silenceMs === 0 ? EPOCH : instant(lastHeard + silenceMs) },
      };
      const fact = { fact: "heartbeat.member", health, because: reason("heartbeat.view") } as const;
      this.desk.feed(node, { kind: "fact", fact });
    }
  }

  locksOf(node: number): readonly number[] {
    return this.desk.nodes.filter(({ core }) => core !== null).map(({ database }) =>
      new LockTable(database.content.locks).count(node)
    );
  }
}

function isDone(outcome: Outcome<null> | null): boolean {
  return outcome !== null && outcome.ok;
}

/** Reads a number under the lock, and writes the next one; tells whether that is committed. */
function increment(program: SimProgram, done: (ok: boolean) => void): void {
  program.open("f", { read: true, write: true }, (opened) => {
    if (!opened.ok) return done(false);
    const file = opened.value;
    program.lock(file, WRITE, (locked) => {
      if (!locked.ok) return program.close(file, () => done(false));
      program.read(file, 0, 100, (read) => {
        if (!read.ok) return program.close(file, () => done(false));
        const next = encodeText(`${1 + Number(decodeText(read.value))}`);
        program.write(file, 0, next, (written) => {
          program.close(file, (closed) => done(written.ok && closed.ok));
        });
      });
    });
  });
}

Deno.test("whoever gets a lock reads on in what is there now, not in what it began to read", () => {
  const world = new World();
  const text = (program: SimProgram, file: OpenFile, offset: number) => {
    const read = world.wait<Uint8Array>((done) => program.read(file, offset, 4, done));
    assert.ok(read.ok);
    return decodeText(read.value);
  };
  const put = (line: string) => {
    const done = world.wait<null>((then) =>
      world.program(2).writeFile("f", encodeText(line), then)
    );
    assert.ok(done.ok);
    world.desk.run(200);
  };
  put("old1old2old3");
  const program = world.program(1);
  const opened = world.wait<OpenFile>((done) =>
    program.open("f", { read: true, write: true }, done)
  );
  assert.ok(opened.ok);
  assert.equal(text(program, opened.value, 0), "old1");
  put("new1new2new3");
  assert.equal(text(program, opened.value, 4), "old2", "a version is read to its end");
  const locked = world.wait<null>((done) => program.lock(opened.value, WRITE, done));
  assert.ok(locked.ok);
  assert.equal(text(program, opened.value, 8), "new3");
});

for (const seed of [1, 2, 3]) {
  Deno.test(`programs of all nodes count in one file, and no increment is lost (${seed})`, () => {
    const world = new World(seed);
    world.desk.loss = 0.1;
    let counted = 0;
    let refused = 0;
    const run = (id: number, left: number): void => {
      if (left === 0) return;
      increment(world.program(id), (ok) => {
        if (ok) counted++;
        else refused++;
        run(id, left - 1);
      });
    };
    for (const id of [1, 2, 3, 1]) run(id, 8);
    world.desk.run(300);
    const leader = world.desk.leader();
    assert.ok(leader);
    const programs = 4 * 8;
    // Its programs die with it; those of the others go on under another leader.
    world.desk.crash(leader);
    world.desk.run(50);
    world.desk.start(leader);
    world.mount(leader.id);
    world.desk.run(60_000);
    const text = world.wait<Uint8Array>((done) => world.program(1).readFile("f", done));
    assert.ok(text.ok);
    const value = Number(decodeText(text.value));

    assert.ok(counted > 0 && counted + refused <= programs, `${counted}, ${refused}`);
    // What was not told as done may be: no more than that.
    assert.ok(value >= counted && value <= programs, `${value} of ${counted}, ${refused} refused`);
    for (const id of [1, 2, 3]) assert.ok(world.locksOf(id).every((count) => count === 0));
    const crcs = world.desk.nodes.map(({ core }) => core?.view().stateCrc);
    assert.equal(new Set(crcs).size, 1);
  });
}

Deno.test("a node that starts anew gives back what its former life had", () => {
  const world = new World();
  const node = world.follower();
  assert.equal((world.lock(node.id), world.desk.run(500), world.locksOf(node.id)[0]), 1);
  const waiting = world.lock(world.follower(node.id).id);
  world.desk.run(500);
  world.desk.crash(node);
  world.desk.run(5000);
  assert.equal(waiting.outcome, null, "it may live, cut off");
  world.desk.start(node);
  world.desk.until(() => waiting.outcome !== null);
  assert.ok(isDone(waiting.outcome));
});

Deno.test("a snapshot carries the locks to who was away", () => {
  const world = new World(1, { ...CONFIG_LIMITS, tailBytes: 1, tailEntries: 1, tailBytesMax: 64 });
  const away = world.follower();
  const holder = world.follower(away.id);
  world.desk.crash(away);
  assert.equal((world.lock(holder.id), world.desk.run(500), world.locksOf(holder.id)[0]), 1);
  for (let number = 1; number <= 20; number++) world.desk.propose(holder, number);
  world.desk.run(1000);
  world.desk.start(away);
  world.mount(away.id);
  const waiting = world.lock(away.id);
  world.desk.run(3000);
  assert.ok(away.database.installs > 0);
  assert.equal(waiting.outcome, null);
  assert.deepEqual(world.locksOf(holder.id), [1, 1, 1]);
  world.desk.crash(away);
  world.desk.start(away);
  world.desk.run(1000);
  assert.deepEqual(world.locksOf(holder.id), [1, 1, 1], "and they are on its disk");
});

Deno.test("a dead node's locks are given back when it surely writes no more, not before", () => {
  const world = new World();
  const node = world.follower();
  world.lock(node.id);
  world.desk.run(500);
  const waiting = world.lock(world.follower(node.id).id);
  world.desk.crash(node);
  const proof = deadMs + fenceWaitMs;
  for (const [silenceMs, armed] of [[0, true], [proof - 1, true], [10 * proof, false]] as const) {
    world.silent(node.id, silenceMs, armed);
    world.desk.run(5000);
    assert.equal(waiting.outcome, null, `${silenceMs} ms, armed: ${armed}`);
  }
  world.silent(node.id, proof, true);
  world.desk.until(() => waiting.outcome !== null);
  assert.ok(isDone(waiting.outcome) && world.locksOf(node.id).every((count) => count === 0));
});

Deno.test("who is removed has no locks any more", () => {
  const world = new World();
  const node = world.follower();
  world.lock(node.id);
  world.desk.run(500);
  const waiting = world.lock(world.follower(node.id).id);
  world.desk.crash(node);
  world.desk.run(1000);
  assert.equal(waiting.outcome, null);
  const leader = world.desk.leader();
  assert.ok(leader);
  const change = { change: "remove", node: node.id } as const;
  const request = { request: "config.change-spec", tag: "api:1", change } as const;
  world.desk.feed(leader, { kind: "request", request });
  world.desk.until(() => waiting.outcome !== null);
  assert.ok(isDone(waiting.outcome));
});

Deno.test("what is given back without quorum is free when it is there again", () => {
  const world = new World();
  const node = world.follower();
  const held = world.lock(node.id);
  world.desk.run(500);
  assert.ok(isDone(held.outcome));
  for (const { id } of world.desk.nodes) world.desk.cut.add(`${id}-${node.id}`);
  for (const { id } of world.desk.nodes) world.desk.cut.add(`${node.id}-${id}`);
  const waiting = world.lock(world.follower(node.id).id);
  assert.ok(world.wait<null>((done) => held.program.close(held.file, done)).ok);
  world.desk.run(3000);
  assert.equal(waiting.outcome, null);
  world.desk.cut.clear();
  world.desk.until(() => waiting.outcome !== null);
  assert.ok(isDone(waiting.outcome));
});
