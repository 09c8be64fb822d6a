/** What stream 3 shows of itself. @module */
import type { NodeId } from "../base/id.ts";
import type { Instant } from "../base/time.ts";
import type { Arming } from "./arming.ts";
import type { ResourceBoard, Shown } from "./board.ts";
import type { HaFiles } from "./files.ts";
import type { Guard } from "./guard.ts";
import type { Mode } from "./mode.ts";
import type { NodeEntry } from "./status.ts";

/** For status, `ha show` and metrics. */
export interface HaView {
  readonly dc: NodeId | null;
  readonly epoch: number;
  readonly guard: {
    readonly held: boolean;
    /** The cluster is disarmed: what runs here goes on without it. */
    readonly suspended: boolean;
    readonly until: Instant;
  };
  readonly armed: boolean;
  /** Of the whole stack, by what is decided. */
  readonly mode: Mode;
  /** What arms this node; null for nothing. */
  readonly watchdog: string | null;
  readonly resources: readonly Shown[];
  readonly nodes: readonly ({ readonly node: NodeId } & NodeEntry)[];
  readonly faults: readonly { readonly line: number; readonly why: string }[];
  /** Who was put out by force and is not confirmed dead: nothing starts before that. */
  readonly out: readonly { readonly node: NodeId; readonly name: string }[];
}

/** Makes it. */
export function viewOf({ files, guard, arming, board }: {
  readonly files: HaFiles;
  readonly guard: Guard;
  readonly arming: Arming;
  readonly board: ResourceBoard;
}): HaView {
  const { lock, mode, status, definitions, rules, datacenter, out } = files;
  const { held, suspended, until } = guard;
  return {
    dc: lock?.holder ?? null,
    epoch: lock?.epoch ?? 0,
    guard: { held, suspended, until },
    armed: arming.armed,
    mode,
    watchdog: arming.identity,
    resources: board.all(),
    nodes: [...status.nodes].map(([node, entry]) => ({ node, ...entry })),
    faults: [...definitions.faults, ...rules.faults, ...datacenter.faults],
    out: [...out].map(([node, name]) => ({ node, name })),
  };
}
