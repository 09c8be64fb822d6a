/**
 * `/v1/events`: the conversation as server-sent events (HTML Living Standard, section 9.2).
 *
 * The node keeps its newest lines, each reader keeps its place, and a reader too slow for the ring is
 * told of the gap. `id` is `LIFE.SEQ`: a number alone would mean
 * another line after a restart of the daemon.
 *
 * @module
 */
import * as z from "zod";
import { ProblemError } from "../../base/problem.ts";
import type { EventLine } from "../../node/view.ts";
import { STREAMS } from "../../streams.ts";
import { type Call, type Route, route } from "../route.ts";
import { RETRY, SSE_HEADERS, sseStream, STILL_HERE } from "../sse_reader.ts";

/** Readers at once. */
export const STREAMS_MAX = 64;
/** Lines in one piece of an answer. */
const CHUNK_LINES_MAX = 256;

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
  if (request.method === "HEAD") return new Response(null, { headers: SSE_HEADERS });
  if (shared.streams >= STREAMS_MAX) {
    throw new ProblemError("api.busy", `${STREAMS_MAX} event streams are open`);
  }
  shared.streams++;
  const lines = new Lines(call, place);
  const stream = sseStream(call, {
    watch: (wake) => call.node.onEvent(wake),
    next: (quiet) => lines.next(quiet),
    done: () => shared.streams--,
  });
  return new Response(stream, { headers: SSE_HEADERS });
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

/** The lines of one reader. */
class Lines {
  readonly #call: Call<Query, unknown>;
  readonly #place: Place;

  constructor(call: Call<Query, unknown>, place: Place) {
    this.#call = call;
    this.#place = place;
  }

  /** What is new to this reader; null at the end. */
  next(quiet: boolean): string | null {
    const text = this.#lines();
    if (text !== "") return text;
    if (this.#call.query.follow === "false" || this.#call.stopping.aborted) return null;
    return quiet ? STILL_HERE : "";
  }

  /** The next lines as text; empty where there is nothing new to this reader. */
  #lines(): string {
    const { node, shared, query } = this.#call;
    const from = this.#place.after;
    const { lines, gap } = node.eventsAfter(from);
    const some = lines.slice(0, CHUNK_LINES_MAX);
    // The first piece sends the headers off, and says how soon to come back after a cut.
    let text = this.#place.begun ? "" : RETRY;
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
    return text === "" && some.length < lines.length ? this.#lines() : text;
  }
}
