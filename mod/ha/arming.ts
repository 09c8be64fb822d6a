/**
 * The watchdog as the guard wants it: armed before anything may run, petted only while the guard is
 * held, and disarmed only when nothing runs.
 *
 * @module
 */
import { after, type Instant, NEVER } from "../base/time.ts";
import type { HaContext } from "./context.ts";
import type { Report } from "./wire.ts";

/** See the module's note. */
export class Arming {
  readonly #context: HaContext;
  #state: "closed" | "opening" | "armed" | "none" = "closed";
  #petAt: Instant = NEVER;
  /** Nothing runs: disarm as soon as it has opened. */
  #unwanted = false;
  identity: string | null = null;

  constructor(context: HaContext) {
    this.#context = context;
  }

  get armed(): boolean {
    return this.#state === "armed";
  }

  /** The attempt to open it has ended, one way or the other. */
  get known(): boolean {
    return this.#state === "armed" || this.#state === "none";
  }

  get report(): Report["watchdog"] {
    return this.#state === "closed" ? "opening" : this.#state;
  }

  /** A tenure begins. */
  open(): void {
    this.#unwanted = false;
    if (this.#state === "opening" || this.#state === "armed") return;
    this.#state = "opening";
    this.#context.do({ kind: "watchdog-open", timeoutMs: this.#context.timing.watchdogMs });
  }

  onOpened(identity: string | null): void {
    this.identity = identity;
    this.#state = identity === null ? "none" : "armed";
    this.#petAt = this.#context.now;
    if (this.#unwanted) this.close();
  }

  /** Nothing runs here: the host need not be reset. */
  close(): void {
    this.#unwanted = true;
    if (this.#state === "armed") this.#context.do({ kind: "watchdog-disarm" });
    if (this.#state !== "opening") this.#state = "closed";
    this.#petAt = NEVER;
  }

  /** At the end of a turn in which the cores ran. */
  pet(held: boolean): void {
    const { now, timing } = this.#context;
    if (!held || this.#state !== "armed" || now < this.#petAt) return;
    this.#petAt = after(now, timing.petMs);
    this.#context.do({ kind: "watchdog-pet" });
  }

  deadline(held: boolean): Instant {
    return held && this.#state === "armed" ? this.#petAt : NEVER;
  }
}
