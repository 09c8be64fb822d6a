/** A database on disk, filled by transactions as a replica applies them. */
import { requestId } from "../../mod/base/id.ts";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { Replica } from "../../mod/config/replica.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { HISTORY_LIMITS, type HistoryLimits } from "../../mod/host/linux/database_history.ts";
import { DatabaseView } from "../../mod/host/linux/database_view.ts";
import type { Operation, Transaction } from "../../mod/streams.ts";
import { specOf } from "../config/cluster.ts";

export const KEY = new Uint8Array(32).fill(7);

/** Operations that make a path hold a text. */
export function write(path: string, text: string, fresh: boolean): Operation[] {
  const first: Operation = fresh ? { op: "create", path } : { op: "truncate", path, size: 0 };
  return [first, { op: "write", path, offset: 0, data: new TextEncoder().encode(text) }];
}

/** See the file's note. */
export class PastWorld {
  readonly directory = Deno.makeTempDirSync({ prefix: "pentad-past-" });
  readonly path = `${this.directory}/config.db`;
  readonly spec: ClusterSpec = specOf(2, false);
  readonly file: DatabaseFile;
  readonly replica: Replica;
  index = 0;
  #open = true;

  constructor(limits: HistoryLimits = HISTORY_LIMITS) {
    const opened = DatabaseFile.open(this.path, { limits });
    if ("damaged" in opened) throw new Error(opened.damaged);
    this.file = opened.file;
    this.replica = new Replica(opened.content);
    this.file.commit({ hardState: { term: 3, vote: 1, diverged: false } });
    this.#apply(encodeEntry({ kind: "spec", spec: this.spec, highest: 5 }), null);
  }

  /** Applies one transaction; returns its index. Its time is 100 × its index. */
  apply(operations: readonly Operation[], more: Partial<Transaction> = {}): number {
    const index = this.index + 1;
    const transaction: Transaction = {
      request: requestId(index.toString(16).padStart(16, "0")),
      base: this.index,
      expect: [],
      operations,
      author: "root@a",
      reason: `reason ${index}`,
      time: 100 * index,
      ...more,
    };
    return this.#apply(encodeEntry({ kind: "transaction", writer: 1, transaction }), transaction);
  }

  /** As a reader beside the writer. */
  view<T>(use: (view: DatabaseView) => T): T {
    const view = DatabaseView.open(this.path, { immutable: false });
    try {
      return use(view);
    } finally {
      view.close();
    }
  }

  #apply(body: Uint8Array, transaction: Transaction | null): number {
    const index = ++this.index;
    const entry = transaction === null
      ? { kind: "spec", spec: this.spec, highest: 5 } as const
      : { kind: "transaction", writer: 1, transaction } as const;
    const { rows, removed, history } = this.replica.apply(index, entry);
    const term = 3;
    const stateCrc = this.replica.crc;
    const kept = history === null ? [] : [{ ...history, term }];
    this.file.commit({
      entries: [{ index, term, body }],
      applied: { index, term, stateCrc, rows, removed, history: kept, forget: 0 },
    });
    return index;
  }

  /** Closes the file in order: no WAL is left. */
  shut(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }

  close(): void {
    this.shut();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Runs a test in a world of its own. */
export async function withPast(
  body: (world: PastWorld) => Promise<void> | void,
  limits?: HistoryLimits,
): Promise<void> {
  const world = new PastWorld(limits);
  try {
    await body(world);
  } finally {
    world.close();
  }
}
