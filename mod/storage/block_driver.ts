/**
 * Performs the disk calls of stream 4 over a `DiskPort`. Every call is answered exactly once: by
 * the disk, or by the deadline that stands outside each call, past which a late answer is ignored.
 *
 * @module
 */
import { after, earliest, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { ClockPort, Disk, DiskFailure, DiskPort, TimerHandle } from "../host/ports.ts";
import type { DiskCall, DiskResult, StorageEffect, StorageEvent } from "./events.ts";

type DiskEffect = Extract<StorageEffect, { kind: "disk" }>;

/** What the driver works with. */
export interface DiskDriverParts {
  readonly port: DiskPort;
  readonly clock: ClockPort;
  /** How long one call may take, asked anew for each. */
  readonly callMs: () => Millis;
  readonly feed: (event: StorageEvent) => void;
}

interface Pending {
  readonly disk: number;
  readonly at: Instant;
}

/** An opening that the port has not ended yet; `tag` is the newest call that waits for it. */
interface Opening {
  readonly path: string;
  tag: number;
}

/** One per node. */
export class DiskDriver {
  readonly #parts: DiskDriverParts;
  readonly #timer: TimerHandle;
  readonly #disks = new Map<number, Disk>();
  readonly #pending = new Map<number, Pending>();
  /** One for each disk: a path that hangs must not gather processes with each new try. */
  readonly #openings = new Map<number, Opening>();
  /** Opened too late for who asked: the next to ask has them. No other call was made on them. */
  readonly #late = new Map<number, { readonly path: string; readonly opened: Disk }>();

  constructor(parts: DiskDriverParts) {
    this.#parts = parts;
    this.#timer = parts.clock.timer(() => this.#expire());
  }

  /** Starts one call. */
  perform({ disk, tag, call }: DiskEffect): void {
    if (call.call === "open") this.#close(disk);
    const at = after(this.#parts.clock.now(), this.#parts.callMs());
    this.#pending.set(tag, { disk, at });
    this.#arm();
    if (call.call === "open") return this.#open(disk, tag, call.path);
    const open = this.#disks.get(disk);
    if (open === undefined) this.#answer(tag, failed("absent", "the disk is not open"));
    else this.#run(open, tag, call);
  }

  /** Closes every disk; nothing is fed any more. */
  close(): void {
    this.#pending.clear();
    this.#timer.set(NEVER);
    for (const disk of this.#disks.values()) disk.close();
    for (const { opened } of this.#late.values()) opened.close();
    for (const each of [this.#disks, this.#late, this.#openings]) each.clear();
  }

  #open(disk: number, tag: number, path: string): void {
    const late = this.#late.get(disk);
    this.#late.delete(disk);
    if (late?.path === path) return this.#opened(disk, tag, late.opened);
    late?.opened.close();
    const under = this.#openings.get(disk);
    if (under?.path === path) {
      under.tag = tag;
      return;
    }
    const opening: Opening = { path, tag };
    this.#openings.set(disk, opening);
    this.#parts.port.open(path, (result) => {
      const wanted = this.#openings.get(disk) === opening;
      if (wanted) this.#openings.delete(disk);
      if ("failure" in result) {
        return this.#answer(opening.tag, { result: "failed", failure: result });
      }
      if (!wanted) return result.close();
      if (this.#pending.has(opening.tag)) return this.#opened(disk, opening.tag, result);
      this.#late.set(disk, { path, opened: result });
    });
  }

  #opened(disk: number, tag: number, opened: Disk): void {
    this.#disks.set(disk, opened);
    const { kind, sizeBytes } = opened;
    this.#answer(tag, { result: "opened", kind, sizeBytes });
  }

  #run(disk: Disk, tag: number, call: Exclude<DiskCall, { call: "open" }>): void {
    const done = (failure: DiskFailure | null) =>
      this.#answer(tag, failure === null ? { result: "done" } : { result: "failed", failure });
    switch (call.call) {
      case "read":
        return disk.read(call.offset, call.length, (result) => {
          const bytes = result instanceof Uint8Array;
          this.#answer(
            tag,
            bytes ? { result: "bytes", bytes: result } : { result: "failed", failure: result },
          );
        });
      case "reservations":
        return disk.readReservations((result) => {
          const bad = "failure" in result;
          this.#answer(
            tag,
            bad ? { result: "failed", failure: result } : { result: "reservations", state: result },
          );
        });
      case "try-write":
        return disk.tryWrite(done);
      case "traits":
        return disk.inspect((report) => {
          const bad = "failure" in report;
          const persists = bad ? null : report.capabilities?.persistActive ?? null;
          this.#answer(
            tag,
            bad ? { result: "failed", failure: report } : { result: "traits", persists },
          );
        });
      case "write":
        return disk.write(call.offset, call.bytes, done);
      case "compare-and-write":
        if (disk.compareAndWrite !== undefined) return disk.compareAndWrite(call, done);
        return this.#answer(tag, failed("unsupported", "the disk cannot compare and write"));
      case "register":
        return disk.register(call.key, done);
      case "unregister":
        return disk.unregister(call.key, done);
      case "reserve":
        return disk.reserve(call.key, call.type, done);
      case "preempt": {
        const { key, victim, type, abort } = call;
        return disk.preempt({ key, victim, type, abort }, done);
      }
    }
  }

  /** Calls on the old disk are answered before the new one is opened. */
  #close(disk: number): void {
    this.#disks.get(disk)?.close();
    this.#disks.delete(disk);
    for (const [tag, pending] of [...this.#pending]) {
      if (pending.disk === disk) this.#answer(tag, failed("io", "the disk was closed"));
    }
  }

  #expire(): void {
    const now = this.#parts.clock.now();
    for (const [tag, { at }] of [...this.#pending]) {
      if (at <= now) this.#answer(tag, failed("hung", "no answer in time"));
    }
    this.#arm();
  }

  #answer(tag: number, result: DiskResult): void {
    const pending = this.#pending.get(tag);
    if (pending === undefined) return;
    this.#pending.delete(tag);
    this.#parts.feed({ kind: "disk", disk: pending.disk, tag, result });
  }

  #arm(): void {
    this.#timer.set(earliest(NEVER, ...[...this.#pending.values()].map(({ at }) => at)));
  }
}

function failed(failure: DiskFailure["failure"], detail: string): DiskResult {
  return { result: "failed", failure: { failure, detail } };
}
