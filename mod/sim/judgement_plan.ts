/**
 * What befalls a cluster in a run about its shared disks, drawn from a seed: everything that
 * `faults.ts` knows of nodes and network, and what happens to each of several disks.
 *
 * @module
 */
import { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import type { ClusterShape } from "./cluster.ts";
import { drawFaults, type Fault } from "./faults.ts";
import type { WorldOptions } from "./options.ts";
import type { WitnessMove } from "./witness_moves.ts";

/** One thing that happens to a disk, or to one host's way to it (null: to every host's). */
export interface DiskFault {
  readonly at: Millis;
  /**
   * `reset`: the target loses all registrations and begins to count anew, for it keeps none over a
   * loss of power; `clear`: an administrator's CLEAR. The next write of a pulse is `misdirected` to
   * another's slot, `duplicated` there, or `torn`, and answered as done; `stale`: hosts read pulses
   * as they were when it began.
   */
  readonly fault:
    | "hung"
    | "failing"
    | "reset"
    | "clear"
    | "misdirected"
    | "duplicated"
    | "torn"
    | "stale";
  readonly disk: number;
  readonly node: number | null;
  readonly ms: Millis;
}

/** A shape with its disks. */
export type JudgementShape = ClusterShape & { readonly disks: number };

/** A resource, and the disks that it lives on, by their places. */
export interface DiskResource {
  readonly storage: boolean;
  readonly disks: readonly number[];
}

/** Everything that is drawn from a seed. */
export interface JudgementPlan {
  readonly seed: number;
  readonly shape: JudgementShape;
  readonly world: Partial<WorldOptions>;
  readonly resources: readonly DiskResource[];
  readonly faults: readonly Fault[];
  readonly diskFaults: readonly DiskFault[];
  /** What an administrator does with the witness vote, where each disk may have it. */
  readonly moves: readonly WitnessMove[];
  /** The targets have PREEMPT AND ABORT. */
  readonly aborts: boolean;
  readonly safetyMs: Millis;
}

/** By then the cluster has formed. */
const CALM_MS = 6000;
const LONGEST_MS = 12_000;
const LOST_MS = 8000;
const WIPES: readonly DiskFault["fault"][] = ["reset", "clear"];
const FLAWS = ["misdirected", "duplicated", "torn", "stale"] as const;

/** Draws a plan. */
export function drawJudgement(seed: number, shape: JudgementShape): JudgementPlan {
  const { nodes, disks } = shape;
  const prng = new Prng(seed * 64 + nodes * 8 + disks * 2 + (shape.witness ? 1 : 0));
  const safetyMs = prng.between(14_000, 34_000);
  const lasting = prng.chance(0.5);
  const resources = Array.from({ length: prng.between(1, 3) }, (): DiskResource => {
    const own = Array.from({ length: disks }, (_, at) => at).filter(() => prng.chance(0.6));
    // A storage proof holds only as long as the target remembers the ejection.
    return { storage: lasting && prng.chance(0.7), disks: own };
  });
  const window = { from: CALM_MS, to: safetyMs };
  const faults = drawFaults(prng, {
    ...{ nodes, witness: true, resources: resources.length, longest: LONGEST_MS },
    ...{ ...window, count: prng.between(1, 9) },
  });
  const kinds = ["hung", "hung", "failing", ...lasting ? [] : ["reset", "clear"] as const] as const;
  const diskFaults = Array.from({ length: prng.between(0, 6) }, (): DiskFault => {
    const near = prng.pick(faults.map(({ at }) => at));
    // In the midst of what the cut of the network began, it is at its most dangerous.
    const at = near !== undefined && prng.chance(0.6)
      ? Math.min(near + prng.between(0, 3000), safetyMs)
      : prng.between(window.from, window.to);
    return {
      at,
      fault: prng.pick(kinds) ?? "hung",
      disk: prng.between(0, disks - 1),
      node: prng.chance(0.7) ? prng.between(0, nodes - 1) : null,
      ms: Math.round(LONGEST_MS * prng.fraction() * prng.fraction()),
    };
  }).sort((a, b) => a.at - b.at);
  const world: Partial<WorldOptions> = {
    netLoss: prng.chance(0.3) ? prng.fraction() * 0.1 : 0.001,
    timerLateMs: [0, prng.chance(0.2) ? prng.between(10, 60) : 5],
    diskCallMs: [0.2, prng.chance(0.3) ? prng.between(4, 20) : 4],
    diskSlow: prng.chance(0.3) ? 0.05 : 0.002,
    diskHungExecuted: prng.fraction(),
    diskCrashExecuted: prng.fraction(),
    diskCrashTorn: prng.fraction(),
    rebootMs: [500, 8000],
    watchdogPresent: prng.chance(0.9),
  };
  const more = drawMore(new Prng(seed * 64 + nodes * 8 + disks + 32), { shape, ...window });
  const { lost } = more;
  // Only who has something to lose by it is ejected at once, and only for as long as that lasts.
  const kept = lost === null
    ? diskFaults
    : diskFaults.filter(({ fault }) => !WIPES.includes(fault));
  return {
    ...{ seed, shape, world, safetyMs, aborts: more.aborts },
    moves: shape.apart === true ? drawMoves(seed, { disks, faults, ...window }) : [],
    resources: lost === null ? resources : resources.map((each) => ({ ...each, storage: true })),
    faults: byTime([...faults, ...lost === null ? [] : [lost.fault]]),
    diskFaults: byTime([...kept, ...more.flaws, ...lost?.ways ?? []]),
  };
}

/** Near what befalls the nodes a change of the witness is at its most dangerous. */
function drawMoves(
  seed: number,
  { disks, faults, from, to }: {
    readonly disks: number;
    readonly faults: readonly Fault[];
    readonly from: Millis;
    readonly to: Millis;
  },
): WitnessMove[] {
  const prng = new Prng(seed * 64 + 63);
  return Array.from({ length: prng.between(1, 6) }, (): WitnessMove => {
    const near = prng.pick(faults.map(({ at }) => at));
    const at = near !== undefined && prng.chance(0.7)
      ? near + prng.between(-400, 400)
      : prng.between(from, to);
    const disk = prng.chance(0.2) ? null : prng.between(0, disks - 1);
    return { at: Math.min(Math.max(at, from), to), disk };
  });
}

/** What a run has beside: flaws of the disks' blocks, targets without ABORT, a node that is lost. */
interface More {
  readonly aborts: boolean;
  readonly flaws: readonly DiskFault[];
  /**
   * Cut from the others, and for a shorter time from the disks: it comes back to read what they
   * left for it there. Or frozen, while what it runs goes on: only the disks stop that.
   */
  readonly lost: { readonly fault: Fault; readonly ways: readonly DiskFault[] } | null;
}

function drawMore(
  prng: Prng,
  { shape: { nodes, disks }, from, to }: {
    readonly shape: JudgementShape;
    readonly from: Millis;
    readonly to: Millis;
  },
): More {
  const flaws = Array.from({ length: prng.between(0, 6) }, (): DiskFault => ({
    at: prng.between(from, to),
    fault: prng.pick(FLAWS) ?? "torn",
    disk: prng.between(0, disks - 1),
    node: prng.chance(0.7) ? prng.between(0, nodes - 1) : null,
    ms: Math.round(LONGEST_MS * prng.fraction() * prng.fraction()),
  }));
  const node = prng.between(0, nodes - 1);
  const at = prng.between(from, Math.max(from, to - LOST_MS));
  const late = prng.between(0, 300);
  const severed = {
    fault: { at, fault: "isolate", node, ms: LOST_MS } as const,
    ways: Array.from({ length: disks }, (_, disk): DiskFault => ({
      ...{ at: at + late, fault: "hung", disk, node },
      ms: prng.between(1500, LOST_MS / 2),
    })),
  };
  const frozen = { fault: { at, fault: "hang", node, ms: LOST_MS / 2 } as const, ways: [] };
  const lost = prng.chance(0.5) ? severed : frozen;
  return { aborts: prng.chance(0.7), flaws, lost: prng.chance(0.4) ? lost : null };
}

function byTime<T extends { readonly at: Millis }>(faults: readonly T[]): T[] {
  return [...faults].sort((a, b) => a.at - b.at);
}

/** One change of the witness for people. */
export function printMove({ at, disk }: WitnessMove): string {
  return `at ${(at / 1000).toFixed(2)} s: witness ${disk === null ? "none" : `disk ${disk}`}`;
}

/** One fault of a disk for people. */
export function printDiskFault({ at, fault, disk, node, ms }: DiskFault): string {
  const where = node === null ? "for all" : `for node=${node}`;
  return `at ${(at / 1000).toFixed(2)} s: disk ${disk} ${fault} ${where} ms=${ms}`;
}
