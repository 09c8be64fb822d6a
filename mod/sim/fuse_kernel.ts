/**
 * A small kernel on the other side of a FUSE mount: makes requests of calls, as bytes, and brings
 * their answers back. It caches nothing, so every call is a request; what it was told to forget is
 * counted, for tests to look at.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Caller, Errno, FuseCall, FuseNotice } from "../config/fuse/requests.ts";
import { INIT, MAJOR, MINOR } from "../config/fuse/protocol.ts";
import { type Answer, decodeNotice, decodeReply, uniqueOf } from "./fuse_answer.ts";
import { encodeRequest } from "./fuse_request.ts";

/** What a program is told when nobody serves the mount any more. */
export type CallErrno = Errno | "ENOTCONN";

/** The end of a call. */
export type Result = Exclude<Answer, { reply: "error" }> | {
  readonly reply: "error";
  readonly errno: CallErrno;
};

/** Calls that have no reply. */
type Silent = Extract<FuseCall, { call: "forget" | "interrupt" }>;

interface Pending {
  readonly call: FuseCall;
  readonly done: (result: Result) => void;
}

/** Requests are numbered in twos: the odd ones are those of interrupts (FUSE_INT_REQ_BIT). */
const UNIQUE_STEP = 2;
const EVERY_FLAG = Object.values(INIT).reduce((all, flag) => all | flag, 0n);

/** See the module's note. */
export class SimKernel {
  /** What it was told unasked, oldest first. */
  readonly notices: FuseNotice[] = [];
  /** Called for each notice. */
  onNotice: (notice: FuseNotice) => void = nothing;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #pending = new Map<number, Pending>();
  /** Calls before the answer to INIT. */
  #early: (() => void)[] = [];
  #state: "new" | "running" | "dead" = "new";
  #unique = 0;
  #maxWrite = 0;

  /** `send` hands a request to whoever serves the mount. */
  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** Bytes that one WRITE carries at most; 0 before INIT. */
  get maxWrite(): number {
    return this.#maxWrite;
  }

  /** Requests without an answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Sends INIT; other calls wait for its answer. */
  start(): void {
    const offer = { major: MAJOR, minor: MINOR, maxReadahead: 131_072, flags: EVERY_FLAG };
    this.#ask({ node: 0, caller: ROOT, call: { call: "init", ...offer } }, (result) => {
      if (result.reply !== "init" || result.major !== MAJOR) return this.abort();
      this.#maxWrite = result.maxWrite;
      this.#state = "running";
      const early = this.#early;
      this.#early = [];
      for (const run of early) run();
    });
  }

  /**
   * One call about `node`. Returns its unique, for `interrupt`; 0 while INIT is not answered, when
   * nothing can be interrupted.
   */
  call(
    ask: { readonly node: number; readonly caller: Caller; readonly call: FuseCall },
    done: (result: Result) => void,
  ): number {
    if (this.#state === "running") return this.#ask(ask, done);
    if (this.#state === "new") this.#early.push(() => this.#ask(ask, done));
    else done(NOBODY);
    return 0;
  }

  /** A call to which nothing is answered. */
  tell(node: number, call: Silent): void {
    if (this.#state !== "running") return;
    const interrupted = call.call === "interrupt" ? call.target + 1 : null;
    const unique = interrupted ?? (this.#unique += UNIQUE_STEP);
    this.#send(encodeRequest({ unique, node, caller: ROOT, ...call }));
  }

  /** What was written to the device. A reply to a request that is not there (any more) is ignored. */
  write(bytes: Uint8Array): void {
    const unique = uniqueOf(bytes);
    assert(unique !== null, "What is written to the device is a whole reply or notice");
    if (unique === 0) return this.#note(bytes);
    const pending = this.#pending.get(unique);
    if (pending === undefined) return;
    const answer = decodeReply(pending.call, bytes);
    assert(answer !== null, `The reply to "${pending.call.call}" is one that Linux takes`);
    this.#pending.delete(unique);
    pending.done(answer);
  }

  /** Nobody serves the mount any more: every call ends, those under way too. */
  abort(): void {
    if (this.#state === "dead") return;
    this.#state = "dead";
    const early = this.#early;
    const pending = [...this.#pending.values()];
    this.#early = [];
    this.#pending.clear();
    for (const { done } of pending) done(NOBODY);
    for (const run of early) run();
  }

  #ask(
    { node, caller, call }: { node: number; caller: Caller; call: FuseCall },
    done: (result: Result) => void,
  ): number {
    if (this.#state === "dead") {
      done(NOBODY);
      return 0;
    }
    const unique = this.#unique += UNIQUE_STEP;
    this.#pending.set(unique, { call, done });
    this.#send(encodeRequest({ unique, node, caller, ...call }));
    return unique;
  }

  #note(bytes: Uint8Array): void {
    const notice = decodeNotice(bytes);
    assert(notice !== null, "A notice is one that Linux takes");
    this.notices.push(notice);
    this.onNotice(notice);
  }
}

const ROOT: Caller = { uid: 0, gid: 0, pid: 0 };
const NOBODY: Result = { reply: "error", errno: "ENOTCONN" };

function nothing(): void {
  // Nobody listens.
}
