/**
 * The Worker around the database file: an fsync that takes long stalls nothing but this thread.
 * After a failed commit it commits nothing any more.
 *
 * @module
 */
import { DatabaseFile } from "./database_file.ts";
import { unpackBatch } from "./packed_batch.ts";
import { unpackRequests, unpackRows } from "./packed_state.ts";
import { buffersOf, type DatabaseAnswer, type DatabaseAsk } from "./database_messages.ts";

/** The global scope of a dedicated Worker, as far as it is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<DatabaseAsk>) => void) | null;
  postMessage(message: DatabaseAnswer, transfer?: Transferable[]): void;
  close(): void;
}

type CommitAsk = Extract<DatabaseAsk, { kind: "commit" }>;

const scope = globalThis as unknown as WorkerScope;
let file: DatabaseFile | null = null;

scope.onmessage = ({ data: ask }) => {
  if (ask.kind === "open") open(ask);
  else if (ask.kind === "commit") commit(ask);
  else if (ask.kind === "history") history(ask);
  else {
    closeFile();
    scope.postMessage({ kind: "closed" });
    scope.close();
  }
};

function open(
  { path, limits, mustExist, beginning }: Extract<DatabaseAsk, { kind: "open" }>,
): void {
  const opened = beginning === null
    ? DatabaseFile.open(path, { limits, mustExist })
    : DatabaseFile.renew(path, beginning, limits);
  if ("damaged" in opened) return scope.postMessage({ kind: "damaged", damage: opened });
  file = opened.file;
  const { content } = opened;
  const buffers = buffersOf([
    ...content.entries.map((entry) => entry.body),
    ...content.rows.map((row) => row.data),
  ]);
  scope.postMessage({ kind: "opened", content }, buffers);
}

function commit({ number, batch: rest, packed, state }: CommitAsk): void {
  let failure: string | null = null;
  try {
    const batch = packed === null ? rest : { ...rest, ...unpackBatch(packed) };
    if (file === null) failure = "the database is not open";
    else if (state === null) file.commit(batch);
    else {
      const { rows, requests } = state;
      file.commit(batch, { rows: unpackRows(rows), requests: unpackRequests(requests) });
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    closeFile();
  }
  scope.postMessage({ kind: "committed", number, failure });
  tendSeal();
}

/** The commit was told; that the seal cannot be written is the next one's failure. */
function tendSeal(): void {
  try {
    file?.tendSeal();
  } catch {
    closeFile();
  }
}

function history({ number, ask }: Extract<DatabaseAsk, { kind: "history" }>): void {
  const page = file === null ? { failure: "the database is not open" } : file.history(ask);
  scope.postMessage({ kind: "history", number, page });
}

function closeFile(): void {
  const open = file;
  file = null;
  try {
    open?.close();
  } catch {
    // What was committed is on the disk; closing adds nothing to it.
  }
}
