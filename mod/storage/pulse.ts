/**
 * The pulse on one disk: our slot, the others' slots, and what either proves.
 *
 * A slot that lay there before we began to look proves nothing about now: only a *change* does. So
 * the first sight of a slot is remembered, not told. Its last words are the exception, told only
 * after it lay unchanged for so long that an unseen newer life of that node would have had to give
 * up everything too (`settleMs`), and dated to when it was first read.
 *
 * @module
 */
import type { BootId, NodeId } from "../base/id.ts";
import { EPOCH, type Instant, type Millis } from "../base/time.ts";
import type { LastWords, StorageFact } from "../streams.ts";
import { BLOCK_BYTES } from "./block.ts";
import { type Echo, type Letter, type PulseSlot, slotOffset } from "./layout.ts";

/** Own pulses whose issue time is remembered; an echo of an older one proves nothing any more. */
export const ISSUES_MAX = 256;

/** Slots of one read: neighbours are read together up to 256 KiB. */
export const SLOTS_PER_READ = 64;

/** What our next pulse says beside its number. */
export interface PulseContent {
  readonly guardMarginMs: Millis;
  readonly diskLocks: number;
  readonly words: LastWords;
  readonly cause: string;
  readonly mail: readonly Letter[];
}

/** A peer's pulse as last read. */
export interface Seen {
  readonly slot: PulseSlot;
  /** When this seq was first read. */
  readonly since: Instant;
  /** It changed under our eyes at least once. */
  readonly moved: boolean;
  readonly settled: boolean;
}

interface Issue {
  readonly at: Instant;
  readonly diskLocks: number;
}

/** The pulse of one node on one disk. */
export class DiskPulse {
  readonly #self: NodeId;
  readonly #boot: BootId;
  readonly #issues = new Map<number, Issue>();
  readonly #seen = new Map<NodeId, Seen>();
  readonly #echoed = new Map<NodeId, number>();
  readonly #locksEchoed = new Map<NodeId, number>();
  #seq = 0;

  constructor(self: NodeId, boot: BootId) {
    this.#self = self;
    this.#boot = boot;
  }

  /** The slot to write now; `now` becomes its issue time. */
  compose(content: PulseContent, now: Instant): PulseSlot {
    this.#seq += 1;
    this.#issues.set(this.#seq, { at: now, diskLocks: content.diskLocks });
    this.#issues.delete(this.#seq - ISSUES_MAX);
    const echoes: Echo[] = [];
    for (const { slot, moved } of this.#seen.values()) {
      // Whom we do not count as alive must not count on us: an echo is proof for its guard.
      if (moved) echoes.push({ node: slot.node, boot: slot.boot.slice(0, 8), seq: slot.seq });
    }
    return { node: this.#self, boot: this.#boot, seq: this.#seq, ...content, echoes };
  }

  /** Takes a sound slot of another node; returns what it proves. */
  read(slot: PulseSlot, now: Instant, settleMs: Millis): StorageFact[] {
    const facts: StorageFact[] = [];
    const seen = this.#seen.get(slot.node);
    if (seen === undefined) {
      this.#seen.set(slot.node, { slot, since: now, moved: false, settled: false });
    } else if (seen.slot.boot !== slot.boot || slot.seq > seen.slot.seq) {
      this.#seen.set(slot.node, { slot, since: now, moved: true, settled: false });
      facts.push(pulseFact(slot, now));
    } else if (
      !seen.moved && !seen.settled && seen.slot.words !== "none" && now - seen.since >= settleMs
    ) {
      this.#seen.set(slot.node, { ...seen, settled: true });
      facts.push(pulseFact(seen.slot, seen.since));
    }
    const echo = this.#echo(slot);
    if (echo !== null) facts.push(echo);
    return facts;
  }

  /** Drops nodes that are no members any more. */
  keep(members: ReadonlySet<NodeId>): void {
    for (const node of this.#seen.keys()) if (!members.has(node)) this.#seen.delete(node);
  }

  /** The others' pulses as last read. */
  seen(): ReadonlyMap<NodeId, Seen> {
    return this.#seen;
  }

  /** When `node`'s pulse last moved; `EPOCH` for never. */
  movedAt(node: NodeId): Instant {
    const seen = this.#seen.get(node);
    return seen?.moved === true ? seen.since : EPOCH;
  }

  /** The disk locks in our newest pulse that `node` is known to have read; null for none. */
  locksKnownTo(node: NodeId): number | null {
    return this.#locksEchoed.get(node) ?? null;
  }

  /** An echo counts for this life alone, once per seq, and only while its issue time is known. */
  #echo(slot: PulseSlot): StorageFact | null {
    const ours = this.#boot.slice(0, 8);
    const echo = slot.echoes.find((each) => each.node === this.#self && each.boot === ours);
    if (echo === undefined || echo.seq <= (this.#echoed.get(slot.node) ?? 0)) return null;
    const issue = this.#issues.get(echo.seq);
    if (issue === undefined) return null;
    this.#echoed.set(slot.node, echo.seq);
    this.#locksEchoed.set(slot.node, issue.diskLocks);
    return { fact: "storage.echo", by: slot.node, issuedAt: issue.at };
  }
}

/** A piece of a disk with some nodes' slots. */
export interface SlotRange {
  readonly offset: number;
  length: number;
  readonly nodes: NodeId[];
}

/** The slots of `nodes` (in rising order), neighbours together, each range one read. */
export function slotRanges(nodes: readonly NodeId[]): readonly SlotRange[] {
  const ranges: SlotRange[] = [];
  for (const node of nodes) {
    const last = ranges.at(-1);
    const first = last?.nodes[0];
    if (last !== undefined && first !== undefined && node - first < SLOTS_PER_READ) {
      last.nodes.push(node);
      last.length = slotOffset(node) + BLOCK_BYTES - last.offset;
    } else {
      ranges.push({ offset: slotOffset(node), length: BLOCK_BYTES, nodes: [node] });
    }
  }
  return ranges;
}

function pulseFact(slot: PulseSlot, seenAt: Instant): StorageFact {
  const { node, boot, words, diskLocks } = slot;
  return { fact: "storage.pulse", node, boot, seenAt, words, diskLocks };
}
