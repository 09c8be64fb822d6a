/**
 * Do two replicas hold the same? The leader remembers its own rolling CRC and content hash at the
 * newest indexes and compares them with what a peer's ack says of the same index. One that differs
 * does not count any more; which of the two is wrong, and what becomes of it, is decided in `doubt.ts`.
 *
 * @module
 */
import { formatCrc } from "../base/checksum.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { condemn } from "./doubt.ts";
import type { Raft } from "./raft.ts";
import type { MessageOf } from "./wire.ts";

/** Indexes whose hashes are remembered; what a peer says of older ones is not compared. */
export const REMEMBERED_MAX = 8192;

/** Where two replicas differ, and how. */
interface Difference {
  readonly index: number;
  readonly theirs: string;
  readonly mine: string;
}

/** What a replica holds after one entry. */
interface Hashes {
  /** Rolling CRC of everything that changed. */
  readonly state: number;
  /** Content hash of tree and locks. */
  readonly content: number;
}

/** See the module's note. */
export class Twins {
  readonly #hashes = new Map<number, Hashes>();

  /** What we hold at an index. */
  note(index: number, hashes: Hashes): void {
    this.#hashes.set(index, hashes);
    this.#hashes.delete(index - REMEMBERED_MAX);
  }

  /** The tree is another one from this index on: what is remembered was that of the old one. */
  restart(index: number, hashes: Hashes): void {
    this.#hashes.clear();
    this.#hashes.set(index, hashes);
  }

  /** Compares a peer with us, as its leader. */
  judge(raft: Raft, from: NodeId, message: MessageOf<"append-reply">): void {
    const progress = raft.progress.get(from);
    if (progress === undefined) return;
    const differs = this.differs(raft, message);
    // Its word may be old, and overtaken by what it says now; what was seen to differ stays so.
    if (progress.confessed && !message.diverged && !progress.differs) progress.diverged = false;
    progress.confessed = message.diverged;
    progress.differs ||= differs !== null;
    if (progress.diverged) return;
    if (differs === null && !message.diverged) {
      if (this.#hashes.has(message.applied)) {
        progress.agreed = Math.max(progress.agreed, message.applied);
      }
      return;
    }
    progress.diverged = true;
    progress.divergedAt = differs?.index ?? message.applied;
    // It hears of it at once, or as soon as it can be told who is wrong.
    raft.beatAt = raft.now;
    const told = differs ?? { index: message.applied, theirs: formatCrc(message.state), mine: "?" };
    const because = reason("config.diverged", { ...told, node: raft.name(from) });
    raft.tell({ fact: "config.diverged", node: from, because });
    raft.say(`${raft.name(from)} diverged`, because);
    if (isOdd(raft)) condemn(raft, reason("config.odd", { node: raft.name(raft.self) }));
  }

  /** Where a peer's log or state differs from ours; null where it does not, or none can tell. */
  differs(
    raft: Raft,
    { index, chain, applied, state, content }: MessageOf<"append-reply">,
  ): Difference | null {
    const ours = raft.log.chainAt(index);
    if (ours !== undefined && ours !== chain) {
      return { index, theirs: formatCrc(chain), mine: formatCrc(ours) };
    }
    const mine = this.#hashes.get(applied);
    if (mine === undefined) return null;
    if (mine.state !== state) {
      return { index: applied, theirs: formatCrc(state), mine: formatCrc(mine.state) };
    }
    if (mine.content === content) return null;
    return { index: applied, theirs: formatCrc(content), mine: formatCrc(mine.content) };
  }
}

/** Of three voters or more, most differ from us: we are the odd one. Who is wrong itself is no witness. */
function isOdd(raft: Raft): boolean {
  const differs = (id: NodeId) => {
    const progress = raft.progress.get(id);
    return progress?.diverged === true && !progress.confessed;
  };
  return raft.electorates.some(({ voters, majority }) =>
    voters.length > 2 && voters.filter(differs).length >= majority
  );
}
