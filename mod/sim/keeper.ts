/**
 * A host's keeper: it kills everything at the end of the last guard it was told, in the host's own
 * time, whether or not a daemon lives. What was told after the end does not undo it.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import { type Instant, type Millis, NEVER } from "../base/time.ts";
import type { HostClock } from "./clock.ts";
import { draw } from "./options.ts";
import type { HostProcesses } from "./plant.ts";
import { Happening, type World } from "./world.ts";

/** See the module's note. It outlives daemons, but not the host's power. */
export class HostKeeper {
  readonly #world: World;
  readonly #clock: HostClock;
  readonly #processes: HostProcesses;
  readonly #prng: Prng;
  readonly #due = new Happening(() => this.#lapse());
  #guard: Instant | null = null;
  /** The end of this guard was acted upon. */
  #lapsed = false;
  #wanted = 0;
  #killed = 0;
  #sweeping = false;
  /** The host hangs: the keeper, too, does nothing before this world time. */
  #hungUntil = 0;
  /** Changes with each power cut: what was begun before is void. */
  #power = 0;

  constructor(
    world: World,
    parts: { name: string; clock: HostClock; processes: HostProcesses },
  ) {
    this.#world = world;
    this.#clock = parts.clock;
    this.#processes = parts.processes;
    this.#prng = world.prng(`keeper ${parts.name}`);
  }

  /** The last guard that it was told; null before a first. */
  get guard(): Instant | null {
    return this.#guard;
  }

  /** True while resources may run. */
  get held(): boolean {
    return this.#guard !== null && this.#clock.now() < this.#guard &&
      this.#wanted === this.#killed;
  }

  /** The daemon: the guard is held until `until`. */
  tell(until: Instant): void {
    const now = this.#clock.now();
    const late = this.#guard !== null && now >= this.#guard;
    if (late && !this.#lapsed) this.#wanted++;
    this.#lapsed = late && until <= now;
    this.#guard = until;
    if (this.#lapsed || until === NEVER) this.#world.cancel(this.#due);
    else {
      const end = Math.max(this.#world.now, this.#clock.worldTime(until));
      this.#world.move(this.#due, end + draw(this.#prng, this.#world.options.keeperLateMs));
    }
    this.#sweep();
  }

  /** Something was started: it must not outlive a kill that it slipped by. */
  started(): void {
    if (this.held) return;
    this.#wanted++;
    this.#sweep();
  }

  /** Kills everything; `done` when all is gone. */
  killAll(done: () => void): void {
    this.#wanted++;
    this.#sweep();
    const power = this.#power;
    this.#processes.killAll(() => {
      if (power === this.#power) done();
    });
  }

  /** It hangs for so long, like everything else on its host but the resources. */
  hang(ms: Millis): void {
    this.#hungUntil = Math.max(this.#hungUntil, this.#world.now + ms);
  }

  powerOff(): void {
    this.#hungUntil = 0;
    this.#world.cancel(this.#due);
    this.#guard = null;
    this.#lapsed = false;
    this.#killed = this.#wanted;
    this.#sweeping = false;
    this.#power++;
  }

  #lapse(): void {
    if (this.#world.now < this.#hungUntil) {
      return this.#world.move(this.#due, this.#hungUntil);
    }
    this.#lapsed = true;
    this.#wanted++;
    this.#sweep();
  }

  #sweep(): void {
    if (this.#sweeping || this.#wanted === this.#killed) return;
    this.#sweeping = true;
    const wanted = this.#wanted;
    const power = this.#power;
    this.#processes.killAll(() => {
      if (power !== this.#power) return;
      this.#sweeping = false;
      this.#killed = wanted;
      this.#sweep();
    });
  }
}
