/**
 * `/v1/events`: the conversation as server-sent events (HTML Living Standard, section 9.2).
 *
 * There is no queue per reader: the node keeps its newest lines, each reader keeps its place, and a
 * reader too slow for the ring is told of the gap. `id` is `LIFE.SEQ`: a number alone would mean
 * another line after a restart of the daemon.
 *
 * @module
 */
import { z } from "zod";
import { encodeText } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import type { EventLine } from "../../node/view.ts";
import { STREAMS } from "../../streams.ts";
import { type Call, type Route, route } from "../route.ts";

/** Readers at once. */
export const STREAMS_MAX = 64;
/** Lines in one piece of an answer. */
const CHUNK_LINES_MAX = 256;
/** What a browser waits before it connects again. */
const RETRY_MS = 1000;

const FLAG = z.enum(["true", "false"]);
const QUERY = z.strictObject({
  since: z.string().optional().meta({ description: "A line's number, or an id as LIFE.SEQ" }),
  stream: z.enum([...STREAMS, "node"]).optional(),
  routine: FLAG.default("false").meta({ description: "Also what is said with every beat" }),
  follow: FLAG.default("true").meta({ description: "false: end after the lines there are" }),
});
type Query = z.infer<typeof QUERY>;

export const eventRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/events",
    summary: "The conversation, line by line; resumes with Last-Event-ID or since",
    query: QUERY,
    headers: { "Last-Event-ID": "The id of the last line that was received" },
    answer: { status: 200, content: "text/event-stream" },
    problems: ["api.busy"],
    handle: openStream,
  }),
];

interface Place {
  after: number;
  begun: boolean;
  /** The place belongs to another life of the daemon: whatever was said since is lost. */
  lost: boolean;
}

function openStream(call: Call<Query, unknown>): Response {
  const { shared, query, request } = call;
  const place = placeOf(request.headers.get("Last-Event-ID") ?? query.since, shared.life);
  const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store" };
  if (request.method === "HEAD") return new Response(null, { headers });
  if (shared.streams >= STREAMS_MAX) {
    throw new ProblemError("api.busy", `${STREAMS_MAX} event streams are open`);
  }
  const source = new EventSource(call, place);
  return new Response(source.stream(), { headers });
}

function placeOf(text: string | undefined, life: string): Place {
  if (text === undefined) return { after: 0, begun: false, lost: false };
  const match = /^(?:([0-9a-f]{1,16})\.)?(\d{1,15})$/.exec(text.trim());
  if (match === null) {
    throw new ProblemError("api.bad-request", "an event id is LIFE.SEQ, or SEQ alone");
  }
  if (match[1] !== undefined && match[1] !== life) return { after: 0, begun: false, lost: true };
  return { after: Number(match[2]), begun: false, lost: false };
}

/** One reader. */
class EventSource {
  readonly #call: Call<Query, unknown>;
  readonly #place: Place;
  #closed = false;
  #wake: (() => void) | null = null;
  #release = () => {};

  constructor(call: Call<Query, unknown>, place: Place) {
    this.#call = call;
    this.#place = place;
  }

  stream(): ReadableStream<Uint8Array> {
    const { shared, node, stopping } = this.#call;
    shared.streams++;
    const wake = () => this.#wake?.();
    const forget = node.onEvent(wake);
    stopping.addEventListener("abort", wake);
    this.#release = () => {
      if (this.#closed) return;
      this.#closed = true;
      shared.streams--;
      forget();
      stopping.removeEventListener("abort", wake);
      wake();
    };
    return new ReadableStream<Uint8Array>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#release(),
    }, { highWaterMark: 1 });
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (let quiet = false; !this.#closed;) {
      const text = this.#next();
      if (text !== "") return controller.enqueue(encodeText(text));
      if (this.#call.query.follow === "false" || this.#call.stopping.aborted) {
        this.#release();
        return controller.close();
      }
      // The comment keeps proxies from closing a quiet connection, and finds a dead reader.
      if (quiet) return controller.enqueue(encodeText(": still here\n\n"));
      quiet = await this.#sleep();
    }
  }

  /** Waits for a line; true where only the time passed. */
  #sleep(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(true), this.#call.keepAliveMs);
      const end = (quiet: boolean) => {
        clearTimeout(timer);
        this.#wake = null;
        resolve(quiet);
      };
      this.#wake = () => end(false);
    });
  }

  /** The next lines as text; empty where there is nothing new to this reader. */
  #next(): string {
    const { node, shared, query } = this.#call;
    const from = this.#place.after;
    const { lines, gap } = node.eventsAfter(from);
    const some = lines.slice(0, CHUNK_LINES_MAX);
    // The first piece sends the headers off, and says how soon to come back after a cut.
    let text = this.#place.begun ? "" : `retry: ${RETRY_MS}\n\n`;
    this.#place.begun = true;
    if (gap || this.#place.lost) {
      const first = some[0]?.seq ?? null;
      text += `event: gap\ndata: ${JSON.stringify({ after: from, first })}\n\n`;
      this.#place.lost = false;
    }
    const wanted = (line: EventLine) =>
      (query.stream === undefined || line.stream === query.stream) &&
      (!line.routine || query.routine === "true");
    for (const line of some) {
      if (wanted(line)) text += `id: ${shared.life}.${line.seq}\ndata: ${JSON.stringify(line)}\n\n`;
    }
    this.#place.after = some.at(-1)?.seq ?? from;
    return text === "" && some.length < lines.length ? this.#next() : text;
  }
}
