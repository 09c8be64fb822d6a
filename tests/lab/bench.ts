/**
 * What the tests of the storage network work with: one lab for all of them, and for each a unit
 * that is as new, seen from two hosts.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { DiskReport, ReservationCommand } from "../../mod/host/ports.ts";
import { stateLines } from "../../mod/cli/reservation_words.ts";
import { labMissing } from "../../scripts/lab/missing.ts";
import type { Hand } from "../contract/disk_hand.ts";
import { type Kind, San } from "./san.ts";
import { sgRead } from "./sg_persist.ts";

type RegisterCommand = Extract<ReservationCommand, { kind: "register" }>;

const missing = labMissing();
if (missing !== null) console.log(`lab tests are skipped: ${missing}`);

/** How a test of the lab is registered. Disk processes stay for the next one. */
export const LAB_TEST = {
  ignore: missing !== null,
  ...{ sanitizeOps: false, sanitizeResources: false },
} as const;

let made: Promise<San> | null = null;
Deno.test.afterAll(async () => await (await made)?.close());

/** The lab; booted when the first test wants it. */
export function san(): Promise<San> {
  return made ??= San.make();
}

/** Both users of a unit, and their way to see that all readers agree. */
export interface Bench {
  readonly san: San;
  readonly kind: Kind;
  readonly a: Hand;
  readonly b: Hand;
  readonly placeA: string;
  readonly placeB: string;
  /** Runs sg_persist on a host: its exit code. */
  sg(user: 1 | 2, options: string): Promise<number>;
  /** What all readers say, byte for byte; `step` names the place in a failure. */
  agreed(step: string): Promise<DiskReport>;
}

export const A = "00000000000000a1";
export const B = "00000000000000b2";
export const C = "00000000000000c3";
export const NONE = "0000000000000000";
/** REGISTER, to be completed by `old` and `key`. */
export const REGISTER: Omit<RegisterCommand, "old" | "key"> = {
  kind: "register",
  persist: null,
  allTargetPorts: false,
  initiatorPorts: [],
};
/** What sg_persist ends with: sg3_utils(8), "EXIT STATUS". */
export const SG_CONFLICT = 24;

/** Registers one test. */
export function lab(kind: Kind, what: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test({
    ...LAB_TEST,
    name: `${kind === "lio" ? "LIO" : "tgt"}: ${what}`,
    fn: async () => {
      const network = await san();
      await network.reset(kind);
      const [placeA, placeB] = [network.place(1, kind), network.place(2, kind)];
      const [a, b] = [await network.hand(1, placeA), await network.hand(2, placeB)];
      const sg = async (user: 1 | 2, options: string) => {
        const place = user === 1 ? placeA : placeB;
        // What the target has to tell that host comes before anything else.
        const ask = `sg_turs ${place} > /dev/null 2>&1; sg_persist -n -o ${options} ${place}`;
        return (await network.lab.host(user).run(ask)).code;
      };
      const agreed = async (step: string) => {
        const ours = await a.inspect();
        const [too, theirs] = await Promise.all([
          b.inspect(),
          sgRead(network.lab.host(2), placeB),
        ]);
        assert.deepEqual(theirs.bytes, ours.raw, `${step}: sg_persist reads the same bytes`);
        assert.deepEqual(too.raw, ours.raw, `${step}: the other host reads the same bytes`);
        assert.deepEqual(stateLines(ours), theirs.text, step);
        return ours;
      };
      await body({ ...{ san: network, kind, a, b, placeA, placeB }, sg, agreed });
    },
  });
}

/** Who is registered, and what he holds. */
export function holdersOf(report: DiskReport): unknown[] {
  return (report.registrations ?? []).map(({ key, holds }) => [key, holds]).sort();
}

/** A write through the block layer, past the cache, as a resource makes it: `ok`, or what dd says. */
export async function blockWrite(network: San, user: 1 | 2, place: string): Promise<string> {
  const ask = `dd if=/dev/zero of=${place} bs=4096 count=1 oflag=direct`;
  const { code, err } = await network.lab.host(user).run(ask);
  return code === 0 ? "ok" : /: ([^:\n]+)\n/.exec(err)?.[1] ?? err;
}
