/**
 * A host's database: what was durable outlives every crash. A commit is atomic, as SQLite's are:
 * one in flight at a crash is drawn to be there wholly or not at all.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import type {
  Database,
  DatabaseBatch,
  DatabaseContent,
  DatabasePort,
  StoredEntry,
  StoredHistory,
  StoredRow,
} from "../host/ports.ts";
import type { Life } from "./life.ts";
import { draw, drawSlow } from "./options.ts";
import { Happening, type World } from "./world.ts";

type OpenDone = Parameters<DatabasePort["open"]>[0];

/** What lies on the host's own disk. */
export class DatabaseStore {
  readonly world: World;
  readonly prng: Prng;
  #term = 0;
  #vote = 0;
  #entries: StoredEntry[] = [];
  #applied = { index: 0, term: 0, stateCrc: 0 };
  readonly #rows = new Map<number, StoredRow>();
  readonly #history = new Map<number, StoredHistory>();
  #damage: string | null = null;
  #failure: string | null = null;

  constructor(world: World, name: string) {
    this.world = world;
    this.prng = world.prng(`database ${name}`);
  }

  /** The next open finds damage, for this reason in words. */
  damage(why: string): void {
    this.#damage = why;
  }

  /** Commits fail from now on (a full disk, say); null: they succeed again. */
  failCommits(why: string | null): void {
    this.#failure = why;
  }

  get failure(): string | null {
    return this.#failure;
  }

  /** A copy of everything, or the damage. */
  content(): DatabaseContent | { readonly damaged: string } {
    if (this.#damage !== null) return { damaged: this.#damage };
    return {
      term: this.#term,
      vote: this.#vote,
      entries: this.#entries.slice(),
      applied: this.#applied,
      rows: [...this.#rows.values()].sort((a, b) => a.ino - b.ino),
      history: [...this.#history.values()].sort((a, b) => a.index - b.index),
    };
  }

  /** One transaction, at once and whole. */
  apply(batch: DatabaseBatch): void {
    const { hardState, truncateFrom, entries, applied } = batch;
    if (truncateFrom !== undefined) this.#truncate(truncateFrom);
    for (const entry of entries ?? []) this.#put(entry);
    if (hardState !== undefined) {
      this.#term = hardState.term;
      this.#vote = hardState.vote;
    }
    if (applied === undefined) return;
    this.#applied = { index: applied.index, term: applied.term, stateCrc: applied.stateCrc };
    for (const ino of applied.removed) this.#rows.delete(ino);
    for (const row of applied.rows) this.#rows.set(row.ino, row);
    for (const each of applied.history) this.#history.set(each.index, each);
  }

  #truncate(from: number): void {
    const at = this.#entries.findIndex(({ index }) => index >= from);
    if (at >= 0) this.#entries.length = at;
  }

  /** As a table with the index as its key: an entry of that index is replaced. */
  #put(entry: StoredEntry): void {
    const last = this.#entries.at(-1);
    if (last === undefined || entry.index > last.index) this.#entries.push(entry);
    else {
      const at = this.#entries.findIndex(({ index }) => index >= entry.index);
      const same = this.#entries[at]?.index === entry.index;
      this.#entries.splice(at, same ? 1 : 0, entry);
    }
  }
}

interface Commit {
  readonly batch: DatabaseBatch;
  readonly done: (failure: string | null) => void;
}

/** The database port of one life of a host's daemon. */
export class SimDatabase implements DatabasePort {
  readonly #store: DatabaseStore;
  readonly #life: Life;

  constructor(store: DatabaseStore, life: Life) {
    this.#store = store;
    this.#life = life;
  }

  open(done: OpenDone): Database {
    return new OpenDatabase(this.#store, this.#life, done);
  }
}

class OpenDatabase implements Database {
  readonly #store: DatabaseStore;
  readonly #life: Life;
  readonly #commits: Commit[] = [];
  readonly #durable = new Happening(() => this.#onDurable());
  #closed = false;

  constructor(store: DatabaseStore, life: Life, done: OpenDone) {
    this.#store = store;
    this.#life = life;
    if (!life.act()) return;
    life.onEnd(() => this.#crash());
    store.world.after(
      draw(store.prng, store.world.options.databaseOpenMs),
      () =>
        life.deliver(() => {
          if (!this.#closed) done(store.content());
        }),
    );
  }

  commit(batch: DatabaseBatch, done: (failure: string | null) => void): void {
    if (this.#closed || !this.#life.act()) return;
    this.#commits.push({ batch, done });
    if (this.#commits.length === 1) this.#begin();
  }

  /** What was handed over before is still written; nothing is told any more. */
  close(): void {
    if (this.#closed || !this.#life.alive) return;
    this.#closed = true;
    for (const { batch } of this.#commits.splice(0)) {
      if (this.#store.failure === null) this.#store.apply(batch);
    }
    this.#store.world.cancel(this.#durable);
  }

  #begin(): void {
    const { world, prng } = this.#store;
    const { databaseCommitMs, databaseSlow, databaseSlowMs } = world.options;
    const slow = { chance: databaseSlow, range: databaseSlowMs };
    world.move(this.#durable, world.now + drawSlow(prng, databaseCommitMs, slow));
  }

  #onDurable(): void {
    const commit = this.#commits[0];
    if (commit === undefined) return;
    const { failure } = this.#store;
    if (failure === null) this.#store.apply(commit.batch);
    this.#commits.shift();
    this.#life.deliver(() => {
      // A stopped daemon begins no further commit.
      if (this.#commits.length > 0 && !this.#durable.scheduled) this.#begin();
      if (!this.#closed) commit.done(failure);
    });
  }

  /** Of what was in flight a drawn part is durable, in order: no commit without those before it. */
  #crash(): void {
    const { world, prng, failure } = this.#store;
    world.cancel(this.#durable);
    for (const { batch } of this.#commits.splice(0)) {
      if (failure !== null || !prng.chance(world.options.databaseCrashDurable)) break;
      this.#store.apply(batch);
    }
  }
}
