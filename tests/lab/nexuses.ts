/**
 * Nexuses: a registration belongs to a session, and a host may have several, lose one, or come back
 * with another. Registers its tests when it is imported.
 *
 * @module
 */
import assert from "node:assert/strict";
import { A, B, blockWrite, C, lab, NONE, REGISTER } from "./bench.ts";
import { UNIT_BYTES } from "./san.ts";

lab("lio", "who was ejected must look before it registers again", async ({ a, b }) => {
  await a.register(A);
  await b.register(B);
  assert.equal(await b.command({ kind: "preempt", key: B, victim: A, type: 5 }), "ok");
  // The target tells a of it with the next command, which is not executed.
  const blind = await a.ask({ ...REGISTER, old: null, key: A });
  assert.equal(blind?.failure, "conflict");
  assert.match(blind?.detail ?? "", /taken away|preempted/);
  assert.deepEqual(await b.keys(), [B]);
  assert.deepEqual(await a.keys(), [B]);
  assert.equal(await a.register(A), "ok");
});

lab(
  "lio",
  "a session made anew is another nexus, and the key that is there is not its own",
  async (bench) => {
    const { san, a, b, placeA, placeB } = bench;
    await a.register(A);
    await b.register(B);
    await b.command({ kind: "reserve", key: B, type: 5 });
    const before = (await a.inspect()).registrations?.find(({ key }) => key === A)?.initiatorPort;
    await san.drop(1, placeA);
    // Only LIO's session: tgt's disk stays.
    await san.lab.host(1).must(
      "iscsiadm -m node -T iqn.2026-01.lab:lio --logout > /dev/null",
    );
    const place = await san.login(1, "lio");
    const again = await san.hand(1, place);
    // The key is there, but it is the former session's: "registered already" would be wrong.
    const portsOf = async () =>
      (await again.inspect()).registrations?.filter(({ key }) => key === A)
        .map((each) => each.initiatorPort);
    assert.deepEqual(await portsOf(), [before]);
    assert.equal(await again.register(A), "ok");
    const ports = await portsOf();
    assert.equal(new Set(ports).size, 2);
    assert.ok(ports?.includes(before ?? ""));
    assert.equal(await again.tryWrite(), "ok");
    // One ejection takes the key from every nexus that has it.
    assert.equal(await b.command({ kind: "preempt", key: B, victim: A, type: 5 }), "ok");
    assert.deepEqual((await b.inspect()).state.keys, [B]);
    assert.equal(await again.tryWrite(), "conflict");
    assert.equal(await blockWrite(san, 1, place), "Invalid exchange");
    assert.equal(await blockWrite(san, 2, placeB), "ok");
  },
);

lab("lio", "two nexuses of one host are two registrations, with one key or two", async (bench) => {
  const { san, a, placeA } = bench;
  const placeSecond = await san.second(1, "lio");
  assert.notEqual(placeSecond, placeA);
  const second = await san.hand(1, placeSecond);
  await second.inspect();
  assert.equal(await a.register(A), "ok");
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  assert.equal(await second.tryWrite(), "conflict");
  assert.equal(await second.register(A), "ok");
  assert.equal(await second.tryWrite(), "ok");
  const { state, registrations } = await a.inspect();
  assert.deepEqual(state.keys, [A, A]);
  assert.deepEqual(
    registrations?.map(({ initiatorPort, holds }) => [initiatorPort.replace(/,i,.*/, ""), holds]),
    [["iqn.2026-01.lab:h1", 5], ["iqn.2026-01.lab:h1-second", null]],
  );
});

lab(
  "lio",
  "dm-multipath: every path is registered, and one ejection takes them all",
  async (bench) => {
    const { san, b, placeA } = bench;
    const placeSecond = await san.second(1, "lio");
    const sectors = UNIT_BYTES / 512;
    const table = `0 ${sectors} multipath 0 0 1 1 round-robin 0 2 1 ${placeA} 1 ${placeSecond} 1`;
    await san.lab.host(1).must(
      `modprobe -a dm-multipath dm-round-robin && dmsetup create lun --uuid mpath-lab --table '${table}' ` +
        "&& dmsetup mknodes",
    );
    const path = await san.lab.host(1).must("readlink -f /dev/mapper/lun");
    try {
      const many = await san.hand(1, path);
      assert.deepEqual((await many.inspect()).paths, [placeA, placeSecond]);
      assert.equal(await many.register(A), "ok");
      assert.equal(await b.register(B), "ok");
      assert.equal(await many.command({ kind: "reserve", key: A, type: 5 }), "ok");
      const { state, registrations } = await b.inspect();
      assert.deepEqual([...state.keys].sort(), [A, A, B]);
      assert.equal(new Set(registrations?.map(({ initiatorPort }) => initiatorPort)).size, 3);
      // Round robin: both paths are written through.
      for (let round = 0; round < 4; round++) assert.equal(await blockWrite(san, 1, path), "ok");
      assert.equal(await many.command({ kind: "release", key: A, type: 5 }), "ok");
      assert.equal((await b.inspect()).state.holder, null);
      assert.equal(await many.command({ kind: "reserve", key: A, type: 5 }), "ok");
      assert.equal(await b.command({ kind: "preempt", key: B, victim: A, type: 5 }), "ok");
      assert.deepEqual((await b.inspect()).state.keys, [B]);
      assert.equal(await many.tryWrite(), "conflict");
      const blind = await many.ask({ ...REGISTER, old: null, key: A });
      assert.equal(blind?.failure, "conflict");
      assert.deepEqual(await many.keys(), [B]);
      assert.equal(await many.register(C), "ok");
      assert.deepEqual(await many.keys(), [B, C, C]);
      assert.equal(await many.command({ ...REGISTER, old: C, key: NONE }), "ok");
      assert.deepEqual(await many.keys(), [B]);
    } finally {
      await san.drop(1, path);
      await san.lab.host(1).must("dmsetup remove --retry lun");
    }
  },
);
