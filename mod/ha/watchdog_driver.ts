/** The watchdog ↔ events of stream 3: open, pet, disarm, and nothing else. @module */
import type { Watchdog, WatchdogPort } from "../host/ports.ts";
import type { HaEffect, HaEvent } from "./events.ts";

export type WatchdogEffect = Extract<
  HaEffect,
  { readonly kind: "watchdog-open" | "watchdog-pet" | "watchdog-disarm" }
>;

/** One per node. */
export class WatchdogDriver {
  readonly #port: WatchdogPort;
  readonly #feed: (event: HaEvent) => void;
  #open: Watchdog | null = null;

  constructor(port: WatchdogPort, feed: (event: HaEvent) => void) {
    this.#port = port;
    this.#feed = feed;
  }

  perform(effect: WatchdogEffect): void {
    switch (effect.kind) {
      case "watchdog-open":
        return this.#port.open(effect.timeoutMs, (watchdog) => {
          this.#open = watchdog;
          this.#feed({ kind: "watchdog", identity: watchdog?.identity ?? null });
        });
      case "watchdog-pet":
        return this.#open?.pet();
      case "watchdog-disarm":
        this.#open?.disarm();
        this.#open = null;
        return;
    }
  }
}
