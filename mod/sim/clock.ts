/**
 * A host's own time: it began at another number than its neighbours' and runs at a slightly other
 * rate. Timers fire late by a drawn time, never early.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import { type Instant, instant, NEVER } from "../base/time.ts";
import type { ClockPort, TimerHandle } from "../host/ports.ts";
import type { Life } from "./life.ts";
import { draw } from "./options.ts";
import { Happening, type World } from "./world.ts";

/** Seconds since 1970 at the world's beginning. */
const WALL_START_SECONDS = 1_750_000_000;
/** Far above the rounding error of a host's time, far below anything that matters. */
const ROUNDING_MS = 1e-6;

/** A host's clock. It outlives daemons; {@link restart} is a reboot. */
export class HostClock {
  /** Host milliseconds per world millisecond. */
  readonly rate: number;
  readonly #world: World;
  readonly #prng: Prng;
  readonly #wallSkew: number;
  #offset = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#prng = world.prng(`clock ${name}`);
    const { clockRate, wallSkewSeconds } = world.options;
    this.rate = 1 + draw(this.#prng, [-clockRate, clockRate]);
    this.#wallSkew = draw(this.#prng, wallSkewSeconds);
    this.restart();
  }

  /** CLOCK_BOOTTIME begins anew. */
  restart(): void {
    this.#offset = draw(this.#prng, this.#world.options.clockStartMs) -
      this.rate * this.#world.now;
  }

  now(): Instant {
    return instant(this.#offset + this.rate * this.#world.now);
  }

  wallSeconds(): number {
    return Math.floor(WALL_START_SECONDS + this.#wallSkew + this.#world.now / 1000);
  }

  /** The world time from which on {@link now} is at least `at`. */
  worldTime(at: Instant): number {
    if (at === -Infinity) return this.#world.now;
    return at === NEVER ? Infinity : (at - this.#offset) / this.rate + ROUNDING_MS;
  }

  /** A world duration as this host measures `ms`. */
  worldSpan(ms: number): number {
    return ms / this.rate;
  }
}

/** The clock as a daemon of this host sees it. */
export class SimClock implements ClockPort {
  readonly #world: World;
  readonly #host: HostClock;
  readonly #life: Life;
  readonly #prng: Prng;

  constructor(world: World, parts: { host: HostClock; life: Life; prng: Prng }) {
    this.#world = world;
    this.#host = parts.host;
    this.#life = parts.life;
    this.#prng = parts.prng;
  }

  now(): Instant {
    return this.#host.now();
  }

  wallSeconds(): number {
    return this.#host.wallSeconds();
  }

  timer(fire: () => void): TimerHandle {
    const late = () => draw(this.#prng, this.#world.options.timerLateMs);
    return new SimTimer(this.#world, { host: this.#host, life: this.#life, late }, fire);
  }
}

class SimTimer implements TimerHandle {
  readonly #world: World;
  readonly #parts: { readonly host: HostClock; readonly life: Life; readonly late: () => number };
  readonly #fire: () => void;
  readonly #wake = new Happening(() => this.#parts.life.deliver(this.#deliver));
  readonly #deliver = () => this.#ring();
  #at: Instant = NEVER;

  constructor(
    world: World,
    parts: { host: HostClock; life: Life; late: () => number },
    fire: () => void,
  ) {
    this.#world = world;
    this.#parts = parts;
    this.#fire = fire;
  }

  set(at: Instant): void {
    if (at === this.#at || !this.#parts.life.alive) return;
    this.#at = at;
    if (at === NEVER) return this.#world.cancel(this.#wake);
    const { host, late } = this.#parts;
    this.#world.move(this.#wake, Math.max(host.worldTime(at), this.#world.now) + late());
  }

  #ring(): void {
    // While the daemon stood still, an earlier event may have set it to a later time or off.
    if (this.#parts.host.now() < this.#at || this.#wake.scheduled) return;
    this.#at = NEVER;
    this.#fire();
  }
}
