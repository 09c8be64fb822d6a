/**
 * What every `DiskPort` promises. The same suite runs against the Linux port and the simulator's.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Disk, DiskFailure, DiskPort } from "../../mod/host/ports.ts";
import { answer, BLOCK, Hand, type Settle } from "./disk_hand.ts";

/** A world with one shared disk at a time, seen from two hosts. */
export interface DiskWorld {
  /** The disk port of a host; a host (or each opening there) is an I_T nexus of its own. */
  port(host: 0 | 1): DiskPort;
  /** Makes a zeroed disk; returns its path on both hosts. */
  makeDisk(sizeBytes: number): string;
  /** Resolves as `answer` does. A simulator runs its events until then. */
  readonly settle: Settle;
  /** It cannot COMPARE AND WRITE blocks of this size, and must say so. */
  readonly noExchange?: true;
  close(): Promise<void>;
}

const SIZE = 64 * BLOCK;
const KEY_A = "00000000000000a1";
const KEY_B = "00000000000000b2";
const KEY_C = "00000000000000c3";
const NONE = "0000000000000000";

async function openDisk(world: DiskWorld, host: 0 | 1, path: string): Promise<Hand> {
  const result = await answer<Disk | DiskFailure>(
    (reply) => world.settle(reply),
    (done) => world.port(host).open(path, done),
  );
  assert.ok(!("failure" in result), `the disk opens: ${JSON.stringify(result)}`);
  return new Hand((reply) => world.settle(reply), result);
}

/** Registers the suite for one implementation. */
export function diskSuite(
  name: string,
  makeWorld: () => DiskWorld | Promise<DiskWorld>,
  options: Partial<Deno.TestDefinition> = {},
): void {
  function test(what: string, fn: () => Promise<void>): void {
    Deno.test({ ...options, name: `${name} ${what}`, fn });
  }

  function promise(
    what: string,
    body: (a: Hand, b: Hand, world: DiskWorld) => Promise<void>,
  ): void {
    test(what, async () => {
      const world = await makeWorld();
      try {
        const path = world.makeDisk(SIZE);
        const a = await openDisk(world, 0, path);
        const b = await openDisk(world, 1, path);
        await body(a, b, world);
        a.disk.close();
        b.disk.close();
      } finally {
        await world.close();
      }
    });
  }

  test('answers "absent" for a disk that is not there', async () => {
    const world = await makeWorld();
    try {
      const path = world.makeDisk(SIZE);
      const result = await answer<Disk | DiskFailure>(
        (reply) => world.settle(reply),
        (done) => world.port(0).open(`${path}-not-there`, done),
      );
      assert.equal("failure" in result && result.failure, "absent");
    } finally {
      await world.close();
    }
  });

  promise("tells the size, and reads what the other host wrote", async (a, b) => {
    assert.equal(a.disk.sizeBytes, SIZE);
    assert.deepEqual(await b.read(3), new Uint8Array(BLOCK));
    assert.equal(await a.write(3, 0xab), "ok");
    assert.deepEqual(await b.read(3), new Uint8Array(BLOCK).fill(0xab));
    assert.deepEqual(await b.read(4), new Uint8Array(BLOCK));
  });

  promise("refuses transfers that are unaligned, empty or past the end", async (a) => {
    assert.equal(await a.writeAt(512, BLOCK), "io");
    assert.equal(await a.writeAt(0, 512), "io");
    assert.equal(await a.writeAt(0, 0), "io");
    assert.equal(await a.writeAt(SIZE, BLOCK), "io");
    assert.equal(await a.writeAt(-BLOCK, BLOCK), "io");
    assert.ok("failure" in await a.read(63, 2));
    assert.ok("failure" in await a.read(0, 0));
    assert.deepEqual(await a.read(0), new Uint8Array(BLOCK));
  });

  promise("begins with nobody registered, and everybody may write", async (a, b) => {
    const { keys, holder, type } = await a.state();
    assert.deepEqual({ keys, holder, type }, { keys: [], holder: null, type: null });
    assert.equal(await b.write(1, 1), "ok");
  });

  promise("compares and writes as one, and only what it may", async (a, b, { noExchange }) => {
    await a.write(2, 1);
    if (noExchange) {
      assert.equal(await a.exchange(2, 1, 3), "unsupported");
      assert.deepEqual(await b.read(2), new Uint8Array(BLOCK).fill(1));
      return;
    }
    assert.equal(await a.exchange(2, 9, 3), "differs");
    assert.deepEqual(await b.read(2), new Uint8Array(BLOCK).fill(1));
    assert.equal(await a.exchange(2, 1, 3), "ok");
    assert.deepEqual(await b.read(2), new Uint8Array(BLOCK).fill(3));
    assert.equal(await a.exchange(64, 0, 1), "io");
    await a.register(KEY_A);
    await a.reserve(KEY_A);
    assert.equal(await b.exchange(2, 3, 4), "conflict");
    assert.deepEqual(await a.read(2), new Uint8Array(BLOCK).fill(3));
  });

  promise("lets exactly one of two who expect the same write", async (a, b, { noExchange }) => {
    if (noExchange) return;
    for (let round = 1; round < 10; round++) {
      await a.write(2, 0);
      const ends = await Promise.all([a.exchange(2, 0, 1), b.exchange(2, 0, 2)]);
      assert.deepEqual([...ends].sort(), ["differs", "ok"]);
      const there = new Uint8Array(BLOCK).fill(ends[0] === "ok" ? 1 : 2);
      assert.deepEqual(await a.read(2), there);
    }
  });

  promise("registers, and replaces a key by registering anew", async (a, b) => {
    assert.equal(await a.register(KEY_A), "ok");
    assert.equal(await b.register(KEY_B), "ok");
    assert.deepEqual(await b.keys(), [KEY_A, KEY_B]);
    assert.equal(await a.register(KEY_C), "ok");
    assert.deepEqual(await b.keys(), [KEY_B, KEY_C]);
  });

  promise("refuses what is not a key", async (a) => {
    for (const key of ["", "0000000000000000", "A1", "00000000000000A1", "x".repeat(16)]) {
      assert.equal(await a.register(key), "io", key);
    }
    assert.deepEqual(await a.keys(), []);
  });

  promise("refuses commands of a nexus under a key that is not its own", async (a, b) => {
    await a.register(KEY_A);
    assert.equal(await b.reserve(KEY_A), "conflict");
    assert.equal(await b.unregister(KEY_A), "conflict");
    assert.equal(await b.preempt(KEY_A, KEY_A), "conflict");
    assert.equal(await a.reserve(KEY_B), "conflict");
    assert.deepEqual(await a.keys(), [KEY_A]);
  });

  promise("reserves once: the holder may repeat it, nobody may change it", async (a, b) => {
    await a.register(KEY_A);
    await b.register(KEY_B);
    assert.equal(await a.reserve(KEY_A), "ok");
    assert.equal(await a.reserve(KEY_A), "ok");
    assert.equal(await a.reserve(KEY_A, 6), "conflict");
    assert.equal(await b.reserve(KEY_B), "conflict");
    const { holder, type } = await b.state();
    assert.deepEqual({ holder, type }, { holder: KEY_A, type: 5 });
  });

  promise("with type 5 lets every registrant write and everyone read", async (a, b) => {
    await a.register(KEY_A);
    await a.reserve(KEY_A);
    assert.equal(await b.write(1, 2), "conflict");
    assert.deepEqual(await b.read(1), new Uint8Array(BLOCK));
    await b.register(KEY_B);
    assert.equal(await b.write(1, 2), "ok");
    assert.deepEqual(await a.read(1), new Uint8Array(BLOCK).fill(2));
  });

  promise("tells beforehand who may write, and writes nothing for that", async (a, b) => {
    assert.equal(await a.write(0, 7), "ok");
    assert.equal(await b.tryWrite(), "ok");
    await a.register(KEY_A);
    await a.reserve(KEY_A);
    assert.equal(await a.tryWrite(), "ok");
    assert.equal(await b.tryWrite(), "conflict");
    await b.register(KEY_B);
    assert.equal(await b.tryWrite(), "ok");
    assert.equal(await b.preempt(KEY_B, KEY_A), "ok");
    assert.equal(await a.tryWrite(), "conflict");
    assert.deepEqual(await b.read(0), new Uint8Array(BLOCK).fill(7));
  });

  promise("with type 6 lets only registrants read", async (a, b) => {
    await a.register(KEY_A);
    await a.reserve(KEY_A, 6);
    const result = await b.read(1);
    assert.equal("failure" in result && result.failure, "conflict");
    assert.ok(!("failure" in await a.read(1)));
  });

  promise("ejects a victim: it writes no more, reads, and cannot strike back", async (a, b) => {
    await a.register(KEY_A);
    await b.register(KEY_B);
    await a.reserve(KEY_A);
    assert.equal(await b.preempt(KEY_B, KEY_A), "ok");
    assert.equal(await a.write(1, 7), "conflict");
    assert.equal(await a.preempt(KEY_A, KEY_B), "conflict");
    assert.equal(await a.reserve(KEY_A), "conflict");
    assert.deepEqual(await a.read(1), new Uint8Array(BLOCK));
    const { keys, holder, type } = await a.state();
    assert.deepEqual({ keys, holder, type }, { keys: [KEY_B], holder: KEY_B, type: 5 });
    assert.equal(await b.write(1, 8), "ok");
  });

  promise("leaves the reservation where the victim did not hold it", async (a, b) => {
    await a.register(KEY_A);
    await b.register(KEY_B);
    await a.reserve(KEY_A);
    assert.equal(await a.preempt(KEY_A, KEY_B, 6), "ok");
    const { keys, holder, type } = await a.state();
    assert.deepEqual({ keys, holder, type }, { keys: [KEY_A], holder: KEY_A, type: 5 });
  });

  promise("refuses to eject a key that nobody has", async (a) => {
    await a.register(KEY_A);
    const { generation } = await a.state();
    assert.equal(await a.preempt(KEY_A, KEY_B), "conflict");
    assert.equal((await a.state()).generation, generation);
  });

  promise("lets exactly one of two racing nodes win", async (a, b) => {
    for (let round = 0; round < 10; round++) {
      // Who was ejected looks before it registers again.
      await Promise.all([a.state(), b.state()]);
      await a.register(KEY_A);
      await b.register(KEY_B);
      await a.reserve(KEY_A);
      const ends = await Promise.all([a.preempt(KEY_A, KEY_B), b.preempt(KEY_B, KEY_A)]);
      assert.deepEqual([...ends].sort(), ["conflict", "ok"]);
      const writes = await Promise.all([a.write(1, 1), b.write(2, 1)]);
      assert.deepEqual(writes, ends);
    }
  });

  promise("registers under a condition: the key that is there, or none", async (a, b) => {
    const ask = {
      kind: "register",
      persist: null,
      allTargetPorts: false,
      initiatorPorts: [],
    } as const;
    assert.equal(await a.command({ ...ask, old: NONE, key: KEY_A }), "ok");
    assert.equal(await a.command({ ...ask, old: NONE, key: KEY_C }), "conflict");
    assert.equal(await a.command({ ...ask, old: KEY_B, key: KEY_C }), "conflict");
    assert.equal(await b.command({ ...ask, old: KEY_A, key: KEY_B }), "conflict");
    assert.equal(await a.command({ ...ask, old: KEY_A, key: KEY_C }), "ok");
    assert.deepEqual(await b.keys(), [KEY_C]);
    assert.equal(await a.command({ ...ask, old: null, key: NONE }), "ok");
    assert.deepEqual(await b.keys(), []);
  });

  promise("releases what it holds, and nothing of others", async (a, b) => {
    await a.register(KEY_A);
    await b.register(KEY_B);
    await a.reserve(KEY_A);
    const { generation } = await a.state();
    assert.equal(await b.command({ kind: "release", key: KEY_B, type: 5 }), "ok");
    assert.equal((await b.state()).holder, KEY_A);
    assert.equal(await a.command({ kind: "release", key: KEY_A, type: 6 }), "conflict");
    assert.equal(await a.command({ kind: "release", key: KEY_A, type: 5 }), "ok");
    const { holder, type, keys } = await b.state();
    assert.deepEqual({ holder, type }, { holder: null, type: null });
    assert.deepEqual([...keys].sort(), [KEY_A, KEY_B]);
    assert.equal((await a.state()).generation, generation);
  });

  promise("clears everything, for a registrant only", async (a, b) => {
    await a.register(KEY_A);
    await a.reserve(KEY_A);
    const { generation } = await a.state();
    assert.equal(await b.command({ kind: "clear", key: KEY_B }), "conflict");
    assert.equal(await a.command({ kind: "clear", key: KEY_A }), "ok");
    const { keys, holder, type, generation: after } = await b.state();
    assert.deepEqual({ keys, holder, type }, { keys: [], holder: null, type: null });
    assert.equal(after, generation + 1);
    assert.equal(await b.write(1, 1), "ok");
  });

  promise("tells everything about itself, each nexus by its port", async (a, b) => {
    await a.register(KEY_A);
    await b.register(KEY_B);
    await a.reserve(KEY_A);
    const { state, registrations, paths, capabilities } = await b.inspect();
    assert.deepEqual(state, await a.state());
    const holders = (registrations ?? []).map(({ key, holds }) => [key, holds]);
    assert.deepEqual(holders.sort(), [[KEY_A, 5], [KEY_B, null]]);
    const ports = new Set(registrations?.map(({ initiatorPort }) => initiatorPort));
    assert.equal(ports.size, 2);
    assert.equal(paths.length, 1);
    assert.ok(capabilities?.types?.includes(5));
  });

  promise("counts registrations and ejections, but no reservations", async (a, b) => {
    const first = (await a.state()).generation;
    await a.register(KEY_A);
    await b.register(KEY_B);
    assert.equal((await a.state()).generation, first + 2);
    await a.reserve(KEY_A);
    assert.equal((await a.state()).generation, first + 2);
    await a.preempt(KEY_A, KEY_B);
    assert.equal((await a.state()).generation, first + 3);
  });

  promise("releases the reservation when its holder unregisters", async (a, b) => {
    await a.register(KEY_A);
    await a.reserve(KEY_A);
    assert.equal(await a.unregister(KEY_A), "ok");
    const { keys, holder, type } = await b.state();
    assert.deepEqual({ keys, holder, type }, { keys: [], holder: null, type: null });
    assert.equal(await b.write(1, 1), "ok");
  });

  test("keeps a registration when its host is gone", async () => {
    const world = await makeWorld();
    try {
      const path = world.makeDisk(SIZE);
      const old = await openDisk(world, 0, path);
      await old.register(KEY_A);
      await old.reserve(KEY_A);
      old.disk.close();
      const other = await openDisk(world, 1, path);
      assert.deepEqual(await other.keys(), [KEY_A]);
      assert.equal(await other.write(1, 1), "conflict");
      await other.register(KEY_B);
      assert.equal(await other.preempt(KEY_B, KEY_A), "ok");
      assert.equal(await other.write(1, 1), "ok");
      other.disk.close();
    } finally {
      await world.close();
    }
  });
}
