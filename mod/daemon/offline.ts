/**
 * A dead node's files behind the face of a node: reading works, everything else is refused. The
 * command line puts its requests to it as to a daemon (`pentad --data DIR`).
 *
 * @module
 */
import { createApp } from "../api/app.ts";
import type {
  HistoryList,
  HistoryPageAsk,
  ResourceLog,
  ResourceLogAsk,
  RunningNode,
  TransactionDetail,
  TreeDiff,
  TreeEntry,
} from "../api/running_node.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import { nameOf } from "../base/cluster.ts";
import { nodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { VerifyReport } from "../base/verify_report.ts";
import { type Point, Tree } from "../config/mod.ts";
import { HISTORY_LIMITS } from "../host/linux/database_history.ts";
import type { DatabaseView } from "../host/linux/database_view.ts";
import type { StoredRow } from "../host/ports.ts";
import { historyList, specIn, transactionDetail, treeDiff } from "./archive.ts";
import { exportPieces } from "./archive_export.ts";
import { resourceLog } from "./archive_story.ts";
import { openFiles } from "./offline_files.ts";

/** Where requests go that are not for a daemon. */
export interface Offline {
  fetch(request: Request): Promise<Response>;
  close(): void;
}

/** Opens a state directory or a backup file. Throws `node.bad-data`. */
export function openOffline(path: string): Offline {
  const files = openFiles(path);
  const app = createApp(new OfflineNode(files.view, () => files.verify()));
  return {
    fetch: (request) => Promise.resolve(app.fetch(request)),
    close: () => files.close(),
  };
}

/** See the module's note. */
export class OfflineNode implements RunningNode {
  readonly #view: DatabaseView;
  readonly #spec: ClusterSpec | null;
  readonly #verify: () => VerifyReport;
  #tree: Tree | null = null;

  constructor(view: DatabaseView, verify: () => VerifyReport) {
    this.#view = view;
    this.#verify = verify;
    this.#spec = damaged(() => specIn(view))?.spec ?? null;
  }

  entry(path: string): TreeEntry | null {
    const row = this.#now().find(path);
    return row === null ? null : this.#entryOf(path, row);
  }

  read(path: string): Uint8Array | null {
    const row = this.#now().find(path);
    return row?.kind === "file" ? row.data : null;
  }

  list(path: string): readonly TreeEntry[] | null {
    const prefix = path === "" ? "" : `${path}/`;
    const rows = this.#now().children(path);
    return rows && rows.map((row) => this.#entryOf(prefix + row.name, row));
  }

  history(ask: HistoryPageAsk): Promise<HistoryList> {
    return answered(() => historyList(this.#view, ask, HISTORY_LIMITS));
  }

  transaction(txn: number): Promise<TransactionDetail> {
    return answered(() => transactionDetail(this.#view, txn, this.#spec));
  }

  diff(from: Point, to: Point, path: string | null): Promise<TreeDiff> {
    return answered(() => treeDiff(this.#view, { from, to, path }));
  }

  resourceLog(ask: ResourceLogAsk): Promise<ResourceLog> {
    return answered(() => resourceLog(this.#view, ask, this.#spec));
  }

  exportTree(at: Point): Promise<ReadableStream<Uint8Array>> {
    return answered(() => {
      const pieces = exportPieces(this.#view, at);
      // Refusals come before the first piece.
      let next = pieces.next();
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (next.done === true) return controller.close();
          controller.enqueue(next.value);
          next = pieces.next();
        },
      }, { highWaterMark: 0 });
    });
  }

  verify(): Promise<VerifyReport> {
    return answered(() => this.#verify());
  }

  applied(): number {
    return this.#view.meta.applied;
  }

  readonly status = refuse;
  readonly stamp = refuse;
  readonly streamView = refuse;
  readonly timing = refuse;
  readonly resourceOutput = refused;
  readonly undo = refused;
  readonly changesAfter = refused;
  readonly onApplied = refuse;
  readonly backup = refused;
  readonly restore = refused;
  readonly change = refused;
  readonly barrier = refused;
  readonly eventsAfter = refuse;
  readonly onEvent = refuse;
  readonly init = refused;
  readonly join = refused;
  readonly describe = refuse;
  readonly leave = refused;
  readonly renewKey = refused;
  readonly confirmDead = refused;
  readonly formatDisk = refused;
  readonly shutdown = refused;

  get membership(): never {
    return refuse();
  }

  get tickets(): never {
    return refuse();
  }

  get storage(): never {
    return refuse();
  }

  #now(): Tree {
    return this.#tree ??= damaged(() => new Tree(this.#view.rows()));
  }

  #entryOf(path: string, row: StoredRow): TreeEntry {
    const { kind, data, version, mtime, writer } = row;
    const name = nameOf(this.#spec, nodeId(writer));
    return { path, kind, size: data.length, version, mtime, writer: name };
  }
}

function refuse(): never {
  throw new ProblemError("node.offline", "no daemon was asked, only files");
}

function refused(): Promise<never> {
  return Promise.reject(new ProblemError("node.offline", "no daemon was asked, only files"));
}

function answered<T>(make: () => T): Promise<T> {
  return Promise.resolve().then(() => damaged(make));
}

/** What SQLite or a checksum says against the file is no bug of ours. */
function damaged<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ProblemError("node.bad-data", why, { cause: error });
  }
}
