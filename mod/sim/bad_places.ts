/**
 * What a disk that lies leaves in a database: places that hold something else than was written there,
 * while all that was written was acknowledged. Nobody sees it while the daemon lives, which has all of
 * it in memory; whoever reads finds it. A checksum names its row and a log has no gaps, so what came to
 * another's place and what is missing in the log is found there; an older row in its own place is
 * found by the content hash, which is kept beside the applied index.
 *
 * A lie about the very end of the log is none: no software could tell it from an entry that never
 * came. So it is one only when something later was written behind it.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import type { DatabaseBatch, StoredEntry } from "../host/ports.ts";

/** `dropped`: nothing was written. `misdirected`: one row was, in another's place. */
export type Lie = "dropped" | "misdirected";

/** What lies there before the batch. */
export interface Places {
  readonly entries: readonly StoredEntry[];
  readonly rows: ReadonlyMap<number, unknown>;
}

/** See the module's note. */
export class BadPlaces {
  readonly #prng: Prng;
  readonly #entries = new Set<number>();
  readonly #rows = new Set<number>();
  #armed: Lie | null = null;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** Nothing is wrong, nor about to be. */
  get isEmpty(): boolean {
    return this.#armed === null && this.#entries.size === 0 && this.#rows.size === 0;
  }

  /** The next batch that can be lied about will be. */
  arm(lie: Lie): void {
    this.#armed = lie;
  }

  clear(): void {
    this.#armed = null;
    this.#entries.clear();
    this.#rows.clear();
  }

  /** What a reader finds, in words; `last` is where the log ends. */
  found(last: number): string | null {
    for (const index of this.#entries) {
      if (index < last) return `log entry ${index} is missing`;
    }
    for (const ino of this.#rows) return `tree row ${ino} is not what was written`;
    this.#entries.clear();
    return null;
  }

  /** A batch is acknowledged. */
  note(batch: DatabaseBatch, places: Places): void {
    this.#mend(batch);
    // An older end of the log under a newer one would be as whole as any.
    const plain = batch.truncateFrom === undefined && batch.install === undefined;
    const entries = (batch.entries ?? []).map(({ index }) => index);
    const rows = (batch.applied?.rows ?? []).map(({ ino }) => ino);
    if (this.#armed === null || !plain || entries.length + rows.length === 0) return;
    if (this.#armed === "dropped") this.#drop(entries, [...rows, ...batch.applied?.removed ?? []]);
    else if (!this.#misdirect({ entries, rows }, places)) return;
    this.#armed = null;
  }

  #drop(entries: readonly number[], rows: readonly number[]): void {
    for (const index of entries) this.#entries.add(index);
    for (const ino of rows) this.#rows.add(ino);
  }

  /** False where there is no other's place. */
  #misdirect(
    written: { readonly entries: readonly number[]; readonly rows: readonly number[] },
    places: Places,
  ): boolean {
    const { entries, rows } = written;
    const others = [...places.rows.keys()].filter((ino) => !rows.includes(ino));
    const ino = this.#prng.pick(rows);
    const victim = this.#prng.pick(others);
    if (ino !== undefined && victim !== undefined) {
      this.#drop([], [ino, victim]);
      return true;
    }
    const index = this.#prng.pick(entries);
    const other = this.#prng.pick(places.entries)?.index;
    if (index === undefined || other === undefined || entries.includes(other)) return false;
    this.#drop([index, other], []);
    return true;
  }

  /** What is written anew is right again, and what is gone is not wrong. */
  #mend({ entries, truncateFrom, applied, compact, install }: DatabaseBatch): void {
    if (this.#entries.size + this.#rows.size === 0) return;
    for (const { index } of entries ?? []) this.#entries.delete(index);
    for (const { ino } of applied?.rows ?? []) this.#rows.delete(ino);
    const base = install?.base.index ?? compact?.base.index ?? 0;
    for (const index of [...this.#entries]) {
      if (index <= base || index >= (truncateFrom ?? Infinity)) this.#entries.delete(index);
    }
    if (install === undefined) return;
    this.#rows.clear();
    if (!install.keepLog) this.#entries.clear();
  }
}
