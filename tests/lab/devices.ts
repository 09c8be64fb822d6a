/**
 * Ways to a disk other than the plain one, and a disk that does not answer. Registers its tests when
 * it is imported.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DiskDriver } from "../../mod/storage/block_driver.ts";
import type { StorageEvent } from "../../mod/storage/events.ts";
import { linuxClock } from "../../mod/host/linux/clock.ts";
import type { Millis } from "../../mod/base/time.ts";
import { A, B, C, lab } from "./bench.ts";
import { until } from "../../scripts/lab/shell.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const PR_MAIN = new URL("./pr_main.ts", import.meta.url).pathname;

lab(
  "lio",
  "the block layer's calls do what SG_IO's do, and conflicts are conflicts",
  async (bench) => {
    const { san, a, b, placeA } = bench;
    const program = (await san.lab.program(PR_MAIN)).join(" ");
    const pr = async (...calls: readonly string[]) => {
      const quoted = calls.map((call) => `'${call}'`).join(" ");
      return (await san.lab.host(1).must(`${program} ${placeA} ${quoted}`)).split("\n");
    };
    assert.equal(await b.register(B), "ok");
    // Of one nexus, so the calls see each other: on this kernel a conflict comes back as 118h.
    assert.deepEqual(
      await pr(`register ${A}`, `register ${C} ${B}`, `reserve ${B} 5`, `reserve ${A} 5`),
      ["ok", "conflict", "conflict", "ok"],
    );
    const held = await b.inspect();
    assert.deepEqual([held.state.holder, held.state.type], [A, 5]);
    assert.equal(held.capabilities?.persistActive, true, "the block layer always asks for APTPL");
    // Own key, then the victim's: the other order would be a conflict, and eject nobody.
    assert.deepEqual(await pr(`preempt ${B} ${A}`, `preempt ${A} ${B} abort`), ["conflict", "ok"]);
    assert.deepEqual((await b.inspect()).state.keys, [A]);
    assert.equal(await b.tryWrite(), "conflict");
    const [released, read, cleared] = await pr(`release ${A} 5`, "read", `clear ${A}`);
    assert.deepEqual([released, read, cleared], ["ok", "unsupported", "ok"]);
    assert.deepEqual(await a.keys(), []);
  },
);

lab(
  "lio",
  "a SCSI generic device is the disk that belongs to it",
  async ({ san, a, b, placeA }) => {
    const name = placeA.replace("/dev/", "");
    const generic = await san.lab.host(1).must(`ls /sys/block/${name}/device/scsi_generic`);
    const hand = await san.hand(1, `/dev/${generic}`);
    assert.equal(await hand.register(A), "ok");
    assert.equal(await b.register(B), "ok");
    assert.deepEqual(await a.keys(), [A, B]);
    assert.equal(await hand.write(0, 5), "ok");
    assert.deepEqual(await b.read(0), new Uint8Array(4096).fill(5));
    await san.drop(1, `/dev/${generic}`);
  },
);

lab(
  "lio",
  "pentad's own commands on a real LUN: check, register, consent, preempt",
  async (bench) => {
    const { san, b, placeA } = bench;
    const second = await san.second(1, "lio");
    const pentad = (await san.lab.program(MAIN)).join(" ");
    const run = (words: string) => san.lab.host(1).run(`${pentad} storage ${words}`);
    const checked = await run(`check ${placeA} --second ${second} --json`);
    assert.equal(checked.code, 0, checked.out + checked.err);
    const { verdict, steps } = JSON.parse(checked.out);
    assert.equal(verdict, "fences");
    assert.deepEqual([...new Set(steps.map(({ seen }: { seen: string }) => seen))], ["yes"]);
    assert.equal((await run(`reservations register ${placeA} --key ${A}`)).code, 0);
    assert.equal(await b.register(B), "ok");
    const ask = `reservations preempt ${placeA} --key ${A} --victim ${B}`;
    const refused = await run(ask);
    assert.equal(refused.code, 7);
    assert.match(refused.err, /--accept-risk=fence: 0xb2 loses 1 of 2 registrations/);
    assert.deepEqual((await b.inspect()).state.keys, [A, B]);
    const done = await run(`${ask} --accept-risk fence --json`);
    assert.equal(done.code, 0, done.err);
    assert.deepEqual(JSON.parse(done.out).keys, [A]);
  },
);

lab(
  "tgt",
  "pentad's check says what a target lacks, and that it fences all the same",
  async (bench) => {
    const { san, placeA } = bench;
    const second = await san.second(1, "tgt");
    const pentad = (await san.lab.program(MAIN)).join(" ");
    const { code, out, err } = await san.lab.host(1).run(
      `${pentad} storage check ${placeA} --second ${second} --json`,
    );
    const { verdict, steps } = JSON.parse(out);
    const lacks = steps.filter(({ seen }: { seen: string }) => seen !== "yes");
    assert.deepEqual([code, verdict], [0, "fences"], out + err);
    assert.deepEqual(lacks.map(({ what }: { what: string }) => what), [
      "registrations outlast its loss of power (APTPL)",
      "it tells by which port a registration was made",
      "PREEMPT AND ABORT ends the victim's commands too",
    ]);
  },
);

lab("lio", "a target that hangs is told as hung, and holds up nothing else", async (bench) => {
  const { san, a, b, placeA } = bench;
  assert.equal(await a.register(A), "ok");
  const array = san.lab.host(3);
  const file = "/disk/stand-in";
  await san.lab.host(1).must(`truncate -s 65536 ${file}`);
  const stand = await san.hand(1, file);
  const heard: StorageEvent[] = [];
  const driver = new DiskDriver({
    port: san.port(1),
    clock: linuxClock(),
    callMs: () => 1000 as Millis,
    feed: (event) => void heard.push(event),
  });
  const told = (tag: number) => {
    const event = heard.find((each) => each.kind === "disk" && each.tag === tag);
    if (event?.kind !== "disk") return null;
    return event.result.result === "failed" ? event.result.failure.failure : event.result.result;
  };
  driver.perform({ kind: "disk", disk: 0, tag: 1, call: { call: "open", path: placeA } });
  await until("the disk opens", 30, () => told(1) !== null);
  await array.freeze();
  try {
    driver.perform({ kind: "disk", disk: 0, tag: 2, call: { call: "reservations" } });
    driver.perform({
      kind: "disk",
      disk: 0,
      tag: 3,
      call: { call: "read", offset: 0, length: 4096 },
    });
    // While the array is silent, another disk of the same host does all that it is asked.
    assert.equal(await stand.register(B), "ok");
    assert.deepEqual(await stand.keys(), [B]);
    await until("the deadline outside the calls", 30, () => told(3) !== null);
    assert.deepEqual([told(2), told(3)], ["hung", "hung"]);
    assert.equal(await stand.write(0, 1), "ok");
  } finally {
    await array.thaw();
  }
  driver.close();
  // The late answers are nobody's any more; the disk is as it was.
  await until("the array answers again", 60, async () => {
    const state = await new Promise<unknown>((done) => b.disk.readReservations(done));
    return typeof state === "object" && state !== null && "keys" in state;
  });
  assert.deepEqual((await b.inspect()).state.keys, [A]);
  await san.drop(1, file);
});
