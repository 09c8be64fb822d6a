/**
 * This node's guard while the cluster is disarmed. It is suspended once a read barrier of its tenure
 * has shown that this is decided still, and held again by the first proof after the node has learnt
 * that it is not. What the manager may count on in between: `mode.ts`.
 *
 * @module
 */
import { reason } from "../base/reason.ts";
import { NEVER } from "../base/time.ts";
import type { Arming } from "./arming.ts";
import type { HaContext } from "./context.ts";
import type { HaFiles } from "./files.ts";
import type { Guard } from "./guard.ts";

/** Whose guard it is. */
export interface DutyParts {
  readonly files: HaFiles;
  readonly guard: Guard;
  readonly arming: Arming;
}

/** See the module's note. */
export class Duty {
  readonly #context: HaContext;
  readonly #parts: DutyParts;

  constructor(context: HaContext, parts: DutyParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** `fresh`: the decisions applied here are not stale. True where a new tenure begins. */
  tend(fresh: boolean): boolean {
    const { files, guard, arming } = this.#parts;
    const { self, now } = this.#context;
    if (guard.suspended) return files.mode !== "disarmed" && guard.resume(now);
    const decided = files.status.nodes.get(self)?.unguarded === true;
    if (files.mode !== "disarmed" || !decided || !fresh || !guard.held) return false;
    guard.suspend();
    this.#context.do({ kind: "guard-until", until: NEVER });
    arming.close();
    const because = reason("ha.guard-suspended", { node: this.#context.name(self) });
    this.#context.say("guard suspended", because);
    return false;
  }
}
