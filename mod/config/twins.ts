/**
 * Do two replicas hold the same? The leader remembers its own CRC at the newest indexes and compares
 * it with what a peer's ack says of the same index.
 *
 * @module
 */
import { formatCrc } from "../base/checksum.ts";
import type { Raft } from "./raft.ts";
import type { MessageOf } from "./wire.ts";

/** Indexes whose CRC is remembered; what a peer says of older ones is not compared. */
export const REMEMBERED_MAX = 8192;

/** See the module's note. */
export class Twins {
  readonly #crcs = new Map<number, number>();

  /** Our tree's rolling CRC at an index. */
  note(index: number, crc: number): void {
    this.#crcs.set(index, crc);
    this.#crcs.delete(index - REMEMBERED_MAX);
  }

  /** Where a peer's log or tree differs from ours; null where it does not, or none can tell. */
  differs(
    raft: Raft,
    { index, chain, applied, state }: MessageOf<"append-reply">,
  ): { index: number; theirs: string; mine: string } | null {
    const ours = raft.log.chainAt(index);
    if (ours !== undefined && ours !== chain) {
      return { index, theirs: formatCrc(chain), mine: formatCrc(ours) };
    }
    const mine = this.#crcs.get(applied);
    if (mine === undefined || mine === state) return null;
    return { index: applied, theirs: formatCrc(state), mine: formatCrc(mine) };
  }
}
