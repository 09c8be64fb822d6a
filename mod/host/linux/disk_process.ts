/**
 * The disk port: one child process per open disk, the same program started as a worker. The child
 * is the nexus: when it ends, its registration stays with the disk, and a new child is a new
 * nexus.
 *
 * @module
 */
import { encodeText } from "../../base/bytes.ts";
import type {
  Disk,
  DiskFailure,
  DiskPort,
  DiskReport,
  PreemptAsk,
  ReservationCommand,
  ReservationState,
  ReservationType,
} from "../ports.ts";
import { NO_KEY } from "../scsi/command.ts";
import { isIscsiName } from "../scsi/transport_id.ts";
import { DISK_ANSWER, DISK_ASK, type DiskAnswer, type DiskAsk } from "./disk_frame.ts";
import {
  encodeFrame,
  EXCHANGE_BYTES_MAX,
  FrameReader,
  PATH_BYTES_MAX,
  PORTS_MAX,
} from "./disk_frame.ts";
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
    if (encodeText(path).length > PATH_BYTES_MAX) {
      const detail = `A path of ${path.length} characters`;
      return queueMicrotask(() => done({ failure: "absent", detail }));
    }
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
    // Zero would take a registration away.
    if (key === NO_KEY) return queueMicrotask(() => done(notAKey(key)));
    this.command({ kind: "register", old: null, key, ...WHERE_IT_CAN }, done);
  }

  unregister(key: string, done: (failure: DiskFailure | null) => void): void {
    this.command({ kind: "register", old: key, key: NO_KEY, ...WHERE_IT_CAN }, done);
  }

  reserve(key: string, type: ReservationType, done: (failure: DiskFailure | null) => void): void {
    this.command({ kind: "reserve", key, type }, done);
  }

  preempt(ask: PreemptAsk, done: (failure: DiskFailure | null) => void): void {
    this.command({ kind: "preempt", ...ask }, done);
  }

  readReservations(done: (result: ReservationState | DiskFailure) => void): void {
    this.#worker.ask({ kind: "reservations" }, (result) => {
      if (result.kind !== "reservations") return done(failureOf(result));
      const { generation, keys, holder, type } = result;
      done({ generation, keys, holder, type });
    });
  }

  command(command: ReservationCommand, done: (failure: DiskFailure | null) => void): void {
    const fault = commandFault(command);
    if (fault !== null) return queueMicrotask(() => done(fault));
    this.#worker.ask({ kind: "command", command: complete(command) }, plain(done));
  }

  inspect(done: (result: DiskReport | DiskFailure) => void): void {
    this.#worker.ask({ kind: "inspect" }, (result) => {
      if (result.kind !== "report") return done(failureOf(result));
      const { kind: _, ...report } = result;
      done(report);
    });
  }

  tryWrite(done: (failure: DiskFailure | null) => void): void {
    this.#worker.ask({ kind: "tryWrite" }, plain(done));
  }

  close(): void {
    this.#worker.end();
  }
}

const WHERE_IT_CAN = { persist: null, allTargetPorts: false, initiatorPorts: [] } as const;

type Framed = Extract<Call, { kind: "command" }>["command"];

function complete(command: ReservationCommand): Framed {
  if (command.kind === "preempt") return { ...command, abort: command.abort ?? true };
  if (command.kind !== "register") return command;
  return { ...command, initiatorPorts: [...command.initiatorPorts] };
}

/** What is wrong with a command, before the target is asked; null where nothing is. */
function commandFault(command: ReservationCommand): DiskFailure | null {
  const more = command.kind === "preempt"
    ? command.victim
    : command.kind === "register"
    ? command.old
    : null;
  for (const key of [command.key, more]) {
    if (key !== null && !/^[0-9a-f]{16}$/.test(key)) return notAKey(key);
  }
  if (command.kind !== "register") return null;
  const { initiatorPorts } = command;
  if (initiatorPorts.length > PORTS_MAX) {
    return { failure: "io", detail: `${initiatorPorts.length} initiator ports` };
  }
  const stranger = initiatorPorts.find((name) => !isIscsiName(name));
  if (stranger === undefined) return null;
  return { failure: "io", detail: `"${stranger}" is no iSCSI name` };
}

function notAKey(key: string): DiskFailure {
  return { failure: "io", detail: `"${key}" is not a reservation key` };
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
