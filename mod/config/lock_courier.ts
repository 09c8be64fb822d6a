/**
 * This node's commands on their way into the log. One entry is under way at a time; what comes in the
 * meantime goes with the next one. It is sent until it is applied here, for no command may be lost: an
 * unlock least of all. Numbers and lives (`lock_table.ts`) make it harmless that it is sent again.
 *
 * @module
 */
import { after, type Instant, NEVER } from "../base/time.ts";
import type { CommandOutcome, LockStep, LockTable, Owner } from "./lock_table.ts";
import { COMMANDS_MAX, type LockCommand, type LocksEntry, NO_LIFE } from "./lock_wire.ts";

/** Told what became of each command of one submission. */
export type LockDone = (outcomes: readonly CommandOutcome[]) => void;

interface Item {
  readonly commands: readonly LockCommand[];
  readonly done: LockDone;
}

interface Batch {
  readonly seq: number;
  readonly items: readonly Item[];
  /** Whom it was sent to last, in which term, and when. */
  sent: { readonly to: number; readonly term: number; readonly at: Instant } | null;
}

/** Who leads, as the courier needs to know it. */
export interface Lead {
  readonly now: Instant;
  readonly leader: number | null;
  readonly term: number;
  /** After so long what went to another node is sent again. */
  readonly retryMs: number;
}

/** What a courier is made with. */
export interface CourierParts {
  readonly self: number;
  readonly table: () => LockTable;
  /** A name that no life had before, 8 bytes of hex. */
  readonly newLife: () => string;
  readonly lead: () => Lead;
  /** Brings an entry to the leader, best effort; false where it cannot even be tried now. */
  readonly send: (entry: LocksEntry) => boolean;
}

/** See the module's note. */
export class LockCourier {
  readonly #parts: CourierParts;
  #life: string;
  #seq = 0;
  #queue: Item[] = [];
  #batch: Batch | null = null;
  /** The table knew this life. */
  #known = false;
  /** Told when the table has let this life's locks go without being asked. */
  onLost: () => void = () => {};

  constructor(parts: CourierParts) {
    this.#parts = parts;
    this.#life = parts.newLife();
  }

  /** The table as far as it is applied here. */
  get table(): LockTable {
    return this.#parts.table();
  }

  get self(): number {
    return this.#parts.self;
  }

  /** Commands that are queued or under way. */
  get waiting(): number {
    const items = [...this.#queue, ...this.#batch?.items ?? []];
    return items.reduce((sum, { commands }) => sum + commands.length, 0);
  }

  /** True where an owner of this life has something on an inode. */
  owns(ino: number, owner: Omit<Owner, "node">): boolean {
    return this.table.life(this.self)?.life === this.#life &&
      this.table.held(ino, { ...owner, node: this.self }).length > 0;
  }

  /** True where a command of this owner is queued or under way. */
  concerns({ ino, type, owner }: Pick<LockCommand, "ino" | "type" | "owner">): boolean {
    return [...this.#queue, ...this.#batch?.items ?? []].some(({ commands }) =>
      commands.some((each) => each.ino === ino && each.type === type && each.owner === owner)
    );
  }

  /**
   * Queues up to {@link COMMANDS_MAX} commands that are applied at one index; `done` is called when
   * they are. Returns how to take them back: true where they never were sent, and never will be.
   */
  submit(commands: readonly LockCommand[], done: LockDone): () => boolean {
    const item: Item = { commands, done };
    this.#queue.push(item);
    return () => {
      const at = this.#queue.indexOf(item);
      if (at >= 0) this.#queue.splice(at, 1);
      return at >= 0;
    };
  }

  /** Nothing is open any more here: whatever was locked is given back with the next life. */
  restart(): void {
    this.#renew();
    this.#queue = [];
    this.#batch = null;
  }

  /** Called at each step: sends what is to be sent. */
  turn(): void {
    if (this.#batch === null) this.#batch = this.#next();
    const batch = this.#batch;
    if (batch === null || !this.#isDue(batch)) return;
    const { leader, term, now } = this.#parts.lead();
    const known = this.table.life(this.self);
    const before = known === undefined || known.life === this.#life ? NO_LIFE : known.life;
    const commands = batch.items.flatMap((item) => item.commands);
    const entry = { node: this.self, life: this.#life, before, seq: batch.seq, commands };
    if (this.#parts.send(entry) && leader !== null) batch.sent = { to: leader, term, at: now };
  }

  /** When something is to be sent again. */
  deadline(): Instant {
    const sent = this.#batch?.sent ?? null;
    const { leader, retryMs } = this.#parts.lead();
    if (sent === null || leader === null || leader === this.self) return NEVER;
    return after(sent.at, retryMs);
  }

  /** An entry about locks was applied here; `step` is what it did, null after a snapshot. */
  onApplied(entry: Pick<LocksEntry, "node" | "life" | "seq"> | null, step: LockStep | null): void {
    const known = this.table.life(this.self);
    const ours = known?.life === this.#life && !known.gone;
    if (ours) {
      this.#known = true;
      const batch = this.#batch;
      if (batch === null || known.seq < batch.seq) return;
      this.#batch = null;
      const same = entry?.node === this.self && entry.life === this.#life &&
        entry.seq === batch.seq;
      const outcomes = same ? step?.outcomes ?? null : null;
      return this.#settle(batch, outcomes);
    }
    if (this.#known) return this.#lose();
    // Refused, for another life came between: it is sent again behind that one.
    if (this.#batch !== null && entry?.node === this.self) this.#batch.sent = null;
  }

  #settle({ items }: Batch, outcomes: readonly CommandOutcome[] | null): void {
    let at = 0;
    for (const { commands, done } of items) {
      const found = outcomes?.slice(at, at + commands.length);
      at += commands.length;
      done(found ?? commands.map((command) => this.#look(command)));
    }
  }

  /** The entry came with a snapshot: what it did is seen in the table only. */
  #look(command: LockCommand): CommandOutcome {
    const { ino, type, owner, kind, start, end } = command;
    const held = this.table.held(ino, { node: this.self, type, owner });
    const has = held.some((lock) => lock.kind === kind && lock.start <= start && lock.end >= end);
    return { result: has || kind === "unlock" ? "done" : "conflict", before: [] };
  }

  /** The cluster took this life for dead. What it still wants it wants as another one. */
  #lose(): void {
    const again = [...this.#batch?.items ?? [], ...this.#queue];
    this.#renew();
    this.#batch = null;
    this.#queue = [];
    this.onLost();
    for (const item of again) {
      // What is to be given back is given back.
      if (item.commands.every(({ kind }) => kind !== "unlock")) this.#queue.push(item);
      else item.done(item.commands.map(() => ({ result: "done", before: [] })));
    }
  }

  #renew(): void {
    this.#life = this.#parts.newLife();
    this.#seq = 0;
    this.#known = false;
  }

  #next(): Batch | null {
    const formerLife = this.table.life(this.self)?.life !== this.#life &&
      this.table.count(this.self) > 0;
    if (this.#queue.length === 0 && !formerLife) return null;
    const items: Item[] = [];
    for (let size = 0; this.#queue[0] !== undefined; this.#queue.shift()) {
      const [first] = this.#queue;
      size += first.commands.length;
      if (size > COMMANDS_MAX) break;
      items.push(first);
    }
    return { seq: ++this.#seq, items, sent: null };
  }

  #isDue({ sent }: Batch): boolean {
    const { leader, term, now, retryMs } = this.#parts.lead();
    if (leader === null) return false;
    if (sent === null || sent.to !== leader || sent.term !== term) return true;
    // In our own log it stays until we lead no more.
    return leader !== this.self && now - sent.at >= retryMs;
  }
}
