/**
 * Two hosts with kernels of their own, one array: what pentad does and reads of reservations is what
 * sg_persist, an independent initiator, does and reads.
 */
import assert from "node:assert/strict";
import type { DiskReport } from "../../mod/host/ports.ts";
import { stateLines } from "../../mod/cli/reservation_words.ts";
import { labMissing } from "../../scripts/lab/missing.ts";
import { type Hand, type Kind, San, UNIT_BYTES } from "./san.ts";
import { sgRead, sgText } from "./sg_persist.ts";

const missing = labMissing();
if (missing !== null) console.log(`lab tests are skipped: ${missing}`);

let made: Promise<San> | null = null;
Deno.test.afterAll(async () => await (await made)?.close());

/** Both users of a unit that is as new, and their way to see that all readers agree. */
interface Bench {
  readonly san: San;
  readonly kind: Kind;
  readonly a: Hand;
  readonly b: Hand;
  readonly placeA: string;
  readonly placeB: string;
  /** Runs sg_persist on a host: its exit code. */
  sg(user: 1 | 2, options: string): Promise<number>;
  /** What all four readers say, byte for byte; `step` names the place in a failure. */
  agreed(step: string): Promise<DiskReport>;
}

function lab(kind: Kind, what: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test({
    name: `${kind === "lio" ? "LIO" : "tgt"}: ${what}`,
    ignore: missing !== null,
    // Disk processes stay for the next test.
    ...{ sanitizeOps: false, sanitizeResources: false },
    fn: async () => {
      const san = await (made ??= San.make());
      await san.reset(kind);
      const [placeA, placeB] = [san.place(1, kind), san.place(2, kind)];
      const [a, b] = [await san.hand(1, placeA), await san.hand(2, placeB)];
      const sg = async (user: 1 | 2, options: string) => {
        const place = user === 1 ? placeA : placeB;
        // Another program's unit attentions are its own; an old kernel lets it see them.
        const ask = `sg_turs ${place} > /dev/null 2>&1; sg_persist -n -o ${options} ${place}`;
        return (await san.lab.host(user).run(ask)).code;
      };
      const agreed = (step: string) => agree(step, { san, a, b, placeA, placeB });
      await body({ san, kind, a, b, placeA, placeB, sg, agreed });
    },
  });
}

/** Ours from both hosts, theirs from both hosts. */
async function agree(
  step: string,
  { san, a, b, placeA, placeB }: Pick<Bench, "san" | "a" | "b" | "placeA" | "placeB">,
): Promise<DiskReport> {
  const [ours, too, theirs, theirsToo, text] = await Promise.all([
    a.inspect(),
    b.inspect(),
    sgRead(san.lab.host(1), placeA),
    sgRead(san.lab.host(2), placeB),
    sgText(san.lab.host(2), placeB),
  ]);
  for (const [name, other] of [["h2", too.raw], ["sg_persist", theirs], ["both", theirsToo]]) {
    assert.deepEqual(other, ours.raw, `${step}: ${name}`);
  }
  assert.deepEqual(stateLines(ours), text, step);
  return ours;
}

const A = "00000000000000a1";
const B = "00000000000000b2";
const C = "00000000000000c3";
const REGISTER = {
  kind: "register",
  persist: null,
  allTargetPorts: false,
  initiatorPorts: [],
} as const;
/** What sg_persist ends with: sg3_utils, "EXIT STATUS". */
const SG_CONFLICT = 24;

function holdersOf(report: DiskReport): unknown[] {
  return (report.registrations ?? []).map(({ key, holds }) => [key, holds]).sort();
}

/** A write through the page-cache-less block layer, as a resource makes it: 0, or what dd says. */
async function blockWrite(san: San, user: 1 | 2, place: string): Promise<string> {
  const ask = `dd if=/dev/zero of=${place} bs=4096 count=1 oflag=direct`;
  const { code, err } = await san.lab.host(user).run(ask);
  return code === 0 ? "ok" : /: ([^:\n]+)\n/.exec(err)?.[1] ?? err;
}

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
  assert.equal(await a.command({ ...REGISTER, old: C, key: "0".repeat(16) }), "ok");
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
    assert.deepEqual([state.holder, state.type], [all ? "0".repeat(16) : A, type]);
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

lab("lio", "a registration for all target ports, and one for another initiator", async (bench) => {
  const { a, b, agreed } = bench;
  assert.equal(await a.command({ ...REGISTER, allTargetPorts: true, old: null, key: A }), "ok");
  assert.equal((await agreed("all ports")).registrations?.[0]?.allTargetPorts, true);
  assert.equal(await a.command({ kind: "reserve", key: A, type: 5 }), "ok");
  assert.equal(await b.tryWrite(), "conflict");
});

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
  "a session made anew is another nexus: its key is there and it may not write",
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
    const seen = await again.inspect();
    assert.ok(seen.state.keys.includes(A), "the old registration stays with the target");
    const own = await again.tryWrite();
    const ports = seen.registrations?.filter(({ key }) => key === A).map((each) =>
      each.initiatorPort
    );
    assert.deepEqual(ports, [before]);
    // open-iscsi numbers its sessions: a number that was used before is the same nexus again.
    assert.equal(await again.register(A), "ok");
    const after = (await again.inspect()).registrations?.filter(({ key }) => key === A) ?? [];
    assert.equal(await again.tryWrite(), "ok");
    if (own === "conflict") assert.equal(new Set(after.map((each) => each.initiatorPort)).size, 2);
    else assert.equal(after.length, 1);
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
      assert.equal(await many.command({ ...REGISTER, old: C, key: "0".repeat(16) }), "ok");
      assert.deepEqual(await many.keys(), [B]);
    } finally {
      await san.drop(1, path);
      await san.lab.host(1).must("dmsetup remove --retry lun");
    }
  },
);

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
