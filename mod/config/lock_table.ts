/**
 * Who has locked which bytes of which inode, in the whole cluster: flock(2) and fcntl(2). A part of
 * the state that the log drives: a command is granted or refused at its index, the same everywhere.
 *
 * Owners live and die with a *life* of their node, from one mount to the next. A life follows the one
 * that its author saw in the table, so commands of an older one that come late are void; and its
 * entries are numbered, so one that comes twice is applied once.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { StoredLocks } from "../host/ports.ts";
import { overlaps, withCommand } from "./lock_ranges.ts";
import {
  decodeLives,
  decodeLocks,
  encodeLives,
  encodeLocks,
  type Life,
  type Lock,
  type LockCommand,
  LOCKS_PER_FILE_MAX,
  LOCKS_PER_NODE_MAX,
  type LocksEntry,
  NO_LIFE,
  OFFSET_MAX,
} from "./lock_wire.ts";

/** Key of the lives among the stored locks; no inode has it. */
const LIVES_KEY = 0;

/** `full`: a bound is reached (ENOLCK). */
export type LockResult = "done" | "conflict" | "full";

/** What became of one command. */
export interface CommandOutcome {
  readonly result: LockResult;
  /** What its owner had on that inode before it. */
  readonly before: readonly Lock[];
}

/** What an entry did to the table. */
export interface LockStep {
  /** One for each command; null where the entry was applied before, or is void. */
  readonly outcomes: readonly CommandOutcome[] | null;
  /** As it is to be stored. */
  readonly changed: readonly StoredLocks[];
  /** Inodes of which something was given back. */
  readonly freed: ReadonlySet<number>;
}

/** Whose locks are meant. */
export interface Owner {
  readonly node: number;
  readonly type: Lock["type"];
  readonly owner: bigint;
}

const NOTHING: LockStep = { outcomes: null, changed: [], freed: new Set() };

/** See the module's note. */
export class LockTable {
  readonly #locks = new Map<number, readonly Lock[]>();
  readonly #lives = new Map<number, Life>();
  /** Locks of each node. */
  readonly #counts = new Map<number, number>();
  #touched = new Set<number>();
  #freed = new Set<number>();

  /** Asserts that these are locks: the database's CRC and {@link storedFault} have been there. */
  constructor(stored: readonly StoredLocks[] = []) {
    for (const { key, body } of stored) {
      if (key === LIVES_KEY) {
        for (const life of decodeLives(body) ?? []) this.#lives.set(life.node, life);
        continue;
      }
      const locks = decodeLocks(body);
      assert(locks !== null, "Stored locks are locks");
      this.#put(key, locks);
    }
  }

  /** All locks of an inode, in the order in which they came to be. */
  locks(ino: number): readonly Lock[] {
    return this.#locks.get(ino) ?? [];
  }

  /** The life of a node that the table knows; or undefined. */
  life(node: number): Life | undefined {
    return this.#lives.get(node);
  }

  /** How many locks a node has. */
  count(node: number): number {
    return this.#counts.get(node) ?? 0;
  }

  /** What an owner has on an inode. */
  held(ino: number, owner: Owner): readonly Lock[] {
    return this.locks(ino).filter((lock) => isOf(lock, owner));
  }

  /** The first lock of somebody else that forbids a command of this node; null where none does. */
  conflict(node: number, command: LockCommand): Lock | null {
    if (command.kind === "unlock") return null;
    const { type, owner, kind } = command;
    const own = { node, type, owner };
    return this.locks(command.ino).find((lock) =>
      lock.type === type && !isOf(lock, own) && overlaps(lock, command) &&
      (lock.kind === "write" || kind === "write")
    ) ?? null;
  }

  /** Applies what a node's life wants. */
  run({ node, life, before, seq, commands }: LocksEntry): LockStep {
    const known = this.#lives.get(node);
    const begins = known?.life !== life;
    if (begins ? (known?.life ?? NO_LIFE) !== before : known.gone || seq <= known.seq) {
      return NOTHING;
    }
    this.#begin();
    if (begins) this.#releaseNode(node);
    this.#lives.set(node, { node, life, seq, gone: false });
    this.#touched.add(LIVES_KEY);
    const outcomes = commands.map((command) => this.#perform(node, command));
    return this.#end(outcomes);
  }

  /** That life of a node is over: what it has is given back. */
  release(node: number, life: string): LockStep {
    const known = this.#lives.get(node);
    if (known === undefined || known.life !== life || known.gone) return NOTHING;
    this.#begin();
    this.#releaseNode(node);
    this.#lives.set(node, { ...known, gone: true });
    this.#touched.add(LIVES_KEY);
    return this.#end(null);
  }

  /** Nodes that are no members have no locks: their ids are never given again. */
  keep(members: ReadonlySet<number>): LockStep {
    const strangers = [...this.#lives.keys()].filter((node) => !members.has(node));
    if (strangers.length === 0) return NOTHING;
    this.#begin();
    for (const node of strangers) {
      this.#releaseNode(node);
      this.#lives.delete(node);
    }
    this.#touched.add(LIVES_KEY);
    return this.#end(null);
  }

  /** All of it. */
  stored(): readonly StoredLocks[] {
    const keys = [...this.#locks.keys()].sort((a, b) => a - b);
    return (this.#lives.size > 0 ? [LIVES_KEY, ...keys] : keys).map((key) => this.#storedAt(key));
  }

  #perform(node: number, asked: LockCommand): CommandOutcome {
    // flock(2) knows no ranges.
    const command = asked.type === "flock" ? { ...asked, start: 0n, end: OFFSET_MAX } : asked;
    const { ino, type, owner } = command;
    const own = { node, type, owner };
    const before = this.held(ino, own);
    const refused = this.conflict(node, command) !== null;
    // A flock that is converted is given back first (flock(2)): two who both want more would wait
    // for each other for ever.
    const after = refused
      ? type === "flock" && !sameKind(before, command) ? [] : before
      : withCommand(before, command, node);
    const others = this.locks(ino).filter((lock) => !isOf(lock, own));
    const grows = after.length > before.length;
    const full = others.length + after.length > LOCKS_PER_FILE_MAX ||
      this.count(node) - before.length + after.length > LOCKS_PER_NODE_MAX;
    if (grows && full) return { result: "full", before };
    if (after !== before) {
      this.#put(ino, [...others, ...after]);
      this.#touched.add(ino);
      if (before.length > 0) this.#freed.add(ino);
    }
    return { result: refused ? "conflict" : "done", before };
  }

  #releaseNode(node: number): void {
    if (this.count(node) === 0) return;
    for (const [ino, locks] of [...this.#locks]) {
      const left = locks.filter((lock) => lock.node !== node);
      if (left.length === locks.length) continue;
      this.#put(ino, left);
      this.#touched.add(ino);
      this.#freed.add(ino);
    }
  }

  #put(ino: number, locks: readonly Lock[]): void {
    for (const { node } of this.locks(ino)) this.#note(node, -1);
    for (const { node } of locks) this.#note(node, 1);
    if (locks.length > 0) this.#locks.set(ino, locks);
    else this.#locks.delete(ino);
  }

  #note(node: number, change: 1 | -1): void {
    const count = this.count(node) + change;
    if (count > 0) this.#counts.set(node, count);
    else this.#counts.delete(node);
  }

  #begin(): void {
    this.#touched = new Set();
    this.#freed = new Set();
  }

  #end(outcomes: readonly CommandOutcome[] | null): LockStep {
    const keys = [...this.#touched].sort((a, b) => a - b);
    return { outcomes, changed: keys.map((key) => this.#storedAt(key)), freed: this.#freed };
  }

  #storedAt(key: number): StoredLocks {
    if (key !== LIVES_KEY) return { key, body: encodeLocks(this.locks(key)) };
    const lives = [...this.#lives.values()].sort((a, b) => a.node - b.node);
    return { key, body: lives.length === 0 ? new Uint8Array(0) : encodeLives(lives) };
  }
}

function isOf(lock: Lock, { node, type, owner }: Owner): boolean {
  return lock.node === node && lock.type === type && lock.owner === owner;
}

function sameKind(before: readonly Lock[], { kind }: LockCommand): boolean {
  return before.length > 0 && before.every((lock) => lock.kind === kind);
}

/** Why stored locks out of hostile hands are none, as a clause; or null. */
export function storedFault(stored: readonly StoredLocks[]): string | null {
  const keys = new Set<number>();
  const counts = new Map<number, number>();
  for (const { key, body } of stored) {
    if (keys.has(key)) return `the locks of inode ${key} come twice`;
    keys.add(key);
    if (key === LIVES_KEY) {
      if (decodeLives(body) === null) return "its lives are none";
      continue;
    }
    const locks = decodeLocks(body);
    if (locks === null || locks.length === 0) return `the locks of inode ${key} are none`;
    const fault = locksFault(locks, counts);
    if (fault !== null) return `inode ${key}: ${fault}`;
  }
  return null;
}

function locksFault(locks: readonly Lock[], counts: Map<number, number>): string | null {
  for (const [at, lock] of locks.entries()) {
    if (lock.start > lock.end || lock.end > OFFSET_MAX) return "a range is none";
    const count = (counts.get(lock.node) ?? 0) + 1;
    if (count > LOCKS_PER_NODE_MAX) return `node ${lock.node} has too many locks`;
    counts.set(lock.node, count);
    for (const other of locks.slice(0, at)) {
      const both = other.type === lock.type && overlaps(other, lock);
      const shared = other.kind === "read" && lock.kind === "read" && !isOf(other, lock);
      if (both && !shared) return "two locks exclude each other";
    }
  }
  return null;
}
