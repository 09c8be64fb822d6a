/** Mounts of whole replicas: bytes of a kernel in, elections, losses and crashes beneath. */
import assert from "node:assert/strict";
import { decodeText, encodeText } from "../../../mod/base/bytes.ts";
import { nodeId } from "../../../mod/base/id.ts";
import { Prng } from "../../../mod/base/prng.ts";
import { reason } from "../../../mod/base/reason.ts";
import { LOCK_EXPIRY_MS, timingOf } from "../../../mod/base/timing.ts";
import type { Attributes } from "../../../mod/config/fuse/requests.ts";
import { encodeReply } from "../../../mod/config/fuse/wire.ts";
import { SimKernel } from "../../../mod/sim/fuse_kernel.ts";
import { type OpenHow, SimProgram } from "../../../mod/sim/fuse_program.ts";
import type { Done, Outcome } from "../../../mod/sim/fuse_walk.ts";
import { CONFIG_LIMITS, type ConfigLimits } from "../../../mod/config/compaction.ts";
import { Desk, specOf } from "../cluster.ts";

const { fuseCallMs: CALL_MS } = timingOf("fast");
const CALLER = { uid: 0, gid: 0, pid: 1 };

/** A desk on which every node has a mount and a program. */
class World {
  readonly desk: Desk;
  readonly #kernels = new Map<number, SimKernel>();
  readonly #programs = new Map<number, SimProgram>();

  constructor(nodes: number, seed = 1, limits: ConfigLimits | null = null) {
    this.desk = new Desk(seed, specOf(nodes, false), 0);
    this.desk.limits = limits;
    for (const node of this.desk.nodes) this.desk.start(node);
    this.desk.onFuse = (node, bytes) => this.#kernels.get(node)?.write(bytes);
    for (const { id } of this.desk.nodes) this.mount(id);
    this.desk.until(() => this.desk.leader() !== undefined);
  }

  mount(id: number): void {
    this.#kernels.get(id)?.abort();
    const { desk } = this;
    // Not at once: an answer would be given in the middle of the step that it answers.
    const kernel = new SimKernel((bytes) =>
      desk.at(0.01, () => desk.feed(desk.node(id), { kind: "fuse", bytes }))
    );
    this.#kernels.set(id, kernel);
    this.#programs.set(id, new SimProgram(kernel, CALLER));
    kernel.start();
  }

  kernel(id: number): SimKernel {
    return this.#kernels.get(id) ?? assert.fail();
  }

  program(id: number): SimProgram {
    return this.#programs.get(id) ?? assert.fail();
  }

  /** Lets time pass until something that was begun has ended. */
  wait<T>(begin: (done: Done<T>) => void): Outcome<T> {
    let outcome: Outcome<T> | null = null;
    begin((ended) => outcome = ended);
    this.desk.until(() => outcome !== null);
    return outcome ?? assert.fail();
  }

  text(id: number, path: string): string | null {
    const data = this.desk.node(id).core?.read(path) ?? null;
    return data === null ? null : decodeText(data);
  }

  /** Opens, writes, closes; the first error of them. */
  put(id: number, how: OpenHow, { path, text }: { path: string; text: string }, done: Done<null>) {
    const program = this.program(id);
    program.open(path, { write: true, create: true, ...how }, (opened) => {
      if (!opened.ok) return done(opened);
      program.write(
        opened.value,
        0,
        encodeText(text),
        (written) => program.close(opened.value, (closed) => done(written.ok ? closed : written)),
      );
    });
  }

  /** Cuts a node off, as it and the others then see it. */
  cut(id: number, others: readonly number[]): void {
    for (const other of others) this.desk.cut.add(`${id}-${other}`).add(`${other}-${id}`);
    this.view(id, [id]);
  }

  heal(): void {
    this.desk.cut.clear();
    const all = this.desk.nodes.map((node) => node.id);
    for (const id of all) this.view(id, all);
  }

  view(id: number, online: readonly number[]): void {
    const expected = this.desk.nodes.length;
    const needed = Math.floor(expected / 2) + 1;
    const view = {
      ...{ epoch: 1, online: online.map(nodeId), present: online.length, expected, needed },
      ...{ quorate: online.length >= needed, installed: true },
    };
    const fact = { fact: "heartbeat.view", view, because: reason("heartbeat.view") } as const;
    this.desk.feed(this.desk.node(id), { kind: "fact", fact });
  }
}

Deno.test("what one node writes through its mount, the others read through theirs", () => {
  const world = new World(3);
  const leader = world.desk.leader()?.id ?? 0;
  for (const id of [1, 2, 3]) {
    const path = `file${id}`;
    const text = id === leader ? "by the leader" : "by a follower";
    assert.ok(world.wait((done) => world.program(id).writeFile(path, encodeText(text), done)).ok);
    assert.equal(world.text(id, path), text, "it is there when close is answered");
    world.desk.run(200);
    for (const other of [1, 2, 3]) {
      const read = world.wait<Uint8Array>((done) => world.program(other).readFile(path, done));
      assert.ok(read.ok && decodeText(read.value) === text);
    }
  }
  assert.ok(world.kernel(3).notices.length > 0, "kernels are told of what others did");
});

Deno.test("the kernel is told to keep no pages of a file that was created", () => {
  const flags = { read: true, write: true, truncate: false, append: false, exclusive: false };
  const request = { call: "create", name: "f", flags, mode: 0, unique: 2, node: 1 } as const;
  const attributes: Attributes = {
    ...{ node: 1025, mode: 0o640, size: 0, links: 1, uid: 0, gid: 0 },
    ...{ kind: "file", mtime: 0, validMs: 0 },
  };
  const openFlags = (direct: boolean) => {
    const reply = { reply: "created", attributes, handle: 1, direct } as const;
    const bytes = encodeReply({ ...request, caller: CALLER }, reply);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
  };
  assert.deepEqual([openFlags(true), openFlags(false)], [1, 0], "FOPEN_DIRECT_IO");
});

Deno.test("directories, renames, times and virtual files go the same way", () => {
  const world = new World(3);
  const [one, two] = [world.program(1), world.program(2)];
  assert.ok(world.wait<unknown>((done) => one.mkdir("nodes", done)).ok);
  assert.ok(world.wait<unknown>((done) => one.mkdir("nodes/node1", done)).ok);
  assert.ok(world.wait<unknown>((done) => one.mkdir("local/lxc", done)).ok);
  assert.ok(world.wait((done) => one.writeFile("lxc/100.conf", encodeText("x"), done)).ok);
  world.desk.run(200);
  const list = world.wait<Uint8Array>((done) => two.readFile(".vmlist", done));
  assert.ok(list.ok);
  assert.equal(JSON.parse(decodeText(list.value) ?? "").ids["100"].node, "node1");
  const other = world.wait((done) => two.writeFile("nodes/node1/100.conf", encodeText("x"), done));
  assert.ok(other.ok, "no guest's file");
  assert.ok(world.wait((done) => two.rename("nodes/node1/100.conf", "x", done)).ok);
  const set = { mtime: 77 };
  assert.ok(world.wait<unknown>((done) => two.setattr("x", set, done)).ok);
  world.desk.run(200);
  const found = world.wait<{ mtime: number }>((done) => one.stat("x", done));
  assert.ok(found.ok && found.value.mtime === 77);
  assert.deepEqual(world.wait((done) => two.rename("x", "lxc/100.conf", done)), {
    ...{ ok: false, errno: "ENOENT" },
  });
});

Deno.test("without quorum a mount is read-only at once, and writes again when it is back", () => {
  const world = new World(3);
  assert.ok(world.wait((done) => world.program(1).writeFile("f", encodeText("old"), done)).ok);
  world.cut(1, [2, 3]);
  world.view(2, [2, 3]);
  world.view(3, [2, 3]);
  world.desk.run(3000);
  const refused = world.wait((done) => world.program(1).writeFile("f", encodeText("new"), done));
  assert.deepEqual(refused, { ok: false, errno: "EROFS" });
  const local = world.wait<{ mode: number }>((done) => world.program(1).stat("f", done));
  assert.ok(local.ok && (local.value.mode & 0o222) === 0);
  const read = world.wait<Uint8Array>((done) => world.program(1).readFile("f", done));
  assert.ok(read.ok && decodeText(read.value) === "old");
  assert.ok(world.wait((done) => world.program(2).writeFile("f", encodeText("two"), done)).ok);
  world.heal();
  world.desk.run(3000);
  assert.equal(world.text(1, "f"), "two");
  assert.ok(world.wait((done) => world.program(1).writeFile("f", encodeText("back"), done)).ok);
});

Deno.test("a close is answered within its bound when the cluster is cut, and not with ok", () => {
  const world = new World(3);
  const leader = world.desk.leader()?.id ?? 0;
  const follower = [1, 2, 3].find((id) => id !== leader) ?? 0;
  for (const id of [follower, leader]) {
    let ended: Outcome<null> | null = null;
    const program = world.program(id);
    const opened = world.wait<{ node: number; handle: number }>((done) =>
      program.open(`f${id}`, { write: true, create: true, truncate: true }, done)
    );
    assert.ok(opened.ok);
    world.wait<number>((done) => program.write(opened.value, 0, encodeText("x"), done));
    for (const other of [1, 2, 3]) world.cut(other, [1, 2, 3].filter((each) => each !== other));
    world.view(id, [1, 2, 3]);
    program.close(opened.value, (outcome) => ended = outcome);
    world.desk.run(CALL_MS + 1);
    const outcome = ended as Outcome<null> | null;
    assert.ok(outcome !== null && !outcome.ok, `node ${id}`);
    assert.match(outcome.ok ? "" : outcome.errno, /^(ETIMEDOUT|EAGAIN)$/);
    world.heal();
    world.desk.until(() => world.desk.leader()?.core?.view().quorate === true);
  }
});

Deno.test("the leader dies under a close: the next one commits it, once", () => {
  const world = new World(3);
  const leader = world.desk.leader() ?? assert.fail();
  const id = world.desk.nodes.find((node) => node.id !== leader.id)?.id ?? 0;
  const append = { append: true };
  const put = (text: string) =>
    world.wait<null>((done) => world.put(id, append, { path: "log", text }, done));
  assert.ok(put("one\n").ok);
  let ended: Outcome<null> | null = null;
  world.put(id, append, { path: "log", text: "two\n" }, (outcome) => ended = outcome);
  world.desk.run(1);
  world.desk.crash(leader);
  world.desk.until(() => ended !== null, CALL_MS + 100);
  const outcome = ended as Outcome<null> | null;
  assert.ok(outcome?.ok, JSON.stringify(outcome));
  assert.equal(world.text(id, "log"), "one\ntwo\n");
});

Deno.test("a mount goes on when its replica gets the whole tree of another one", () => {
  const world = new World(3, 1, { ...CONFIG_LIMITS, tailBytes: 0, tailEntries: 4 });
  const { desk } = world;
  assert.ok(world.wait((done) => world.program(1).writeFile("f", encodeText("old"), done)).ok);
  desk.run(500);
  const away = [1, 2, 3].find((id) => id !== desk.leader()?.id) ?? 0;
  const others = [1, 2, 3].filter((id) => id !== away);
  const found = world.wait<{ node: number }>((done) => world.program(away).stat("f", done));
  assert.ok(found.ok);
  world.cut(away, others);
  desk.run(2000);
  const writer = world.program(others[0] ?? 0);
  for (let number = 0; number < 40; number++) {
    const text = encodeText(`new ${number}`);
    assert.ok(world.wait((done) => writer.writeFile("f", text, done)).ok);
  }
  world.kernel(away).notices.length = 0;
  world.heal();
  desk.until(() => world.text(away, "f") === "new 39");
  desk.until(() => desk.node(away).database.installs === 1);
  const told = world.kernel(away).notices.some((each) =>
    each.notice === "inode" && each.node === found.value.node
  );
  assert.ok(told, "the kernel forgets what it knew");
  assert.ok(world.wait((done) => world.program(away).writeFile("f", encodeText("x"), done)).ok);
});

Deno.test("a dead node's lock is free 120 s after its last renewal, and not before", () => {
  const world = new World(3);
  const [one, two] = [world.program(1), world.program(2)];
  const path = "priv/lock/storage-x";
  for (const each of ["priv", "priv/lock", path]) {
    assert.ok(world.wait<unknown>((done) => one.mkdir(each, done)).ok);
  }
  world.desk.run(60_000);
  assert.ok(world.wait<unknown>((done) => one.setattr(path, { mtime: "now" }, done)).ok);
  world.desk.run(200);
  const denied = world.wait<unknown>((done) => two.setattr(path, { mtime: "now" }, done));
  assert.deepEqual(denied, { ok: false, errno: "EACCES" });
  const wish = () => {
    assert.ok(world.wait<unknown>((done) => two.setattr(path, { mtime: 0 }, done)).ok);
    world.desk.run(200);
    return world.desk.node(2).core?.stat(path) !== null;
  };
  world.desk.run(LOCK_EXPIRY_MS - 1000);
  assert.ok(wish(), "it is there");
  world.desk.run(1000);
  assert.ok(!wish(), "it is gone");
  assert.ok(world.wait<unknown>((done) => two.mkdir(path, done)).ok);
});

/** Appends lines to one file from all nodes while the world is bad to them. */
function storm(seed: number): void {
  const world = new World(3, seed);
  const { desk } = world;
  const prng = new Prng(seed);
  const results = new Map<string, string>();
  let begun = 0;
  const write = (id: number): void => {
    const text = `${id}:${begun++}\n`;
    results.set(text, "died");
    world.put(
      id,
      { append: true },
      { path: "log", text },
      (outcome) => results.set(text, outcome.ok ? "ok" : outcome.errno),
    );
  };
  desk.loss = 0.05;
  for (let step = 0; step < 60; step++) {
    const id = prng.between(1, 3);
    const node = desk.node(id);
    if (node.core !== null) write(id);
    if (prng.chance(0.05) && desk.nodes.every((each) => each.core !== null)) {
      desk.crash(node);
      world.kernel(id).abort();
      desk.at(500, () => {
        desk.start(node);
        world.mount(id);
      });
    }
    if (prng.chance(0.1)) world.cut(id, [1, 2, 3].filter((each) => each !== id));
    if (prng.chance(0.2)) world.heal();
    desk.run(prng.between(1, 300));
  }
  desk.loss = 0;
  world.heal();
  desk.run(20_000);
  for (const each of desk.nodes) {
    assert.ok(each.core !== null);
    assert.equal(world.kernel(each.id).pending, 0, "every call is answered");
  }
  const log = world.text(1, "log") ?? "";
  assert.equal(world.text(2, "log"), log);
  assert.equal(world.text(3, "log"), log);
  const lines = log.split(/(?<=\n)/);
  for (const [text, result] of results) {
    const count = lines.filter((line) => line === text).length;
    if (result === "ok") assert.equal(count, 1, `${seed}: "${text}" was acknowledged`);
    else if (result === "EROFS" || result === "EAGAIN") {
      assert.equal(count, 0, `${seed}: "${text}" was refused with ${result}`);
    } else assert.ok(count <= 1, `${seed}: "${text}" is there ${count} times`);
  }
  assert.equal(lines.filter((line) => line !== "" && !results.has(line)).length, 0);
  assert.ok([...results.values()].filter((result) => result === "ok").length > 10);
}

Deno.test("loss, cuts and crashes: what was acknowledged is there once, what was refused is not", () => {
  for (let seed = 1; seed <= 40; seed++) storm(seed);
});
