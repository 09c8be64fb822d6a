/**
 * The step contract: every decision of pentad is made by a class of this shape.
 *
 * @module
 */
import type { Instant } from "./time.ts";

/**
 * A state machine without I/O. `step` is total, synchronous and deterministic: the same events at
 * the same instants give the same effects, in the daemon and in the simulator.
 *
 * Clauses that every core keeps (each prevents a known failure):
 * 1. `step` never throws for something the world did; only `assert` throws.
 * 2. Effects run in list order, and a `persist` effect is a barrier for what follows it.
 * 3. A crash may fall between any two effects.
 * 4. Every completion comes back as an event that carries the tag of its effect.
 */
export interface Core<Event, Effect> {
  /** Consumes one event; returns, in order, what must now be done about it. */
  step(event: Event, now: Instant): Effect[];
  /** The next instant at which `step` wants a `tick`; `NEVER` for none. */
  deadline(): Instant;
}
