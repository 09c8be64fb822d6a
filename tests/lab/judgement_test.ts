/**
 * The whole pentad on hosts with kernels, watchdogs and SCSI disks of their own, in the order of
 * how much is taken from it. Each test mends what the one before it left, and begins whole.
 *
 * PENTAD_LAB_CUT_SECONDS: how long the network stays cut; PENTAD_LAB_HANG_SECONDS: how long the target
 * hangs; PENTAD_LAB_ROUNDS: how often both network and disk are cut.
 */
import assert from "node:assert/strict";
import type { Millis } from "../../mod/base/time.ts";
import { labMissing } from "../../scripts/lab/missing.ts";
import { until } from "../../scripts/lab/shell.ts";
import { type LabNode, LUN } from "./lab_node.ts";
import { Pair, TIMING, WRITERS } from "./pair.ts";
import { newest, said } from "./records.ts";

const CUT_SECONDS = numberOf("PENTAD_LAB_CUT_SECONDS", 30);
const ROUNDS = numberOf("PENTAD_LAB_ROUNDS", 1);
/** A target that hangs for longer than its initiators wait: see login.sh. */
const HANG_SECONDS = numberOf("PENTAD_LAB_HANG_SECONDS", 20);
/** A lab host on a loaded machine does what is due by so much later. */
const LATE_MS = 10_000;
/** An area of the disk for a writer that is no resource. */
const STRAY = 2;
/** By then a node that hears nobody is reset. */
const RESET_MS = TIMING.leaseMs + TIMING.watchdogMs + LATE_MS;

const missing = labMissing();
if (missing !== null) console.log(`lab tests are skipped: ${missing}`);

let made: Promise<Pair> | null = null;
// Where it could not be made, each test has said so.
Deno.test.afterAll(async () => await (await made?.catch(() => null))?.close());

function lab(what: string, body: (pair: Pair) => Promise<void>): void {
  Deno.test({
    name: `a pair on lab hosts: ${what}`,
    ignore: missing !== null,
    ...{ sanitizeOps: false, sanitizeResources: false },
    fn: async () => {
      const pair = await (made ??= Pair.make());
      try {
        await pair.settled();
        await body(pair);
        console.log(await pair.assertAlone());
      } catch (error) {
        console.log(error);
        for (const node of pair.nodes) console.log(await node.events());
        throw error;
      }
    },
  });
}

lab("a target that hangs holds up nothing else", async (pair) => {
  const before = tenures(pair);
  await pair.lab.host(3).freeze();
  try {
    const end = Date.now() + HANG_SECONDS * 1000;
    for (let round = 0; Date.now() < end; round++) {
      for (const node of pair.nodes) {
        const from = Date.now();
        await node.ask("PUT", `/v1/config/hang-${round}-${node.name}`, "x");
        assert.ok(Date.now() - from < TIMING.fuseCallMs, "A commit waits for no disk");
        const { guard, quorate, nodes } = await node.ask("GET", "/v1/status");
        assert.deepEqual([guard.state, quorate], ["held", true]);
        assert.deepEqual(nodes.map(({ state }: { state: string }) => state), ["online", "online"]);
      }
    }
    for (const node of pair.nodes) {
      await node.until(
        "the disk is told as lost",
        ({ streams }) => streams.find(({ name }) => name === "storage")?.state !== "ok",
      );
    }
  } finally {
    await pair.lab.host(3).thaw();
  }
  await pair.settled();
  assert.deepEqual(tenures(pair), before, "What runs went on");
});

lab(
  "a target that forgets all registrations gets them again, and nobody is fenced",
  async (pair) => {
    const before = tenures(pair);
    const array = pair.lab.host(3);
    await array.cut();
    await array.boot();
    await pair.startTarget();
    await pair.settled();
    for (const node of pair.nodes) {
      const { view } = await node.ask("GET", "/v1/storage");
      assert.equal(view.disks[0].state, "ready");
      assert.equal(view.disks[0].reservation.keys.length, 2);
    }
    assert.deepEqual(tenures(pair), before, "What runs went on");
  },
);

lab(
  "while the network is cut and the pulse lives nothing moves, and the config is read-only",
  async (pair) => {
    const before = tenures(pair);
    await pair.cutNetwork();
    for (const node of pair.nodes) {
      const seen = await node.until(
        "it is cut off",
        ({ quorate, config }) => !quorate && !config.writable,
      );
      assert.equal(seen.guard.state, "held");
    }
    const end = Date.now() + CUT_SECONDS * 1000;
    while (Date.now() < end) {
      for (const node of pair.nodes) {
        const refused = await node.api("PUT", "/v1/config/cut", "x");
        assert.deepEqual([refused.status, (await refused.json()).code], [503, "config.no-quorum"]);
        const { guard, quorate } = await node.ask("GET", "/v1/status");
        assert.deepEqual([guard.state, quorate], ["held", false]);
      }
      for (const area of WRITERS.keys()) {
        await pair.writes(area, LATE_MS / 1000);
      }
    }
    await pair.heal();
    await pair.whole();
    await pair.nodes[0].ask("PUT", `/v1/config/healed-${end}`, "x");
    assert.deepEqual(tenures(pair), before, "What runs went on");
    console.log(`nothing moved in ${CUT_SECONDS} s`);
  },
);

for (let round = 1; round <= ROUNDS; round++) {
  const which = ROUNDS > 1 ? ` (${round} of ${ROUNDS})` : "";
  lab(`both are cut: one goes on, the other is reset by its watchdog${which}`, async (pair) => {
    const { owner, other } = await pair.gathered();
    // Who loses its disk, and how long after the network: at once, in the judgement, or long after.
    const loser = Math.random() < 0.5 ? owner : other;
    const winner = loser === owner ? other : owner;
    const pauseMs = Math.floor(Math.random() * 2 * TIMING.leaseMs);
    const what = loser === owner ? "where both ran" : "where nothing ran";
    console.log(`${loser.name}, ${what}, loses its disk ${pauseMs} ms after the network`);
    const before = tenures(pair);
    await pair.cutNetwork();
    await new Promise((wake) => setTimeout(wake, pauseMs));
    const from = Date.now();
    await pair.lab.network.unplug(loser.name);
    await winner.until("it is judged alone", ({ quorate, config, nodes }) => {
      const other = nodes.find(({ name }) => name === loser.name);
      return other?.state !== "online" && quorate && config.writable;
    });
    console.log(`${winner.name} goes on alone ${Date.now() - from} ms after this`);
    await loser.host.gone((from + RESET_MS - Date.now()) / 1000);
    console.log(`${loser.name} is reset ${Date.now() - from} ms after this`);
    assert.equal((await winner.status())?.guard.state, "held");
    assert.equal(await pair.writes(0, 60), winner.name);
    const after = tenures(pair);
    if (winner === owner) assert.deepEqual(after, before, "What the winner ran went on");
    else {
      assert.equal(after[0], (before[0] ?? 0) + 1);
      console.log(
        `${winner.name} writes in its place ${Math.round(began(pair, 0) - from)} ms after this`,
      );
    }
    assert.ok(winner.host.pid() !== null);
    await pair.heal();
  });
}

lab("after a power cut storage proof is soon, and death is waited for", async (pair) => {
  const { owner, other } = await pair.gathered();
  const before = tenures(pair);
  const from = Date.now();
  await owner.host.cut();
  await taken(pair, 0, other, TIMING.leaseMs + LATE_MS);
  const soon = began(pair, 0) - from;
  assert.equal(tenures(pair)[1], before[1], "Only storage proof was there");
  await taken(pair, 1, other, TIMING.deadMs + TIMING.fenceWaitMs + 2 * LATE_MS);
  const late = began(pair, 1) - from;
  console.log(
    `by storage proof after ${Math.round(soon)} ms, by waiting after ${Math.round(late)} ms`,
  );
  assert.ok(soon < TIMING.fenceWaitMs / 2);
  // Its last beat was sent up to a beat before the cut.
  assert.ok(late >= TIMING.deadMs + TIMING.fenceWaitMs - TIMING.beatMs);
});

lab("a host that was frozen past everything writes nothing more, and is reset", async (pair) => {
  const { owner } = await pair.gathered();
  const from = await frozen(pair, TIMING.watchdogMs);
  await owner.host.gone(RESET_MS / 1000);
  console.log(`${owner.name} reset ${Date.now() - from} ms after the thaw`);
  const late = [0, 1].flatMap((area) => said(pair.lab, area)).filter(({ host, begin, word }) =>
    host === owner.name && begin >= from && word === "ok"
  );
  assert.deepEqual(late, []);
});

lab(
  "where a watchdog was frozen too, the disk refuses late writes, and all is killed",
  async (pair) => {
    const { owner } = await pair.gathered();
    const toothless = `${pair.lab.share}/${owner.name}.softdog`;
    await Deno.writeTextFile(toothless, "soft_noboot=1");
    try {
      await owner.host.cut();
      await pair.settled();
      // The resources may have gone to the other meanwhile; that one's watchdog is as it was.
      for (const id of WRITERS) {
        await owner.ask("POST", `/v1/ha/resources/${id}/migrate`, { node: owner.name });
      }
      await until("the writers are together", 90, async () => {
        return await pair.writes(0) === owner.name && await pair.writes(1) === owner.name;
      });
      // Nobody's resource, so nobody kills it: it tries until the target lets it.
      await owner.host.must(`setsid /lab/writer.sh ${LUN} ${STRAY} < /dev/null > /dev/null 2>&1 &`);
      await pair.writes(STRAY);
      const from = await frozen(pair, 0);
      const first = () => {
        return said(pair.lab, STRAY).find(({ begin, word }) => begin >= from && word !== "failed");
      };
      await until("the stray writer has its answer", 60, () => first() !== undefined);
      assert.equal(first()?.word, "conflict");
      await owner.until(
        "nothing runs there",
        ({ nodes }) => nodes.find(({ self }) => self)?.resources.length === 0,
      );
      const late = said(pair.lab, 0).filter(({ host, begin, word }) =>
        host === owner.name && begin >= from && word === "ok"
      );
      assert.deepEqual(late, []);
    } finally {
      await Deno.remove(toothless);
      await owner.host.cut();
    }
  },
);

/** Freezes the owner until the other has what comes by storage proof, and longer; when it thaws. */
async function frozen(pair: Pair, longerMs: Millis): Promise<number> {
  const { owner, other } = await pair.gathered();
  await owner.host.freeze();
  try {
    await taken(pair, 0, other, TIMING.leaseMs + LATE_MS);
    await new Promise((wake) => setTimeout(wake, longerMs));
    return Date.now();
  } finally {
    await owner.host.thaw();
  }
}

/** The token of each area's newest record. */
function tenures(pair: Pair): number[] {
  return [...WRITERS.keys()].map((area) => newest(pair.lab, area)?.token ?? 0);
}

/** When the newest tenure of an area wrote first. */
function began(pair: Pair, area: number): number {
  const token = newest(pair.lab, area)?.token;
  return said(pair.lab, area).find((each) => each.word === "ok" && each.token === token)?.begin ??
    0;
}

async function taken(pair: Pair, area: number, by: LabNode, limitMs: Millis): Promise<void> {
  await until(`${by.name} takes area ${area}`, limitMs / 1000, () => {
    return newest(pair.lab, area)?.host === by.name;
  });
}

function numberOf(name: string, otherwise: number): number {
  const value = Number(Deno.env.get(name) ?? otherwise);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${name} is not a number`);
}
