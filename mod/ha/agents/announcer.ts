/**
 * Who has an address is told several times at once, for frames get lost; again soon, for a switch may
 * not forward yet; and slowly as long as it is owned, for after a healed split nobody else corrects
 * what neighbours learned from the loser.
 *
 * @module
 */
import type { ResourceId } from "../../base/id.ts";
import { after, type Millis, NEVER } from "../../base/time.ts";
import type { AddressPort, AddressSpec, ClockPort, TimerHandle } from "../../host/ports.ts";

/** Rounds right after the start, and from each to the next. */
const SOON_MS: readonly Millis[] = [1000, 1000, 3000];
const SLOWLY_MS: Millis = 60_000;
/** Frames of each form in the first round, and in later ones. */
const FIRST_TIMES = 5;
const LATER_TIMES = 2;

interface Course {
  readonly spec: AddressSpec;
  readonly timer: TimerHandle;
  /** Rounds that are over. */
  rounds: number;
}

/** See the module's note. */
export class Announcer {
  readonly #addresses: AddressPort;
  readonly #clock: ClockPort;
  readonly #courses = new Map<ResourceId, Course>();

  constructor(addresses: AddressPort, clock: ClockPort) {
    this.#addresses = addresses;
    this.#clock = clock;
  }

  /** It was just taken, or (`adopted`) has been ours for long. */
  begin(id: ResourceId, spec: AddressSpec, adopted: boolean): void {
    if (this.#courses.has(id)) return;
    const timer = this.#clock.timer(() => this.#round(id));
    const course = { spec, timer, rounds: adopted ? SOON_MS.length : 0 };
    this.#courses.set(id, course);
    this.#round(id);
  }

  end(id: ResourceId): void {
    this.#courses.get(id)?.timer.set(NEVER);
    this.#courses.delete(id);
  }

  endAll(): void {
    for (const id of [...this.#courses.keys()]) this.end(id);
  }

  #round(id: ResourceId): void {
    const course = this.#courses.get(id);
    if (course === undefined) return;
    // The keeper may have taken it away while this process did not run.
    if (this.#addresses.look(course.spec) !== true) return this.end(id);
    const { rounds, spec, timer } = course;
    this.#addresses.announce(spec, rounds === 0 ? FIRST_TIMES : LATER_TIMES);
    course.rounds++;
    timer.set(after(this.#clock.now(), SOON_MS[rounds] ?? SLOWLY_MS));
  }
}
