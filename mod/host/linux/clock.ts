/** CLOCK_BOOTTIME and timers that never fire before their time. @module */
import { ProblemError } from "../../base/problem.ts";
import { after, type Instant, NEVER } from "../../base/time.ts";
import { boottime } from "../ffi/pidfd.ts";
import type { ClockPort, TimerHandle } from "../ports.ts";

/**
 * Longest sleep at a stretch. The runtime's timers stand still while the host is suspended and
 * CLOCK_BOOTTIME does not: a timer is late by at most this after waking up.
 */
const SLEEP_MS_MAX = 1000;

/** The host's clock. Throws a ProblemError (`node.unsupported-host`) where it cannot be read. */
export function linuxClock(): ClockPort {
  try {
    boottime();
  } catch (cause) {
    const why = `CLOCK_BOOTTIME cannot be read through the C library: ${String(cause)}`;
    throw new ProblemError("node.unsupported-host", why, { cause });
  }
  return {
    now: boottime,
    wallSeconds: () => Math.floor(Date.now() / 1000),
    timer: (fire) => new Timer(fire),
  };
}

class Timer implements TimerHandle {
  readonly #fire: () => void;
  #at: Instant = NEVER;
  #sleep: ReturnType<typeof setTimeout> | null = null;
  /** When the sleep ends. */
  #wakeAt: Instant = NEVER;

  constructor(fire: () => void) {
    this.#fire = fire;
  }

  set(at: Instant): void {
    if (at === this.#at) return;
    this.#at = at;
    // A deadline that moves away, as most do with each event, is looked at when the sleep ends.
    if (at < this.#wakeAt || at === NEVER) this.#arm();
  }

  #arm(): void {
    if (this.#sleep !== null) clearTimeout(this.#sleep);
    this.#sleep = null;
    this.#wakeAt = NEVER;
    if (this.#at === NEVER) return;
    const now = boottime();
    const left = Math.min(Math.max(Math.ceil(this.#at - now), 0), SLEEP_MS_MAX);
    this.#wakeAt = after(now, left);
    this.#sleep = setTimeout(() => this.#wake(), left);
  }

  #wake(): void {
    this.#sleep = null;
    this.#wakeAt = NEVER;
    if (boottime() < this.#at) return this.#arm();
    this.#at = NEVER;
    this.#fire();
  }
}
