/** What the drivers of all kinds have in common. @module */
import { isResourceId, type ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import type { Held, ProcessHealth, ProcessPort } from "../../host/ports.ts";
import type { Action } from "./action.ts";
import type { Failure } from "./ocf.ts";

/** Grace of a stop of which nobody says how long it may take. */
export const GRACE_MS: Millis = 10_000;

/** A start, and how it is to be done. */
export interface StartSpec<Of extends Action = Action> {
  readonly id: ResourceId;
  /** Name of this node. */
  readonly node: string;
  readonly action: Of;
  /** Null: as the agent says. */
  readonly timeoutMs: Millis | null;
}

/** A start that was asked for. */
export interface Starting<Of extends Action = Action> extends StartSpec<Of> {
  /** Everything was killed since, and whoever asked knows of this start no more. */
  readonly calledOff: () => boolean;
}

export interface MonitorSpec<Of extends Action = Action> extends StartSpec<Of> {
  readonly intervalMs: Millis;
}

export type Done = (failure: Failure | null) => void;

/**
 * One kind. Calls about one resource come one by one, but for monitors. What is stopped is what was
 * started, as its note has it, whatever the definition says by now.
 */
export interface KindDriver<Of extends Action = Action> {
  start(spec: Starting<Of>, done: Done): void;
  stop(spec: StartSpec<Of>, graceMs: Millis | null, done: Done): void;
  monitor(spec: MonitorSpec<Of>, done: (health: ProcessHealth) => void): void;
}

/** What is kept beside a resource that is held. */
export function printNote(spec: StartSpec): string {
  return JSON.stringify(spec);
}

/** Reads a note of ours; null where it is another version's. */
export function readNote(text: string): StartSpec | null {
  try {
    const spec = JSON.parse(text) as StartSpec | null;
    const fine = typeof spec?.id === "string" && isResourceId(spec.id) &&
      typeof spec.node === "string" && typeof spec.action?.kind === "string";
    return fine ? spec : null;
  } catch {
    return null;
  }
}

/** Why a start is not made that was called off. */
export const CALLED_OFF = "Everything was killed since it was asked for";

/**
 * Holds what is about to be started. Looks at agents and neighbours come before it and may take long:
 * what was called off meanwhile must not come about in a later tenure, in which nobody would stop it.
 */
export function holdFor(
  processes: ProcessPort,
  { spec, undo, note = printNote(spec) }: {
    readonly spec: Starting;
    readonly undo: Held["undo"];
    readonly note?: string;
  },
  done: (refused: string | null) => void,
): void {
  if (spec.calledOff()) return done(CALLED_OFF);
  processes.hold({ id: spec.id, undo, note }, done);
}

/** Ends a held resource by what it was held with: no word of its kind is needed. */
export function undoHeld(processes: ProcessPort, id: ResourceId, done: Done): void {
  processes.undo(id, (why) => why === null ? endHeld(processes, id, done) : done(once(why)));
}

/** It was undone: what is left of its processes goes too. */
export function endHeld(processes: ProcessPort, id: ResourceId, done: Done): void {
  processes.stop(id, 0, (why) => {
    if (why === null) processes.free(id);
    done(why === null ? null : once(why));
  });
}

/** A failure that another try may not have. */
export function once(why: string): Failure {
  return { why, scope: "once" };
}
