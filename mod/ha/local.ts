/** A resource on this node, as its agent sees it. @module */
import type { ResourceId } from "../base/id.ts";
import { EPOCH, type Instant, instant } from "../base/time.ts";

/** This node's part in the live migration of a machine. */
export interface Passage {
  /** Which one: see `ServiceEntry.live`. */
  readonly live: number;
  /** It goes, or it comes. */
  readonly way: "out" | "in";
  readonly since: Instant;
  /** Where what comes is awaited; 0 before it is known, and for what goes. */
  port: number;
  /** What its command line is made of, as one number. */
  build: number;
  calledOff: boolean;
}

/**
 * `waiting`: down, to be started again. `moving`: it runs, and its memory is on its way. `arriving`,
 * `arrived`: a machine that does not run, made to receive another one's memory.
 */
export type LocalPhase =
  | "starting"
  | "running"
  | "moving"
  | "arriving"
  | "arrived"
  | "stopping"
  | "waiting"
  | "failed"
  | "invalid"
  | "stuck";

export interface Local {
  readonly id: ResourceId;
  state: LocalPhase;
  /** The call under way. */
  op: number | null;
  /** What it is once the stop under way has ended. */
  then: "gone" | "waiting" | "failed" | "invalid";
  tries: number;
  /** Stops that failed, one after the other. */
  stops: number;
  why: string;
  since: Instant;
  notBefore: Instant;
  monitorAt: Instant;
  monitor: number | null;
  passage: Passage | null;
  /** When it was last to migrate while it ran, and stayed; -∞: never. */
  stayedAt: Instant;
}

/** One of which nothing is known yet. */
export function freshLocal(id: ResourceId, now: Instant): Local {
  return {
    id,
    state: "waiting",
    op: null,
    then: "gone",
    tries: 0,
    stops: 0,
    why: "",
    since: now,
    notBefore: EPOCH,
    monitorAt: now,
    monitor: null,
    passage: null,
    stayedAt: instant(-Infinity),
  };
}

/** Nothing of it runs, and nothing is under way. */
export function isDown({ state }: Local): boolean {
  return state === "failed" || state === "invalid" || state === "waiting";
}

/** It is here to receive what runs elsewhere: it runs nothing. */
export function isGuestRoom({ state }: Local): boolean {
  return state === "arriving" || state === "arrived";
}
