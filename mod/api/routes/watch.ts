/**
 * `/v1/config-events`: changes of the tree as server-sent events, in log order, without gap or
 * duplicate. The id of an event is its transaction's number.
 *
 * All of it is read out of the node's history, from the reader's own place.
 *
 * @module
 */
import * as z from "zod";
import { ProblemError } from "../../base/problem.ts";
import { txnOf, txnText } from "../points.ts";
import { type Call, type Route, route } from "../route.ts";
import type { ChangeEvent, ChangePage, PathEvent } from "../running_node.ts";
import { RETRY, SSE_HEADERS, sseStream, STILL_HERE } from "../sse_reader.ts";
import { checkTreePath } from "../tree_path.ts";

/** Readers at once. */
export const WATCHERS_MAX = 64;
/** Paths that one reader names. */
export const PATHS_MAX = 64;
/** Bytes of content in one event; what is more has to be read by its path. */
export const CONTENT_BYTES_MAX = 256 * 1024;

const QUERY = z.strictObject({
  path: z.array(z.string()).max(PATHS_MAX).meta({
    description: "A path, and what is below it; may be repeated. Without any: the whole tree",
  }),
  after: z.string().optional().meta({ description: "As Last-Event-ID" }),
  content: z.enum(["true", "false"]).default("false").meta({
    description: `With the content of files in base64, ${CONTENT_BYTES_MAX} bytes an event at most`,
  }),
});
type Query = z.infer<typeof QUERY>;

export const watchRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/config-events",
    summary: "Changes of the tree as they are applied; resumes with Last-Event-ID or after",
    query: QUERY,
    headers: { "Last-Event-ID": "The id of the last event that was received: a transaction" },
    answer: { status: 200, content: "text/event-stream" },
    problems: ["api.busy", "config.bad-path", "join.not-a-member"],
    handle: openWatch,
  }),
];

function openWatch(call: Call<Query, unknown>): Response {
  const { shared, query, request, node } = call;
  const paths = query.path.map((path) => checkTreePath(path));
  const given = request.headers.get("Last-Event-ID") ?? query.after;
  const after = given === undefined ? node.applied() : placeOf(given);
  if (request.method === "HEAD") return new Response(null, { headers: SSE_HEADERS });
  if (shared.watchers >= WATCHERS_MAX) {
    throw new ProblemError("api.busy", `${WATCHERS_MAX} watchers are there`);
  }
  shared.watchers++;
  const watch = new Watch(call, { paths, after });
  const stream = sseStream(call, {
    watch: (wake) => node.onApplied(wake),
    next: (quiet) => watch.next(quiet),
    done: () => shared.watchers--,
  });
  return new Response(stream, { headers: SSE_HEADERS });
}

/** 0 stands for the beginning of all. */
function placeOf(text: string): number {
  return text.trim() === "0" ? 0 : txnOf(text);
}

/** One reader. */
class Watch {
  readonly #call: Call<Query, unknown>;
  readonly #paths: readonly string[];
  #after: number;
  /** The newest id that was handed out. */
  #told: number;
  /** The gap that was told last. */
  #lost: number | null = null;
  #begun = false;

  constructor(
    call: Call<Query, unknown>,
    { paths, after }: { readonly paths: readonly string[]; readonly after: number },
  ) {
    this.#call = call;
    this.#paths = paths;
    this.#after = after;
    this.#told = after;
  }

  /** What is new to this reader; null where the node cannot tell it, or stops. */
  async next(quiet: boolean): Promise<string | null> {
    if (this.#call.stopping.aborted) return null;
    const page = await this.#page();
    return page && this.#textOf(page) + (quiet ? this.#sign() : "");
  }

  /** The next page; null where the node cannot read it any more: the reader comes back, or learns why. */
  async #page(): Promise<ChangePage | null> {
    try {
      return await this.#call.node.changesAfter(this.#after);
    } catch (error) {
      if (error instanceof ProblemError) return null;
      throw error;
    }
  }

  /** A page as text; empty where there is nothing new to this reader. */
  #textOf({ events, upTo, lostBefore }: ChangePage): string {
    const from = this.#after;
    let text = "";
    if (!this.#begun) {
      // The first piece sends the headers off, and gives a place to come back to.
      const cluster = this.#clusterId();
      const data = JSON.stringify({ after: from, cluster });
      text = `${RETRY}event: begin\nid: ${from}\ndata: ${data}\n\n`;
      this.#begun = true;
    }
    if (lostBefore !== null && lostBefore !== this.#lost) {
      this.#lost = lostBefore;
      const data = JSON.stringify({ after: from, complete_after: lostBefore });
      text += `event: gap\ndata: ${data}\n\n`;
    }
    for (const event of events) {
      const changes = event.changes.filter(({ path }) => this.#wants(path));
      if (changes.length === 0) continue;
      this.#told = event.txn_id;
      text += `id: ${event.txn_id}\ndata: ${this.#dataOf(event, changes)}\n\n`;
    }
    this.#after = upTo;
    return text;
  }

  /** A sign of life. An id without data is no event, but moves the place of who comes back. */
  #sign(): string {
    const moved = this.#after > this.#told;
    this.#told = this.#after;
    return `${moved ? `id: ${this.#after}\n\n` : ""}${STILL_HERE}`;
  }

  #wants(path: string): boolean {
    return this.#paths.length === 0 ||
      this.#paths.some((each) => each === "" || path === each || path.startsWith(`${each}/`));
  }

  #dataOf(event: ChangeEvent, changes: readonly PathEvent[]): string {
    const { txn_id, time, author, reason } = event;
    const withContent = this.#call.query.content === "true";
    let room = CONTENT_BYTES_MAX;
    const lines = changes.map(({ path, kind, size, data }) => {
      if (!withContent || kind !== "file") return { path, kind, size };
      const fits = data !== null && data.length <= room;
      if (fits) room -= data.length;
      return { path, kind, size, content: fits ? data.toBase64() : null };
    });
    return JSON.stringify({ txn: txnText(txn_id), txn_id, time, author, reason, changes: lines });
  }

  #clusterId(): string | null {
    return this.#call.node.status().cluster?.id ?? null;
  }
}
