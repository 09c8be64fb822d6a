/**
 * A host's watchdog device: armed, and not petted for its timeout in the host's own time, it resets
 * the host. It goes on when the daemon is dead or stopped.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import type { Watchdog, WatchdogPort } from "../host/ports.ts";
import type { HostClock } from "./clock.ts";
import type { Life } from "./life.ts";
import { draw } from "./options.ts";
import { Happening, type World } from "./world.ts";

/** The device. See the module's note. */
export class HostWatchdog {
  readonly world: World;
  readonly prng: Prng;
  /** Called when it is petted; `at` is world time. For checkers. */
  onPet: (at: Millis) => void = nothing;
  readonly #clock: HostClock;
  readonly #bite: Happening;
  #timeoutMs: Millis | null = null;
  /** Only the newest opening may pet or disarm. */
  #opening = 0;

  constructor(world: World, parts: { name: string; clock: HostClock; reset: () => void }) {
    this.world = world;
    this.prng = world.prng(`watchdog ${parts.name}`);
    this.#clock = parts.clock;
    this.#bite = new Happening(() => {
      this.#timeoutMs = null;
      parts.reset();
    });
  }

  get armed(): boolean {
    return this.#timeoutMs !== null;
  }

  /** Arms it, or takes over an armed one. */
  arm(timeoutMs: Millis): number {
    this.#timeoutMs = timeoutMs;
    this.#wind();
    return ++this.#opening;
  }

  pet(opening: number): void {
    if (opening !== this.#opening || this.#timeoutMs === null) return;
    this.#wind();
    this.world.note("pet");
    this.onPet(this.world.now);
  }

  disarm(opening: number): void {
    if (opening === this.#opening) this.powerOff();
  }

  powerOff(): void {
    this.#timeoutMs = null;
    this.world.cancel(this.#bite);
  }

  #wind(): void {
    const span = this.#clock.worldSpan(this.#timeoutMs ?? Infinity);
    const late = draw(this.prng, this.world.options.watchdogLateMs);
    this.world.move(this.#bite, this.world.now + span + late);
  }
}

/** The watchdog port of one life of a host's daemon. */
export class SimWatchdog implements WatchdogPort {
  readonly #device: HostWatchdog;
  readonly #life: Life;

  constructor(device: HostWatchdog, life: Life) {
    this.#device = device;
    this.#life = life;
  }

  open(timeoutMs: Millis, done: (watchdog: Watchdog | null) => void): void {
    if (!this.#life.act()) return;
    const { world, prng } = this.#device;
    const { watchdogPresent, watchdogOpenMs } = world.options;
    const watchdog = watchdogPresent ? this.#open(timeoutMs) : null;
    world.after(draw(prng, watchdogOpenMs), () => this.#life.deliver(() => done(watchdog)));
  }

  #open(timeoutMs: Millis): Watchdog {
    const device = this.#device;
    const life = this.#life;
    const opening = device.arm(timeoutMs);
    return {
      identity: "simdog",
      pet() {
        if (life.act()) device.pet(opening);
      },
      disarm() {
        if (life.act()) device.disarm(opening);
      },
    };
  }
}

function nothing(): void {
  // Nobody checks.
}
