/**
 * Do two replicas hold the same? The leader remembers its own CRC at the newest indexes and compares
 * it with what a peer's ack says of the same index. One that differs does not count any more and is
 * rebuilt; where most differ from the leader, it is the leader that is wrong.
 *
 * @module
 */
import { formatCrc } from "../base/checksum.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import type { Raft } from "./raft.ts";
import type { MessageOf } from "./wire.ts";

/** Indexes whose CRC is remembered; what a peer says of older ones is not compared. */
export const REMEMBERED_MAX = 8192;

/** Where two replicas differ, and how. */
interface Difference {
  readonly index: number;
  readonly theirs: string;
  readonly mine: string;
}

/** See the module's note. */
export class Twins {
  readonly #crcs = new Map<number, number>();

  /** Our tree's rolling CRC at an index. */
  note(index: number, crc: number): void {
    this.#crcs.set(index, crc);
    this.#crcs.delete(index - REMEMBERED_MAX);
  }

  /** The tree is another one from this index on: what is remembered was that of the old one. */
  restart(index: number, crc: number): void {
    this.#crcs.clear();
    this.#crcs.set(index, crc);
  }

  /** Compares a peer with us, as its leader. */
  judge(raft: Raft, from: NodeId, message: MessageOf<"append-reply">): void {
    const progress = raft.progress.get(from);
    if (progress === undefined || progress.diverged) return;
    const differs = this.differs(raft, message);
    if (differs === null && !message.diverged) {
      if (this.#crcs.get(message.applied) === message.state) {
        progress.agreed = Math.max(progress.agreed, message.applied);
      }
      return;
    }
    progress.diverged = true;
    progress.divergedAt = differs?.index ?? message.applied;
    const crcs = differs ?? { index: message.applied, theirs: formatCrc(message.state), mine: "?" };
    const because = reason("config.diverged", { ...crcs, node: raft.name(from) });
    raft.tell({ fact: "config.diverged", node: from, because });
    raft.say(`${raft.name(from)} diverged`, because);
    if (isOdd(raft)) stepAside(raft);
  }

  /** Where a peer's log or tree differs from ours; null where it does not, or none can tell. */
  differs(
    raft: Raft,
    { index, chain, applied, state }: MessageOf<"append-reply">,
  ): Difference | null {
    const ours = raft.log.chainAt(index);
    if (ours !== undefined && ours !== chain) {
      return { index, theirs: formatCrc(chain), mine: formatCrc(ours) };
    }
    const mine = this.#crcs.get(applied);
    if (mine === undefined || mine === state) return null;
    return { index: applied, theirs: formatCrc(state), mine: formatCrc(mine) };
  }
}

/** Of three voters or more, most differ from us. */
function isOdd(raft: Raft): boolean {
  return raft.electorates.some(({ voters, majority }) =>
    voters.length > 2 &&
    voters.filter((id) => raft.progress.get(id)?.diverged).length >= majority
  );
}

/** We are the odd one: another leads, finds that we differ, and rebuilds us. */
function stepAside(raft: Raft): void {
  raft.diverged = true;
  raft.becomeFollower(null, reason("config.odd", { node: raft.name(raft.self) }));
  raft.persist({ hardState: raft.hardState() });
}
