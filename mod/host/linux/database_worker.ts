/**
 * The Worker around the database file: an fsync that takes long stalls nothing but this thread.
 * After a failed commit it commits nothing any more.
 *
 * @module
 */
import { DatabaseFile } from "./database_file.ts";
import { verifySteps } from "./database_verify.ts";
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
/** A slice of a verification, and the pause behind it: a commit waits for the former at most. */
const SLICE_MS = 4;
const PAUSE_MS = 12;

let file: DatabaseFile | null = null;
let filePath = "";

scope.onmessage = ({ data: ask }) => {
  if (ask.kind === "open") open(ask);
  else if (ask.kind === "commit") commit(ask);
  else if (ask.kind === "history") history(ask);
  else if (ask.kind === "verify") verify();
  else {
    closeFile();
    scope.postMessage({ kind: "closed" });
    scope.close();
  }
};

function open(
  { path, limits, mustExist, beginning }: Extract<DatabaseAsk, { kind: "open" }>,
): void {
  filePath = path;
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

function verify(): void {
  if (file === null) return verified({ failure: "the database is not open" });
  goOnVerifying(verifySteps(filePath));
}

/** What was asked for meanwhile runs in the pauses. */
function goOnVerifying(steps: ReturnType<typeof verifySteps>): void {
  try {
    // Its own connection is closed by this.
    if (file === null) steps.throw(new Error("The database was closed"));
    const until = performance.now() + SLICE_MS;
    while (performance.now() < until) {
      const { done, value } = steps.next();
      if (done) return verified(value);
    }
    setTimeout(() => goOnVerifying(steps), PAUSE_MS);
  } catch (error) {
    verified({ failure: error instanceof Error ? error.message : String(error) });
  }
}

function verified(report: Extract<DatabaseAnswer, { kind: "verified" }>["report"]): void {
  scope.postMessage({ kind: "verified", report });
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
