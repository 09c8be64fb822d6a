/** Vitals for tests. @module */
import type { Vitals } from "../../mod/streams.ts";

/** Vitals of an idle, armed node, but for what is given. */
export function vitalsOf(given: Partial<Vitals>): Vitals {
  return {
    ...{ load: 0, memory: 0, ioDelay: 0, armed: true },
    ...{ guardMarginMs: 1000, diskLocks: 0, resources: 0 },
    ...given,
  };
}
