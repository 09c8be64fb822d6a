/** How busy a host is: three values that wander slowly. @module */
import type { Prng } from "../base/prng.ts";
import type { LoadPort } from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** The load of one host; it outlives daemons. */
export class HostLoad {
  readonly #step: number;
  readonly #prng: Prng;
  #load: number;
  #memory: number;
  #ioDelay = 0;

  constructor(world: World, name: string) {
    this.#step = world.options.loadStep;
    this.#prng = world.prng(`load ${name}`);
    this.#load = this.#prng.fraction() * world.options.loadStart;
    this.#memory = this.#prng.fraction() * world.options.loadStart;
  }

  /** From here they wander on; fractions. */
  set({ load, memory, ioDelay }: ReturnType<HostLoad["wander"]>): void {
    this.#load = load;
    this.#memory = memory;
    this.#ioDelay = ioDelay;
  }

  /** The next values; fractions. */
  wander(): { readonly load: number; readonly memory: number; readonly ioDelay: number } {
    this.#load = this.#next(this.#load);
    this.#memory = this.#next(this.#memory);
    this.#ioDelay = this.#next(this.#ioDelay);
    return { load: this.#load, memory: this.#memory, ioDelay: this.#ioDelay };
  }

  #next(value: number): number {
    const next = value + (2 * this.#prng.fraction() - 1) * this.#step;
    return Math.min(1, Math.max(0, next));
  }
}

/** The load port of one life. */
export class SimLoad implements LoadPort {
  readonly #world: World;
  readonly #host: HostLoad;
  readonly #life: Life;

  constructor(world: World, host: HostLoad, life: Life) {
    this.#world = world;
    this.#host = host;
    this.#life = life;
  }

  sample(done: Parameters<LoadPort["sample"]>[0]): void {
    if (!this.#life.act()) return;
    const sample = this.#host.wander();
    this.#world.after(0, () => this.#life.deliver(() => done(sample)));
  }
}
