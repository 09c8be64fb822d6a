/** A disk with promises, for tests. @module */
import assert from "node:assert/strict";
import type {
  Disk,
  DiskFailure,
  DiskReport,
  ReservationCommand,
  ReservationState,
} from "../../mod/host/ports.ts";

export const BLOCK = 4096;
/** Resolves as its argument does. A simulator runs its events until then. */
export type Settle = <T>(answer: Promise<T>) => Promise<T>;

export type Outcome = "ok" | DiskFailure["failure"];

/** A disk with promises instead of callbacks, in which every call must end exactly once. */
export class Hand {
  readonly #settle: Settle;
  readonly disk: Disk;

  constructor(settle: Settle, disk: Disk) {
    this.#settle = settle;
    this.disk = disk;
  }

  async read(block: number, count = 1): Promise<Uint8Array | DiskFailure> {
    return await answer<Uint8Array | DiskFailure>(
      this.#settle,
      (done) => this.disk.read(block * BLOCK, count * BLOCK, done),
    );
  }

  write(block: number, byte: number, count = 1): Promise<Outcome> {
    const bytes = new Uint8Array(count * BLOCK).fill(byte);
    return this.#plain((done) => this.disk.write(block * BLOCK, bytes, done));
  }

  writeAt(offset: number, length: number): Promise<Outcome> {
    return this.#plain((done) => this.disk.write(offset, new Uint8Array(length), done));
  }

  /** The port offers it, or this suite would pass over a disk that lost it. */
  exchange(block: number, expect: number, byte: number): Promise<Outcome> {
    const ask = {
      offset: block * BLOCK,
      expect: new Uint8Array(BLOCK).fill(expect),
      bytes: new Uint8Array(BLOCK).fill(byte),
    };
    return this.#plain((done) => {
      assert.ok(this.disk.compareAndWrite !== undefined);
      this.disk.compareAndWrite(ask, done);
    });
  }

  register(key: string): Promise<Outcome> {
    return this.#plain((done) => this.disk.register(key, done));
  }

  unregister(key: string): Promise<Outcome> {
    return this.#plain((done) => this.disk.unregister(key, done));
  }

  reserve(key: string, type: 5 | 6 = 5): Promise<Outcome> {
    return this.#plain((done) => this.disk.reserve(key, type, done));
  }

  preempt(key: string, victim: string, type: 5 | 6 = 5): Promise<Outcome> {
    return this.#plain((done) => this.disk.preempt({ key, victim, type }, done));
  }

  command(command: ReservationCommand): Promise<Outcome> {
    return this.#plain((done) => this.disk.command(command, done));
  }

  /** The failure itself; null for success. */
  ask(command: ReservationCommand): Promise<DiskFailure | null> {
    return answer(this.#settle, (done) => this.disk.command(command, done));
  }

  tryWrite(): Promise<Outcome> {
    return this.#plain((done) => this.disk.tryWrite(done));
  }

  async inspect(): Promise<DiskReport> {
    const report = await answer<DiskReport | DiskFailure>(
      this.#settle,
      (done) => this.disk.inspect(done),
    );
    assert.ok("state" in report, "it can be inspected");
    return report;
  }

  async state(): Promise<ReservationState> {
    const state = await answer<ReservationState | DiskFailure>(
      this.#settle,
      (done) => this.disk.readReservations(done),
    );
    assert.ok("keys" in state, "reservations can be read");
    return state;
  }

  async keys(): Promise<string[]> {
    return [...(await this.state()).keys].sort();
  }

  async #plain(start: (done: (failure: DiskFailure | null) => void) => void): Promise<Outcome> {
    const failure = await answer<DiskFailure | null>(this.#settle, start);
    return failure?.failure ?? "ok";
  }
}

export function answer<T>(settle: Settle, start: (done: (value: T) => void) => void): Promise<T> {
  let ends = 0;
  return settle(
    new Promise<T>((resolve, reject) =>
      start((value) => {
        ends += 1;
        if (ends === 1) resolve(value);
        else reject(new Error("A call ended twice"));
      })
    ),
  );
}
