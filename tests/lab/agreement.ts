/**
 * Two hosts with kernels of their own, one array: what pentad does and reads of reservations is what
 * sg_persist, an independent initiator, does and reads. Registers its tests when it is imported.
 *
 * @module
 */
import assert from "node:assert/strict";
import { A, B, blockWrite, C, holdersOf, lab, NONE, REGISTER, SG_CONFLICT } from "./bench.ts";

lab("lio", "ours and sg_persist agree at every step, and act on each other", async (bench) => {
  const { san, a, b, placeA, sg, agreed } = bench;
  const fresh = await agreed("fresh");
  assert.deepEqual(fresh.state.keys, []);
  assert.deepEqual(fresh.capabilities, {
    ...{ allTargetPorts: true, initiatorPorts: true, persist: true, persistActive: false },
    types: [1, 3, 5, 6, 7, 8],
  });
  assert.match(fresh.name ?? "", /^naa\.6001405/);
  // We register on h1, they on h2.
  assert.equal(await a.register(A), "ok");
  assert.deepEqual((await agreed("we registered")).state.keys, [A]);
  assert.equal(await sg(2, `-G -S 0x${B} -Z`), 0);
  const both = await agreed("they registered");
  assert.deepEqual(both.state.keys, [A, B]);
  assert.deepEqual(
    both.registrations?.map(({ initiatorPort }) => initiatorPort.replace(/,i,0x.*/, "")),
    ["iqn.2026-01.lab:h1", "iqn.2026-01.lab:h2"],
  );
  // We reserve; they may not, nor take our key for theirs.
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  const held = await agreed("we reserved");
  assert.deepEqual([held.state.holder, held.state.type], [A, 5]);
  assert.equal(await sg(2, `-R -K 0x${B} -T 6`), SG_CONFLICT);
  assert.equal(await blockWrite(san, 1, placeA), "ok");
  // They preempt us, with abort: our writes are refused, and so is our revenge.
  assert.equal(await sg(2, `-A -K 0x${B} -S 0x${A} -T 5`), 0);
  const lost = await agreed("they preempted");
  assert.deepEqual([lost.state.keys, lost.state.holder], [[B], B]);
  assert.equal(await blockWrite(san, 1, placeA), "Invalid exchange");
  assert.equal(await a.tryWrite(), "conflict");
  const strike = { kind: "preempt", key: A, victim: B, type: 5 } as const;
  assert.equal(await a.command(strike), "conflict");
  // We come back under another key, and preempt them.
  assert.equal(await a.register(C), "ok");
  assert.equal(await a.command({ kind: "preempt", key: C, victim: B, type: 6 }), "ok");
  const won = await agreed("we preempted");
  assert.deepEqual([won.state.keys, won.state.holder, won.state.type], [[C], C, 6]);
  assert.equal(await b.tryWrite(), "conflict");
  assert.equal(await blockWrite(san, 2, bench.placeB), "Invalid exchange");
  // Release, unregister, and they clear.
  assert.equal(await a.command({ kind: "release", key: C, type: 6 }), "ok");
  assert.equal((await agreed("we released")).state.holder, null);
  assert.equal(await sg(2, `-G -S 0x${B}`), 0);
  assert.equal(await a.command({ ...REGISTER, old: C, key: NONE }), "ok");
  assert.deepEqual((await agreed("we unregistered")).state.keys, [B]);
  assert.equal(await sg(2, `-C -K 0x${B}`), 0);
  assert.deepEqual((await agreed("they cleared")).state.keys, []);
});

lab("lio", "every type is reserved and read as what it is", async ({ a, b, agreed }) => {
  assert.equal(await a.register(A), "ok");
  assert.equal(await b.register(B), "ok");
  for (const type of [1, 3, 5, 6, 7, 8] as const) {
    assert.equal(await a.command({ kind: "reserve", key: A, type }), "ok", `type ${type}`);
    const { state, ...report } = await agreed(`type ${type}`);
    const all = type >= 7;
    assert.deepEqual([state.holder, state.type], [all ? NONE : A, type]);
    assert.deepEqual(holdersOf({ state, ...report }), [[A, type], [B, all ? type : null]]);
    assert.equal(await b.tryWrite(), type >= 5 ? "ok" : "conflict", `type ${type}`);
    assert.equal(await a.command({ kind: "release", key: A, type }), "ok");
  }
});

lab("lio", "APTPL is what the last registration said", async ({ a, b }) => {
  const active = async () => (await a.inspect()).capabilities?.persistActive;
  assert.equal(await a.register(A), "ok");
  assert.equal(await active(), true);
  assert.equal(await b.command({ ...REGISTER, persist: false, old: null, key: B }), "ok");
  assert.equal(await active(), false);
  assert.equal(await b.command({ ...REGISTER, persist: true, old: null, key: B }), "ok");
  assert.equal(await active(), true);
});

lab("lio", "a registration for all target ports is read as one", async ({ a, b, agreed }) => {
  const all = { ...REGISTER, allTargetPorts: true, old: null };
  assert.equal(await a.command({ ...all, key: A }), "ok");
  assert.equal((await agreed("all ports")).registrations?.[0]?.allTargetPorts, true);
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  assert.equal(await b.tryWrite(), "conflict");
  // LIO lets such a registration be changed only as what it is.
  assert.equal(await a.command({ ...all, key: NONE }), "ok");
  assert.deepEqual((await agreed("taken back")).state.keys, []);
});

lab("lio", "a registration for another initiator is in force there", async ({ a, b, agreed }) => {
  assert.equal(await b.register(B), "ok");
  const port = (await a.inspect()).registrations?.[0]?.initiatorPort ?? "";
  assert.match(port, /^iqn\.2026-01\.lab:h2,i,0x/);
  assert.equal(await b.command({ ...REGISTER, old: B, key: NONE }), "ok");
  // LIO takes none without a session's identifier, from sg_persist neither.
  const nameless = { ...REGISTER, initiatorPorts: ["iqn.2026-01.lab:h2"], old: NONE, key: A };
  assert.match((await a.ask(nameless))?.detail ?? "", /05\/26\/00/);
  assert.equal(await a.command({ ...nameless, initiatorPorts: [port] }), "ok");
  const { state, registrations } = await agreed("for both");
  assert.deepEqual(state.keys, [A, A]);
  assert.ok(registrations?.some(({ initiatorPort }) => initiatorPort === port));
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  assert.equal(await b.tryWrite(), "ok");
});

lab("tgt", "ours and sg_persist agree, and what it lacks is refused by name", async (bench) => {
  const { san, a, b, placeA, sg, agreed } = bench;
  const fresh = await agreed("fresh");
  assert.equal(fresh.registrations, null);
  assert.equal(fresh.raw.fullStatus, null);
  assert.deepEqual(fresh.capabilities, {
    ...{ allTargetPorts: false, initiatorPorts: false, persist: false, persistActive: false },
    types: [1, 3, 5, 6, 7, 8],
  });
  const lacking = [
    { ...REGISTER, persist: true },
    { ...REGISTER, allTargetPorts: true },
    { ...REGISTER, initiatorPorts: ["iqn.2026-01.lab:h2"] },
  ];
  for (const ask of lacking) {
    const failure = await a.ask({ ...ask, old: null, key: A });
    assert.equal(failure?.failure, "unsupported");
    assert.match(failure?.detail ?? "", /\((PTPL_C|ATP_C|SIP_C)\)/);
  }
  assert.deepEqual((await agreed("nothing was registered")).state.keys, []);
  // Where it can: it cannot, and so it is not asked for.
  assert.equal(await a.register(A), "ok");
  assert.equal(await sg(2, `-G -S 0x${B}`), 0);
  assert.deepEqual([...(await agreed("both registered")).state.keys].sort(), [A, B]);
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  assert.equal((await agreed("we reserved")).state.holder, A);
  assert.equal(await sg(2, `-R -K 0x${B} -T 6`), SG_CONFLICT);
  // No PREEMPT AND ABORT: said, not replaced behind the caller's back.
  const abort = await b.ask({ kind: "preempt", key: B, victim: A, type: 5 });
  assert.equal(abort?.failure, "unsupported");
  // Nor is one for a key that nobody has taken for a conflict, by which its lack would be unseen.
  assert.equal(await b.command({ kind: "preempt", key: B, victim: C, type: 5 }), "unsupported");
  assert.deepEqual([...(await agreed("nobody was ejected")).state.keys].sort(), [A, B]);
  const plain = { kind: "preempt", key: B, victim: A, type: 5, abort: false } as const;
  assert.equal(await b.command(plain), "ok");
  const lost = await agreed("we preempted");
  assert.deepEqual([lost.state.keys, lost.state.holder], [[B], B]);
  assert.equal(await blockWrite(san, 1, placeA), "Invalid exchange");
  assert.equal(await blockWrite(san, 2, bench.placeB), "ok");
  assert.equal(
    await a.command({ kind: "preempt", key: A, victim: B, type: 5, abort: false }),
    "conflict",
  );
});
