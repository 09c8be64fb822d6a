/**
 * The database port of one life of a host's daemon: commits take their time, one after the other, and
 * of those under way at a crash a drawn part is there.
 *
 * @module
 */
import type {
  Database,
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseOpened,
  DatabasePort,
  HistoryAsk,
  HistoryPage,
  VerifyDone,
} from "../host/ports.ts";
import { type DatabaseStore, IO_ERROR } from "./database.ts";
import type { Life } from "./life.ts";
import { draw, drawSlow } from "./options.ts";
import { Happening } from "./world.ts";

/** How long a verification takes. */
const VERIFY_MS = 50;

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

  open(done: DatabaseOpened): Database {
    return new OpenDatabase(this.#store, this.#life, () => done(this.#store.content()));
  }

  renew(beginning: DatabaseBeginning, done: DatabaseOpened): Database {
    return new OpenDatabase(this.#store, this.#life, () => done(this.#store.renew(beginning)));
  }
}

class OpenDatabase implements Database {
  readonly #store: DatabaseStore;
  readonly #life: Life;
  readonly #commits: Commit[] = [];
  readonly #durable = new Happening(() => this.#onDurable());
  #closed = false;

  constructor(store: DatabaseStore, life: Life, open: () => void) {
    this.#store = store;
    this.#life = life;
    if (!life.act()) return;
    life.onEnd(() => this.#crash());
    store.world.after(
      draw(store.prng, store.world.options.databaseOpenMs),
      () =>
        life.deliver(() => {
          if (!this.#closed) open();
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

  verify(done: VerifyDone): void {
    if (this.#closed || !this.#life.act()) return;
    const { world } = this.#store;
    world.after(VERIFY_MS, () => {
      const report = this.#store.verify();
      this.#life.deliver(() => {
        if (!this.#closed) done(report);
      });
    });
  }

  /** What was handed over before is still written; nothing is told any more. */
  close(): void {
    if (this.#closed || !this.#life.alive) return;
    this.#closed = true;
    for (const { batch } of this.#commits.splice(0)) {
      if (this.#store.failure() === null) this.#store.apply(batch);
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
    const failure = this.#store.failure();
    // Of what a failed sync had to write nobody knows whether it is there.
    const isThere = failure === null || (failure === IO_ERROR && this.#store.prng.chance(0.5));
    if (isThere) this.#store.apply(commit.batch);
    this.#commits.shift();
    this.#life.deliver(() => {
      // A stopped daemon begins no further commit.
      if (this.#commits.length > 0 && !this.#durable.scheduled) this.#begin();
      if (!this.#closed) commit.done(failure);
    });
  }

  /** Of what was in flight a drawn part is durable, in order: no commit without those before it. */
  #crash(): void {
    const { world, prng } = this.#store;
    world.cancel(this.#durable);
    for (const { batch } of this.#commits.splice(0)) {
      if (this.#store.failure() !== null || !prng.chance(world.options.databaseCrashDurable)) break;
      this.#store.apply(batch);
    }
  }
}
