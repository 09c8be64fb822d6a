/**
 * A host's database: what was durable outlives every crash. A commit is atomic, as SQLite's are:
 * one in flight at a crash is drawn to be there wholly or not at all.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { VerifyReport } from "../base/verify_report.ts";
import type { Prng } from "../base/prng.ts";
import type {
  DamageKind,
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  DatabaseInstall,
  HistoryAsk,
  HistoryPage,
  HistoryRecord,
  LogBase,
  SealedSpec,
  StoredEntry,
  StoredLocks,
  StoredRecovery,
  StoredRequest,
  StoredRow,
  StoredSpec,
} from "../host/ports.ts";
import { BadPlaces, type Lie } from "./bad_places.ts";
import type { World } from "./world.ts";

/** Transactions that the history keeps; the real one counts bytes. */
export const HISTORY_KEPT = 10_000;
/** SQLite's words for EIO. */
export const IO_ERROR = "disk I/O error";
/** Transactions on one page. */
const PAGE_MAX = 100;
const FROM_THE_BEGINNING: LogBase = { index: 0, term: 0, chain: 0 };

const NOTHING: DatabaseContent = {
  ...{ term: 0, vote: 0, diverged: false, base: FROM_THE_BEGINNING, spec: null, entries: [] },
  ...{ applied: { index: 0, term: 0, stateCrc: 0 }, rows: [], requests: [], locks: [] },
  ...{ recovery: null, sealed: null },
};

/** How a database is damaged. */
interface DamageAsk {
  readonly kind?: DamageKind;
  readonly seal?: boolean;
}

interface Seal {
  readonly term: number;
  readonly vote: number;
  readonly known: boolean;
  readonly nonce: number;
  readonly applied: number;
  readonly last: number;
  readonly sealed: SealedSpec | null;
}

/** What lies on the host's own disk. */
export class DatabaseStore {
  readonly world: World;
  readonly prng: Prng;
  #hard = { term: 0, vote: 0, diverged: false };
  #base = FROM_THE_BEGINNING;
  #spec: StoredSpec | null = null;
  #entries: StoredEntry[] = [];
  #applied = { index: 0, term: 0, stateCrc: 0 };
  #rows = new Map<number, StoredRow>();
  #requests = new Map<number, StoredRequest>();
  #locks = new Map<number, StoredLocks>();
  /** In log order. */
  #history = new Map<number, HistoryRecord>();
  #since = 0;
  #recovery: StoredRecovery | null = null;
  #damage: Pick<DatabaseDamage, "damaged" | "kind"> | null = null;
  readonly #bad: BadPlaces;
  #failure: { readonly why: string; readonly kind: DamageKind } | null = null;
  #failsOnce = false;
  /** The seal: exact, as the real one is. */
  #seal: Seal | null = null;
  #lost = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.prng = world.prng(`database ${name}`);
    this.#bad = new BadPlaces(world.prng(`lies ${name}`));
  }

  /** Openings find damage from now on, for this reason in words; `seal`: it is damaged too. */
  damage(why: string, { kind = "damaged", seal = false }: DamageAsk = {}): void {
    this.#damage = { damaged: why, kind };
    if (seal) this.#seal = null;
  }

  /** The disk says of one of the next commits that it is done, and does something else. */
  lie(lie: Lie): void {
    this.#bad.arm(lie);
  }

  /**
   * A file of the tree is another one, with checksums that are right: what a bug would leave. False
   * where there is no file.
   */
  drift(): boolean {
    const row = [...this.#rows.values()].findLast(({ kind }) => kind === "file");
    if (row === undefined) return false;
    this.#rows.set(row.ino, { ...row, data: new TextEncoder().encode("not what was written") });
    return true;
  }

  /** Everything read back. */
  verify(): VerifyReport {
    const found = this.#damage;
    const damaged = found === null ? [] : [{ part: "tree", at: null, why: found.damaged } as const];
    const rows = {
      ...{ log: this.#entries.length, tree: this.#rows.size, locks: this.#locks.size },
      ...{ requests: this.#requests.size, history: this.#history.size },
    };
    return { rows, applied: this.#applied.index, damaged, count: damaged.length };
  }

  /** It is not damaged, nor about to be, and has got back all that it lost. */
  get isWhole(): boolean {
    return this.#damage === null && this.#recovery === null && this.#bad.isEmpty &&
      this.#failure?.kind !== "damaged";
  }

  /** Databases that were put aside. */
  get lost(): number {
    return this.#lost;
  }

  /** A copy of the database as it is now; calling it puts that back. The seal is not in it. */
  copy(): () => void {
    const { content } = this.#tables();
    const history = new Map(this.#history);
    const since = this.#since;
    return () => {
      this.#take(content);
      this.#history = new Map(history);
      this.#since = since;
      // Where nothing happened in between there is nothing to notice.
      const { term, vote, applied, last, nonce } = this.#state();
      const seal = this.#seal;
      const same = seal === null || seal.nonce === nonce && seal.term === term &&
          seal.vote === vote && seal.applied <= applied && seal.last <= last;
      if (!same) this.#damage ??= { damaged: "it is older than its seal", kind: "older" };
    };
  }

  /** Becomes a copy of another, seal and all. */
  take(other: DatabaseStore): void {
    this.#take(other.#tables().content);
    this.#history = new Map(other.#history);
    this.#since = other.#since;
    this.#seal = other.#seal;
  }

  /** A new database: what lay there is moved out of the way. Nobody has it open. */
  wipe(): void {
    this.#take(NOTHING);
    this.#history.clear();
    this.#since = 0;
    this.#seal = null;
    this.#damage = null;
    this.#bad.clear();
  }

  /** Puts aside what is there and begins anew. */
  renew({ term, vote, sealed, recovery }: DatabaseBeginning): DatabaseContent | DatabaseDamage {
    if (this.#failure !== null) {
      const rescued = { term, vote, known: recovery.known, sealed };
      return { damaged: this.#failure.why, kind: "unwritable", rescued };
    }
    this.#lost++;
    this.#take({ ...NOTHING, term, vote, recovery });
    this.#history.clear();
    this.#since = 0;
    this.#damage = null;
    this.#bad.clear();
    this.#seal = { ...this.#state(), sealed };
    return this.content();
  }

  #take(content: DatabaseContent): void {
    const { term, vote, diverged, base, spec, entries, applied, rows, requests, locks } = content;
    this.#hard = { term, vote, diverged };
    this.#base = base;
    this.#spec = spec;
    this.#entries = [...entries];
    this.#applied = applied;
    this.#rows = new Map(rows.map((row) => [row.ino, row]));
    this.#requests = new Map(requests.map((each) => [each.index, each]));
    this.#locks = new Map(locks.map((each) => [each.key, each]));
    this.#recovery = content.recovery;
  }

  #state(): Omit<Seal, "sealed"> {
    const { term, vote } = this.#hard;
    const last = this.#entries.at(-1)?.index ?? this.#base.index;
    const { nonce = 0, known = true } = this.#recovery ?? {};
    return { term, vote, known, nonce, applied: this.#applied.index, last };
  }

  /**
   * Commits fail from now on; null: they succeed again. `kind` is what an opening makes of it: a full
   * disk is no damage, a device with errors is.
   */
  failCommits(why: string | null, kind: DamageKind = "unwritable"): void {
    this.#failure = why === null ? null : { why, kind };
  }

  /** The next commit fails, and the one after it would not. */
  failOnce(): void {
    this.#failsOnce = true;
  }

  /** How the commit under way fails, or null. What it wrote may be there all the same. */
  failure(): string | null {
    const once = this.#failsOnce ? IO_ERROR : null;
    this.#failsOnce = false;
    return this.#failure?.why ?? once;
  }

  /** A copy of everything, or the damage. */
  content(): DatabaseContent | DatabaseDamage {
    const last = this.#entries.at(-1)?.index ?? this.#base.index;
    const found = this.#bad.found(last);
    if (found !== null) this.#damage ??= { damaged: found, kind: "damaged" };
    if (this.#damage === null && this.#failure === null) return this.#tables().content;
    const { term = 0, vote = 0, known = false, sealed = null } = this.#seal ?? {};
    const rescued = { term, vote, known, sealed };
    // Each opening is counted, so one that cannot be written is none.
    if (this.#failure !== null) {
      return { damaged: this.#failure.why, kind: this.#failure.kind, rescued };
    }
    return { damaged: "", kind: "damaged", ...this.#damage, rescued };
  }

  #tables(): { readonly content: DatabaseContent } {
    const content = {
      ...this.#hard,
      base: this.#base,
      spec: this.#spec,
      entries: this.#entries.slice(),
      applied: this.#applied,
      rows: [...this.#rows.values()].sort((a, b) => a.ino - b.ino),
      requests: [...this.#requests.values()].sort((a, b) => a.index - b.index),
      locks: [...this.#locks.values()].sort((a, b) => a.key - b.key),
      recovery: this.#recovery,
      sealed: this.#seal?.sealed ?? null,
    };
    return { content };
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
    const { recovery, sealed } = batch;
    this.#bad.note(batch, { entries: this.#entries, rows: this.#rows });
    if (truncateFrom !== undefined) this.#truncate(truncateFrom);
    for (const entry of entries ?? []) this.#put(entry);
    if (hardState !== undefined) this.#hard = hardState;
    if (applied !== undefined) this.#apply(applied);
    if (compact !== undefined) this.#begin(compact.base, compact.spec);
    if (install !== undefined) this.#install(install);
    if (recovery !== undefined) this.#recovery = recovery;
    this.#seal = { ...this.#state(), sealed: sealed ?? this.#seal?.sealed ?? null };
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
    // What lay there and was damaged is replaced.
    this.#damage = null;
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
