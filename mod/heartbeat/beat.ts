/** Between what this node knows and what a beat says. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { Position, View, Vitals } from "../streams.ts";
import { votesOf } from "./quorum.ts";
import type { Beat, Echo } from "./wire.ts";

const U16_MAX = 0xffff;
const U32_MAX = 0xffffffff;

/** All that goes into a beat. */
export interface BeatParts {
  readonly spec: ClusterSpec;
  readonly self: NodeId;
  readonly view: View;
  readonly echoes: readonly Echo[];
  readonly position: Position | null;
  readonly vitals: Vitals | null;
}

/** The beat that says all this. Figures out of range are cut to it. */
export function beatOf({ spec, self, view, echoes, position, vitals }: BeatParts): Beat {
  return {
    cluster: spec.id,
    vote: votesOf(spec, self),
    expected: view.expected,
    epoch: view.epoch,
    online: view.online,
    echoes,
    term: position?.term ?? 0,
    index: position?.committed ?? 0,
    crc32: position?.crc32 ?? 0,
    load: thousandths(vitals?.load),
    memory: thousandths(vitals?.memory),
    ioDelay: thousandths(vitals?.ioDelay),
    armed: vitals?.armed ?? false,
    guardMarginMs: cut(vitals?.guardMarginMs, U32_MAX),
    diskLocks: cut(vitals?.diskLocks, U16_MAX),
    resources: cut(vitals?.resources, U16_MAX),
  };
}

/** What a beat says of its sender's health. */
export function vitalsOf(beat: Beat): Vitals {
  return {
    load: beat.load / 1000,
    memory: beat.memory / 1000,
    ioDelay: beat.ioDelay / 1000,
    armed: beat.armed,
    guardMarginMs: beat.guardMarginMs,
    diskLocks: beat.diskLocks,
    resources: beat.resources,
  };
}

function thousandths(fraction: number | undefined): number {
  return cut((fraction ?? 0) * 1000, U16_MAX);
}

function cut(value: number | undefined, max: number): number {
  return value === undefined || !(value > 0) ? 0 : Math.min(max, Math.round(value));
}
