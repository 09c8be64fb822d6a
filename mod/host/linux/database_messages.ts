/** What the database's Worker and its owner say to each other. @module */
import type { HistoryLimits } from "./database_history.ts";
import type { PackedBatch } from "./packed_batch.ts";
import type { PackedState } from "./packed_state.ts";
import type {
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  HistoryAsk,
  HistoryPage,
} from "../ports.ts";

export type DatabaseAsk =
  /** With a beginning: in the place of what is there. */
  | {
    readonly kind: "open";
    readonly path: string;
    readonly limits: HistoryLimits;
    readonly mustExist: boolean;
    readonly beginning: DatabaseBeginning | null;
  }
  | {
    readonly kind: "commit";
    readonly number: number;
    /** Entries and what was applied are in `packed`, rows and requests to be installed in `state`. */
    readonly batch: DatabaseBatch;
    readonly packed: PackedBatch | null;
    readonly state: PackedState | null;
  }
  | { readonly kind: "history"; readonly number: number; readonly ask: HistoryAsk }
  | { readonly kind: "close" };

export type DatabaseAnswer =
  | { readonly kind: "opened"; readonly content: DatabaseContent }
  | { readonly kind: "damaged"; readonly damage: DatabaseDamage }
  | { readonly kind: "committed"; readonly number: number; readonly failure: string | null }
  | {
    readonly kind: "history";
    readonly number: number;
    readonly page: HistoryPage | { readonly failure: string };
  }
  | { readonly kind: "closed" };

/** The buffers of byte strings that may go over for good; each once. */
export function buffersOf(parts: Iterable<{ readonly buffer: ArrayBufferLike }>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of parts) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffers.add(buffer);
  }
  return [...buffers];
}
