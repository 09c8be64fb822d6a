/**
 * The watchdog port through the keeper: the honest stand-in where a host has no watchdog device. It
 * kills the resources and the daemon, but it cannot reset a host whose kernel hangs.
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import { boottime } from "../ffi/pidfd.ts";
import type { Watchdog, WatchdogPort } from "../ports.ts";
import type { Keeper } from "./keeper.ts";
import type { KeeperAsk } from "./keeper_wire.ts";
import { readStat } from "./proc.ts";

/** The process watchdog. One at a time is armed. */
export class ProcessWatchdogPort implements WatchdogPort {
  readonly #keeper: Keeper;
  #armed: { readonly timeoutMs: Millis } | null = null;

  constructor(keeper: Keeper) {
    this.#keeper = keeper;
    // A keeper that replaces a lost one must bite as well; what the lost one had left is unknown.
    keeper.onConnect(() => this.#armed === null ? [] : [this.#arming(this.#armed.timeoutMs)]);
  }

  open(timeoutMs: Millis, done: (watchdog: Watchdog | null) => void): void {
    this.#keeper.ask(this.#arming(timeoutMs)).then((why) => {
      if (why !== null) return done(null);
      const armed = { timeoutMs };
      this.#armed = armed;
      done({
        identity: "process watchdog",
        pet: () => {
          if (this.#armed === armed) this.#keeper.tell({ verb: "pet", sentAt: boottime() });
        },
        disarm: () => {
          if (this.#armed !== armed) return;
          this.#armed = null;
          this.#keeper.tell({ verb: "disarm" });
        },
      });
    });
  }

  #arming(timeoutMs: Millis): KeeperAsk {
    const start = readStat(Deno.pid)?.start ?? 0;
    const daemon = { pid: Deno.pid, start };
    return { verb: "arm", timeoutMs: Math.floor(timeoutMs), sentAt: boottime(), daemon };
  }
}
