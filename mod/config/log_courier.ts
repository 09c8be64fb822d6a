/**
 * How the nodes' sayings come to every mount. A node that has a mount asks each member for what it
 * knows, and again now and then; who was asked sends its newest entries at once and each new one of
 * its own later, a few frames a minute. All of it is best effort: what is lost comes with the next
 * answer, and what comes twice is known. Nothing of it is in the log of transactions.
 *
 * @module
 */
import type { BootId, NodeId } from "../base/id.ts";
import { after, EPOCH, type Instant, type Millis } from "../base/time.ts";
import type { MemberHealth } from "../streams.ts";
import type { ClusterLog, LogEntry } from "./fuse/cluster_log.ts";
import type { MessageOf } from "./wire.ts";

/** Between two frames of entries to one node. */
export const LOG_GAP_MS: Millis = 1000;
/** After an asking that was not answered. */
export const LOG_RETRY_MS: Millis = 5000;
/** After one that was: it brings what was lost on the way. */
export const LOG_AGAIN_MS: Millis = 60_000;

/** What the courier works with. */
export interface LogCourierParts {
  readonly self: NodeId;
  readonly name: (node: NodeId) => string;
  readonly isMember: (node: NodeId) => boolean;
  readonly log: ClusterLog;
  readonly send: (to: NodeId, message: MessageOf<"log-ask"> | MessageOf<"log">) => void;
}

interface Asked {
  readonly boot: BootId | null;
  readonly at: Instant;
  answered: boolean;
}

interface Reader {
  sentAt: Instant;
  /** Everything up to this number of ours was sent; null: it wants all that is known. */
  upTo: number | null;
}

/** See the module's note. */
export class LogCourier {
  readonly #parts: LogCourierParts;
  readonly #online = new Map<NodeId, BootId | null>();
  readonly #asked = new Map<NodeId, Asked>();
  readonly #readers = new Map<NodeId, Reader>();
  /** There is a mount here, so somebody may read. */
  reads = false;

  constructor(parts: LogCourierParts) {
    this.#parts = parts;
  }

  /** What stream 1 says of a member; told at each beat, so it is the clock of all this, too. */
  onMember({ node, state, boot }: MemberHealth): void {
    if (state === "online") this.#online.set(node, boot);
    else this.#online.delete(node);
  }

  /** A member has a mount. */
  onAsk(from: NodeId): void {
    const reader = this.#readers.get(from);
    if (reader !== undefined) reader.upTo = null;
    else this.#readers.set(from, { sentAt: EPOCH, upTo: null });
  }

  /** What a member knows. */
  onEntries(from: NodeId, entries: readonly LogEntry[]): void {
    const asked = this.#asked.get(from);
    if (asked !== undefined) asked.answered = true;
    const { self, name, log } = this.#parts;
    log.merge(name(self), entries);
  }

  /** The end of a step: asks and answers what is due. */
  turn(now: Instant): void {
    if (this.reads) {
      for (const [node, boot] of this.#online) this.#ask(node, boot, now);
    }
    for (const [node, reader] of this.#readers) this.#answer(node, reader, now);
  }

  #ask(node: NodeId, boot: BootId | null, now: Instant): void {
    const before = this.#asked.get(node);
    const wait = before?.answered === true ? LOG_AGAIN_MS : LOG_RETRY_MS;
    if (before !== undefined && before.boot === boot && after(before.at, wait) > now) return;
    if (node === this.#parts.self || !this.#parts.isMember(node)) return;
    this.#asked.set(node, { boot, at: now, answered: false });
    this.#parts.send(node, { kind: "log-ask" });
  }

  #answer(node: NodeId, reader: Reader, now: Instant): void {
    const { self, name, isMember, log, send } = this.#parts;
    if (!isMember(node)) return void this.#readers.delete(node);
    const { upTo, sentAt } = reader;
    if (upTo === log.uid || after(sentAt, LOG_GAP_MS) > now) return;
    const own = upTo === null ? undefined : { node: name(self), after: upTo };
    reader.sentAt = now;
    reader.upTo = log.uid;
    send(node, { kind: "log", entries: [...log.newest(own)] });
  }
}
