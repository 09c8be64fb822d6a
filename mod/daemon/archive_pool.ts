/** Asks the archive: a Worker for each question, so many at once, the others in line. @module */
import { assert } from "../base/assert.ts";
import { ProblemError } from "../base/problem.ts";
import type { ArchiveAnswer, ArchiveAsk, Question, Questions } from "./archive_ask.ts";

/** Questions that are being answered at once: each may hold a whole tree in memory. */
export const ASKED_MAX = 2;
/** Questions that wait; more are refused. */
export const WAITING_MAX = 32;

/** One per daemon. */
export class ArchivePool {
  readonly #open = new Set<Session>();
  readonly #line: (() => void)[] = [];
  /** Places that are given away: to a session, or to one in line that has not begun yet. */
  #taken = 0;
  #closed = false;

  /** One question, and its whole answer. Throws its refusal. */
  async ask<Q extends Question>(ask: Q, what: Questions[Q][0]): Promise<Questions[Q][1]> {
    const session = await this.#begin();
    try {
      return await session.send({ ask, what } as ArchiveAsk) as Questions[Q][1];
    } finally {
      session.end();
    }
  }

  /** Pieces of an answer, each made when it is wanted. What is refused is refused before the first. */
  async stream(what: Questions["export"][0]): Promise<ReadableStream<Uint8Array>> {
    const session = await this.#begin();
    let piece: Uint8Array | null;
    try {
      piece = await session.send({ ask: "export", what }) as Uint8Array | null;
    } catch (error) {
      session.end();
      throw error;
    }
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (piece === null) {
          session.end();
          return controller.close();
        }
        controller.enqueue(piece);
        piece = await session.send({ ask: "next" }) as Uint8Array | null;
      },
      cancel: () => session.end(),
    }, { highWaterMark: 0 });
  }

  /** Ends all that is under way: the daemon stops. */
  close(): void {
    this.#closed = true;
    for (const session of this.#open) session.end();
    for (const go of this.#line.splice(0)) go();
  }

  async #begin(): Promise<Session> {
    if (this.#taken < ASKED_MAX) this.#taken++;
    else {
      if (this.#line.length >= WAITING_MAX) {
        throw new ProblemError("api.busy", `${WAITING_MAX} questions about the past wait already`);
      }
      await new Promise<void>((go) => this.#line.push(go));
    }
    if (this.#closed) throw new ProblemError("node.unreachable", "the daemon stops");
    const session = new Session(() => {
      this.#open.delete(session);
      const next = this.#line.shift();
      if (next === undefined) this.#taken--;
      else next();
    });
    this.#open.add(session);
    return session;
  }
}

/** One Worker's life. */
class Session {
  readonly #worker: Worker;
  readonly #onEnd: () => void;
  #waiting: PromiseWithResolvers<unknown> | null = null;
  #ended = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL("./archive_worker.ts", import.meta.url), {
      type: "module",
      name: "archive",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<ArchiveAnswer>) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      if (data.ok) waiting?.resolve(data.value);
      else waiting?.reject(new ProblemError(data.problem.code, data.problem.why));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new ProblemError("bug", `the archive's Worker ended: ${event.message}`));
    };
  }

  send(ask: ArchiveAsk): Promise<unknown> {
    assert(this.#waiting === null, "One answer is waited for at a time");
    if (this.#ended) throw new ProblemError("node.unreachable", "the daemon stops");
    this.#waiting = Promise.withResolvers();
    this.#worker.postMessage(ask);
    return this.#waiting.promise;
  }

  /** Whatever is under way is broken off. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.terminate();
    this.#fail(new ProblemError("node.unreachable", "the daemon stops"));
    this.#onEnd();
  }

  #fail(problem: ProblemError): void {
    this.#waiting?.reject(problem);
    this.#waiting = null;
  }
}
