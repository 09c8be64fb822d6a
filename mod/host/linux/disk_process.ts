/**
 * The disk port: one child process per open disk, the same program started as a worker. The child
 * is the nexus: when it ends, its registration stays with the disk, and a new child is a new
 * nexus.
 *
 * @module
 */
import type { Disk, DiskFailure, DiskPort, ReservationState, ReservationType } from "../ports.ts";
import { DISK_ANSWER, DISK_ASK, type DiskAnswer, type DiskAsk } from "./disk_frame.ts";
import { encodeFrame, EXCHANGE_BYTES_MAX, FrameReader } from "./disk_frame.ts";
import { transferFault } from "./direct_io.ts";

/** The argument that makes the program a disk worker. */
export const DISK_WORKER_ARGUMENT = "disk-worker";

type Call = DiskAsk["call"];
type Result = DiskAnswer["result"];
type Done = (result: Result) => void;

/** What the port is made with. */
export interface DiskProcessOptions {
  /** How to start this very program: `[deno, "run", flags…, "main.ts"]`, or `[executable]`. */
  readonly selfCommand: readonly string[];
}

/** Shared disks of a Linux host. */
export class DiskProcessPort implements DiskPort {
  readonly #command: readonly string[];
  readonly #workers = new Set<Worker>();

  constructor({ selfCommand }: DiskProcessOptions) {
    this.#command = selfCommand;
  }

  open(path: string, done: (result: Disk | DiskFailure) => void): void {
    let worker: Worker;
    try {
      worker = new Worker(this.#command);
    } catch (error) {
      const detail = `Cannot start a disk process: ${String(error)}`;
      return queueMicrotask(() => done({ failure: "io", detail }));
    }
    this.#workers.add(worker);
    worker.gone.then(() => this.#workers.delete(worker));
    worker.ask({ kind: "open", path }, (result) => {
      if (result.kind === "opened") return done(new ProcessDisk(worker, result));
      worker.end();
      done(failureOf(result));
    });
  }

  /** Ends every disk process; resolves when all are gone (never, while one hangs in the kernel). */
  async close(): Promise<void> {
    const workers = [...this.#workers];
    for (const worker of workers) worker.end();
    await Promise.all(workers.map(({ gone }) => gone));
  }
}

class ProcessDisk implements Disk {
  readonly kind: "scsi" | "nvme" | "file";
  readonly sizeBytes: number;
  readonly #worker: Worker;

  constructor(worker: Worker, opened: Extract<Result, { kind: "opened" }>) {
    this.#worker = worker;
    this.kind = opened.disk;
    this.sizeBytes = opened.sizeBytes;
  }

  read(offset: number, length: number, done: (result: Uint8Array | DiskFailure) => void): void {
    const fault = transferFault(offset, length, this.sizeBytes);
    if (fault !== null) return queueMicrotask(() => done(fault));
    this.#worker.ask(
      { kind: "read", offset, length },
      (result) => done(result.kind === "bytes" ? result.bytes : failureOf(result)),
    );
  }

  write(offset: number, bytes: Uint8Array, done: (failure: DiskFailure | null) => void): void {
    const fault = transferFault(offset, bytes.length, this.sizeBytes);
    if (fault !== null) return queueMicrotask(() => done(fault));
    this.#worker.ask({ kind: "write", offset, bytes }, plain(done));
  }

  compareAndWrite(
    ask: { readonly offset: number; readonly expect: Uint8Array; readonly bytes: Uint8Array },
    done: (failure: DiskFailure | null) => void,
  ): void {
    const { offset, expect, bytes } = ask;
    const long = bytes.length > EXCHANGE_BYTES_MAX || expect.length !== bytes.length;
    const fault = long ? MISMATCHED : transferFault(offset, bytes.length, this.sizeBytes);
    if (fault !== null) return queueMicrotask(() => done(fault));
    this.#worker.ask({ kind: "exchange", offset, expect, bytes }, plain(done));
  }

  register(key: string, done: (failure: DiskFailure | null) => void): void {
    this.#keyed([key], { kind: "register", key }, done);
  }

  unregister(key: string, done: (failure: DiskFailure | null) => void): void {
    this.#keyed([key], { kind: "unregister", key }, done);
  }

  reserve(key: string, type: ReservationType, done: (failure: DiskFailure | null) => void): void {
    this.#keyed([key], { kind: "reserve", key, type }, done);
  }

  preempt(
    ask: { readonly key: string; readonly victim: string; readonly type: ReservationType },
    done: (failure: DiskFailure | null) => void,
  ): void {
    this.#keyed([ask.key, ask.victim], { kind: "preempt", ...ask }, done);
  }

  readReservations(done: (result: ReservationState | DiskFailure) => void): void {
    this.#worker.ask({ kind: "reservations" }, (result) => {
      if (result.kind !== "reservations") return done(failureOf(result));
      const { generation, keys, holder, type } = result;
      done({ generation, keys, holder, type: type as ReservationType | null });
    });
  }

  close(): void {
    this.#worker.end();
  }

  #keyed(keys: readonly string[], call: Call, done: (failure: DiskFailure | null) => void): void {
    const wrong = keys.find((key) => !/^[0-9a-f]{16}$/.test(key));
    if (wrong === undefined) return this.#worker.ask(call, plain(done));
    const failure: DiskFailure = { failure: "io", detail: `"${wrong}" is not a reservation key` };
    queueMicrotask(() => done(failure));
  }
}

/** One child and the calls that it owes an answer. */
class Worker {
  /** Resolves when the child has ended. Never rejects. */
  readonly gone: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBufferLike>>;
  readonly #pending = new Map<number, Done>();
  #tag = 0;
  #ended = false;

  constructor(selfCommand: readonly string[]) {
    const [program = Deno.execPath(), ...prefix] = selfCommand;
    const command = new Deno.Command(program, {
      args: [...prefix, DISK_WORKER_ARGUMENT],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
    this.#child = command.spawn();
    this.#input = this.#child.stdin.getWriter();
    this.gone = this.#listen();
  }

  ask(call: Call, done: Done): void {
    if (this.#ended) return queueMicrotask(() => done(GONE));
    this.#tag += 1;
    this.#pending.set(this.#tag, done);
    const frame = encodeFrame(DISK_ASK, { tag: this.#tag, call });
    this.#input.write(frame).catch(() => this.end());
  }

  /** Fails what is pending and lets the child go. One in the midst of a call is killed as well. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#pending.size > 0) this.#kill();
    this.#input.close().catch(() => this.#kill());
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const done of pending) queueMicrotask(() => done(GONE));
  }

  async #listen(): Promise<void> {
    const reader = new FrameReader(DISK_ANSWER);
    try {
      for await (const chunk of this.#child.stdout) {
        const answers = reader.push(chunk);
        if (answers === null) break;
        for (const { tag, result } of answers) {
          const done = this.#pending.get(tag);
          this.#pending.delete(tag);
          done?.(result);
        }
      }
    } catch {
      // A broken pipe is an ended child.
    }
    this.end();
    await this.#child.status;
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}

const MISMATCHED: DiskFailure = {
  failure: "io",
  detail: `Cannot compare and write more than ${EXCHANGE_BYTES_MAX} bytes, or unequal lengths`,
};
const GONE: Result = { kind: "failed", failure: "io", detail: "The disk process has ended" };

function plain(done: (failure: DiskFailure | null) => void): Done {
  return (result) => done(result.kind === "done" ? null : failureOf(result));
}

function failureOf(result: Result): DiskFailure {
  if (result.kind === "failed") return { failure: result.failure, detail: result.detail };
  return { failure: "io", detail: `The disk process answered "${result.kind}"` };
}
