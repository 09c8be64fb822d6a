/**
 * The main function of a disk process. It does one disk's calls one by one, blocking: a path that
 * hangs leaves this process in an uninterruptible sleep, and nothing else.
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import type { DiskFailure, ReservationType } from "../ports.ts";
import { DISK_ANSWER, DISK_ASK, type DiskAnswer, type DiskAsk } from "./disk_frame.ts";
import { encodeFrame, FrameReader } from "./disk_frame.ts";
import { LunFile } from "./lun_file.ts";

type Call = DiskAsk["call"];
type Result = DiskAnswer["result"];

const READ_BYTES = 64 * 1024;
const DETAIL_LENGTH_MAX = 300;
const TYPES: readonly number[] = [1, 3, 5, 6, 7, 8];

/** Serves calls from stdin until it closes; then the process ends. */
// deno-lint-ignore require-await -- a main function: it never returns
export async function diskWorker(): Promise<never> {
  const nexus = toHex(crypto.getRandomValues(new Uint8Array(8)));
  const reader = new FrameReader(DISK_ASK);
  const chunk = new Uint8Array(READ_BYTES);
  let disk: LunFile | null = null;
  for (;;) {
    const length = Deno.stdin.readSync(chunk);
    if (length === null) break;
    const asks = reader.push(chunk.subarray(0, length));
    if (asks === null) Deno.exit(1);
    for (const { tag, call } of asks) {
      let result: Result;
      if (call.kind === "open") {
        const opened: LunFile | DiskFailure = disk === null
          ? LunFile.open(call.path, nexus)
          : REOPENED;
        result = answerOf(opened);
        if (opened instanceof LunFile) disk = opened;
      } else result = disk === null ? failed(CLOSED) : execute(disk, call);
      writeAll(encodeFrame(DISK_ANSWER, { tag, result }));
    }
  }
  disk?.close();
  Deno.exit(0);
}

const REOPENED: DiskFailure = { failure: "io", detail: "This process has its disk already" };
const CLOSED: DiskFailure = { failure: "absent", detail: "The disk is not open" };

function execute(disk: LunFile, call: Exclude<Call, { kind: "open" }>): Result {
  switch (call.kind) {
    case "read":
      return answerOf(disk.read(call.offset, call.length));
    case "write":
      return answerOf(disk.write(call.offset, call.bytes));
    case "exchange":
      return answerOf(disk.compareAndWrite(call));
    case "register":
      return answerOf(disk.register(call.key));
    case "unregister":
      return answerOf(disk.unregister(call.key));
    case "reserve":
      return typed(call, (type) => disk.reserve(call.key, type));
    case "preempt":
      return typed(call, (type) => disk.preempt({ key: call.key, victim: call.victim, type }));
    case "reservations":
      return answerOf(disk.readReservations());
  }
}

function typed(
  call: { readonly type: number },
  run: (type: ReservationType) => DiskFailure | null,
): Result {
  if (TYPES.includes(call.type)) return answerOf(run(call.type as ReservationType));
  return failed({ failure: "io", detail: `${call.type} is not a reservation type` });
}

function answerOf(
  value: LunFile | Uint8Array | DiskFailure | ReturnType<LunFile["readReservations"]> | null,
): Result {
  if (value === null) return { kind: "done" };
  if (value instanceof Uint8Array) return { kind: "bytes", bytes: value };
  if (value instanceof LunFile) {
    return { kind: "opened", disk: value.kind, sizeBytes: value.sizeBytes };
  }
  return "failure" in value ? failed(value) : { kind: "reservations", ...value };
}

function failed({ failure, detail }: DiskFailure): Result {
  return { kind: "failed", failure, detail: detail.slice(0, DETAIL_LENGTH_MAX) };
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
