/**
 * The main function of a disk process. It does one disk's calls one by one, blocking: a path that
 * hangs leaves this process in an uninterruptible sleep, and nothing else.
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import type { DiskFailure } from "../ports.ts";
import { openWorkerDisk } from "./device_disk.ts";
import { DISK_ANSWER, DISK_ASK, type DiskAnswer, type DiskAsk } from "./disk_frame.ts";
import { encodeFrame, FrameReader } from "./disk_frame.ts";
import { isFailure, type WorkerDisk } from "./worker_disk.ts";

type Call = DiskAsk["call"];
type Result = DiskAnswer["result"];

const READ_BYTES = 64 * 1024;
const DETAIL_LENGTH_MAX = 300;

/** Serves calls from stdin until it closes; then the process ends. */
// deno-lint-ignore require-await -- a main function: it never returns
export async function diskWorker(): Promise<never> {
  const nexus = toHex(crypto.getRandomValues(new Uint8Array(8)));
  const reader = new FrameReader(DISK_ASK);
  const chunk = new Uint8Array(READ_BYTES);
  let disk: WorkerDisk | null = null;
  for (;;) {
    const length = Deno.stdin.readSync(chunk);
    if (length === null) break;
    const asks = reader.push(chunk.subarray(0, length));
    if (asks === null) Deno.exit(1);
    for (const { tag, call } of asks) {
      let result: Result;
      if (call.kind === "open") {
        const opened: WorkerDisk | DiskFailure = disk === null
          ? openWorkerDisk(call.path, nexus)
          : REOPENED;
        if (!isFailure(opened)) disk = opened;
        result = isFailure(opened)
          ? failed(opened)
          : { kind: "opened", disk: opened.kind, sizeBytes: opened.sizeBytes };
      } else result = disk === null ? failed(CLOSED) : execute(disk, call);
      if (!writeAll(encodeFrame(DISK_ANSWER, { tag, result }))) Deno.exit(0);
    }
  }
  disk?.close();
  Deno.exit(0);
}

const REOPENED: DiskFailure = { failure: "io", detail: "This process has its disk already" };
const CLOSED: DiskFailure = { failure: "absent", detail: "The disk is not open" };

function execute(disk: WorkerDisk, call: Exclude<Call, { kind: "open" }>): Result {
  switch (call.kind) {
    case "read": {
      const bytes = disk.read(call.offset, call.length);
      return isFailure(bytes) ? failed(bytes) : { kind: "bytes", bytes };
    }
    case "write":
      return plain(disk.write(call.offset, call.bytes));
    case "exchange":
      return plain(disk.compareAndWrite(call));
    case "command":
      return plain(disk.command(call.command));
    case "reservations": {
      const state = disk.readReservations();
      return isFailure(state) ? failed(state) : { kind: "reservations", ...state };
    }
    case "tryWrite":
      return plain(disk.tryWrite());
    case "inspect": {
      const report = disk.inspect();
      return isFailure(report) ? failed(report) : { kind: "report", ...report };
    }
  }
}

function plain(failure: DiskFailure | null): Result {
  return failure === null ? { kind: "done" } : failed(failure);
}

function failed({ failure, detail }: DiskFailure): Result {
  return { kind: "failed", failure, detail: detail.slice(0, DETAIL_LENGTH_MAX) };
}

/** False where nobody is there to read it: who asked has ended. */
function writeAll(bytes: Uint8Array): boolean {
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}
