/**
 * Requests that are under way, each with the time at which it is answered come what may. A mount that
 * does not answer hangs every program that so much as looks at it.
 *
 * @module
 */
import { after, earliest, type Instant } from "../../base/time.ts";
import type { MountOutput, MountParts, StepClock } from "./context.ts";
import { CALLS_MAX } from "./limits.ts";
import { BUSY, UNKNOWN_OUTCOME } from "./refusal.ts";
import type { Errno, FuseReply, FuseRequest } from "./requests.ts";

/** One request that waits. */
export class Call {
  readonly request: FuseRequest;
  /** Who waits for a lock has none. */
  deadline: Instant;
  /** Inodes that the kernel keeps locked while it waits. */
  readonly holds: readonly number[];
  /** Takes back what is under way for it: true where it surely is not done. */
  withdraw: () => boolean = () => true;
  /** What it is answered at its deadline or by a signal; null: an error that tells of it. */
  late: FuseReply | null = null;
  ended = false;

  constructor(request: FuseRequest, deadline: Instant, holds: readonly number[]) {
    this.request = request;
    this.deadline = deadline;
    this.holds = holds;
  }
}

/** See the module's note. */
export class Calls {
  readonly #parts: MountParts;
  readonly #clock: StepClock;
  readonly #open = new Map<number, Call>();
  readonly #held = new Map<number, number>();
  /** The deadline of a request that is looked at anew. */
  #resumed: Instant | null = null;
  #out: MountOutput[] = [];

  constructor(parts: MountParts, clock: StepClock) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** Answers a request. */
  reply(request: FuseRequest, reply: FuseReply): void {
    this.#out.push({ output: "reply", request, reply });
  }

  /** Answers it with an error. */
  refuse(request: FuseRequest, errno: Errno): void {
    this.reply(request, { reply: "error", errno });
  }

  /** A request that is answered later; null where too many wait, which it is told. */
  open(request: FuseRequest, holds: readonly number[] = []): Call | null {
    if (this.#open.size >= CALLS_MAX || this.#open.has(request.unique)) {
      this.refuse(request, BUSY);
      return null;
    }
    const deadline = this.#resumed ?? after(this.#clock.now, this.#parts.callMs());
    const call = new Call(request, deadline, holds);
    this.#open.set(request.unique, call);
    for (const node of holds) this.#held.set(node, (this.#held.get(node) ?? 0) + 1);
    return call;
  }

  /** The answer to a request that waited; nothing, where it was answered already. */
  end(call: Call, reply: FuseReply): void {
    if (call.ended) return;
    this.#close(call);
    this.reply(call.request, reply);
  }

  /** It need not wait any more: `again` looks at the request anew, with the time that is left. */
  resume(call: Call, again: () => void): void {
    if (call.ended) return;
    this.#close(call);
    this.#resumed = call.deadline;
    again();
    this.#resumed = null;
  }

  /** The same with an error. */
  fail(call: Call, errno: Errno): void {
    this.end(call, { reply: "error", errno });
  }

  /** A signal came for who waits: what was sent may still be committed. */
  interrupt(unique: number): void {
    const call = this.#open.get(unique);
    if (call === undefined) return;
    if (call.late !== null) return this.end(call, call.late);
    call.withdraw();
    this.fail(call, "EINTR");
  }

  /** Answers those whose time is over. */
  expire(): void {
    for (const call of this.#open.values()) {
      if (call.deadline > this.#clock.now) continue;
      if (call.late !== null) this.end(call, call.late);
      else {
        this.fail(call, call.withdraw() ? BUSY : UNKNOWN_OUTCOME);
      }
    }
  }

  /** When the next one's time is over. */
  deadline(): Instant {
    return earliest(...[...this.#open.values()].map((call) => call.deadline));
  }

  /** True where the kernel holds the lock of this inode until we have answered. */
  holds(node: number): boolean {
    return this.#held.has(node);
  }

  /** Nobody waits any more: the mount is gone. */
  clear(): void {
    for (const call of this.#open.values()) {
      call.ended = true;
      call.withdraw();
    }
    this.#open.clear();
    this.#held.clear();
  }

  /** The answers since the last time. */
  take(): MountOutput[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #close(call: Call): void {
    call.ended = true;
    this.#open.delete(call.request.unique);
    for (const node of call.holds) {
      const left = (this.#held.get(node) ?? 0) - 1;
      if (left > 0) this.#held.set(node, left);
      else this.#held.delete(node);
    }
  }
}
