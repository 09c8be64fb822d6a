/**
 * A host's database: what was durable outlives every crash. A commit is atomic, as SQLite's are:
 * one in flight at a crash is drawn to be there wholly or not at all.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type {
  Database,
  DatabaseBatch,
  DatabaseContent,
  DatabaseInstall,
  DatabasePort,
  HistoryAsk,
  HistoryPage,
  HistoryRecord,
  LogBase,
  StoredEntry,
  StoredLocks,
  StoredRequest,
  StoredRow,
  StoredSpec,
} from "../host/ports.ts";
import type { Life } from "./life.ts";
import { draw, drawSlow } from "./options.ts";
import { Happening, type World } from "./world.ts";

type OpenDone = Parameters<DatabasePort["open"]>[0];

/** Transactions that the history keeps; the real one counts bytes. */
export const HISTORY_KEPT = 10_000;
/** Transactions on one page. */
const PAGE_MAX = 100;
const FROM_THE_BEGINNING: LogBase = { index: 0, term: 0, chain: 0 };

/** What lies on the host's own disk. */
export class DatabaseStore {
  readonly world: World;
  readonly prng: Prng;
  #hard = { term: 0, vote: 0, diverged: false };
  #base = FROM_THE_BEGINNING;
  #spec: StoredSpec | null = null;
  #entries: StoredEntry[] = [];
  #applied = { index: 0, term: 0, stateCrc: 0 };
  readonly #rows = new Map<number, StoredRow>();
  readonly #requests = new Map<number, StoredRequest>();
  readonly #locks = new Map<number, StoredLocks>();
  /** In log order. */
  readonly #history = new Map<number, HistoryRecord>();
  #since = 0;
  #damage: string | null = null;
  #failure: string | null = null;

  constructor(world: World, name: string) {
    this.world = world;
    this.prng = world.prng(`database ${name}`);
  }

  /** A new database: what lay there is moved out of the way. Nobody has it open. */
  wipe(): void {
    this.#hard = { term: 0, vote: 0, diverged: false };
    this.#base = FROM_THE_BEGINNING;
    this.#spec = null;
    this.#entries = [];
    this.#applied = { index: 0, term: 0, stateCrc: 0 };
    this.#rows.clear();
    this.#requests.clear();
    this.#history.clear();
    this.#since = 0;
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
      ...this.#hard,
      base: this.#base,
      spec: this.#spec,
      entries: this.#entries.slice(),
      applied: this.#applied,
      rows: [...this.#rows.values()].sort((a, b) => a.ino - b.ino),
      requests: [...this.#requests.values()].sort((a, b) => a.index - b.index),
      locks: [...this.#locks.values()].sort((a, b) => a.key - b.key),
    };
  }

  /** One page of the history. */
  history({ below, from, limit, undo, oldestFirst = false }: HistoryAsk): HistoryPage {
    const all = [...this.#history.values()];
    const asked = all.filter(({ index }) => index > from && index < below);
    if (!oldestFirst) asked.reverse();
    const size = Math.min(limit, PAGE_MAX);
    const records = asked.slice(0, size).map((each) => undo ? each : { ...each, undo: null });
    return {
      records,
      more: asked.length > size,
      since: this.#since,
      oldest: all[0]?.index ?? null,
    };
  }

  /** One transaction, at once and whole. */
  apply(batch: DatabaseBatch): void {
    const { hardState, truncateFrom, entries, applied, compact, install } = batch;
    if (truncateFrom !== undefined) this.#truncate(truncateFrom);
    for (const entry of entries ?? []) this.#put(entry);
    if (hardState !== undefined) this.#hard = hardState;
    if (applied !== undefined) this.#apply(applied);
    if (compact !== undefined) this.#begin(compact.base, compact.spec);
    if (install !== undefined) this.#install(install);
  }

  #apply(applied: NonNullable<DatabaseBatch["applied"]>): void {
    const { index, term, stateCrc, rows, removed, locks = [], history, forget } = applied;
    this.#applied = { index, term, stateCrc };
    for (const ino of removed) this.#rows.delete(ino);
    for (const row of rows) this.#rows.set(row.ino, row);
    for (const each of locks) {
      if (each.body.length > 0) this.#locks.set(each.key, each);
      else this.#locks.delete(each.key);
    }
    for (const each of history) {
      const entry = this.#entries.findLast((stored) => stored.index === each.index);
      assert(entry !== undefined, "What is applied is in the log");
      const { request, problem, why } = each;
      this.#requests.set(each.index, { index: each.index, request, problem, why });
      this.#history.set(each.index, { ...each, body: entry.body });
    }
    for (const at of this.#requests.keys()) {
      if (at > forget) break;
      this.#requests.delete(at);
    }
    for (const at of this.#history.keys()) {
      if (this.#history.size <= HISTORY_KEPT) break;
      this.#history.delete(at);
      this.#since = at;
    }
  }

  #install(install: DatabaseInstall): void {
    const { base, spec, stateCrc, rows, requests, locks, keepLog, keepHistory } = install;
    this.#rows.clear();
    for (const row of rows) this.#rows.set(row.ino, row);
    this.#requests.clear();
    for (const each of requests) this.#requests.set(each.index, each);
    this.#locks.clear();
    for (const each of locks) this.#locks.set(each.key, each);
    if (!keepLog) this.#entries = [];
    if (!keepHistory) this.#history.clear();
    this.#since = base.index;
    this.#applied = { index: base.index, term: base.term, stateCrc };
    this.#begin(base, spec);
  }

  #begin(base: LogBase, spec: StoredSpec | null): void {
    const kept = this.#entries.findIndex(({ index }) => index > base.index);
    this.#entries = kept < 0 ? [] : this.#entries.slice(kept);
    this.#base = base;
    this.#spec = spec;
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

  history(ask: HistoryAsk, done: (page: HistoryPage) => void): void {
    if (this.#closed || !this.#life.act()) return;
    const { world, prng } = this.#store;
    world.after(draw(prng, world.options.databaseCommitMs), () => {
      const page = this.#store.history(ask);
      this.#life.deliver(() => {
        if (!this.#closed) done(page);
      });
    });
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
