/**
 * A route as data: what it takes, what it answers, what it may refuse. The app is made of these,
 * and so is the OpenAPI document; neither can know a route that the other does not.
 *
 * @module
 */
import * as z from "zod";
import type { ProblemCode } from "../base/problem.ts";
import type { RunningNode } from "./running_node.ts";

/** The media type of JSON: RFC 8259 section 11. */
export const JSON_TYPE = "application/json";

/** What one app shares between its requests. */
export interface Shared {
  readonly node: RunningNode;
  /** Names this daemon's life in event ids. */
  readonly life: string;
  /** Who writes: the author of transactions. */
  readonly author: string;
  /** Aborted when the server closes: open event streams end. */
  readonly stopping: AbortSignal;
  readonly keepAliveMs: number;
  /** A body that takes longer is refused. */
  readonly bodyMs: number;
  /** A watcher that takes nothing for so long is cut off. */
  readonly stallMs: number;
  /** Event streams that are open now. */
  streams: number;
  /** Watchers of the tree that are there now. */
  watchers: number;
  /** Changes that are being answered now. */
  changes: number;
}

/** One request, checked. */
export interface Call<Query, Body> extends Shared {
  readonly shared: Shared;
  readonly request: Request;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** 16 hex digits: the client's own, or drawn here. */
  readonly requestId: string;
  /** The client named the request itself, so it may be a retry. */
  readonly mayBeRetry: boolean;
  /** Why, for the history. */
  readonly reason: string;
}

/** What a route is; `Query` and `Body` are what its schemas yield. */
export interface RouteSpec<Query extends z.ZodType, Body extends z.ZodType> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As OpenAPI writes it; `{path}` at the end stands for any number of segments. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Query;
  /** `bytes`: the handler reads the body itself. Absent: there is none. */
  readonly body?: Body | "bytes";
  readonly headers?: Readonly<Record<string, string>>;
  /** Status and content of success: a schema for JSON, or a media type. */
  readonly answer: {
    readonly status: number;
    readonly content: z.ZodType | string;
    /** A second media type that some answers have. */
    readonly also?: string;
  };
  /** Beside those that every route has. */
  readonly problems?: readonly ProblemCode[];
  handle(call: Call<z.infer<Query>, z.infer<Body>>): Promise<Response> | Response;
}

/** A route with its types forgotten, as the app keeps it. */
export type Route = RouteSpec<z.ZodType, z.ZodType>;

/** Declares a route; only gives the types to the handler. */
export function route<Query extends z.ZodType = z.ZodObject, Body extends z.ZodType = z.ZodObject>(
  spec: RouteSpec<Query, Body>,
): Route {
  return spec as unknown as Route;
}

/** The media types that a route answers with. */
export function mediaTypesOf({ answer: { content, also } }: Route): string[] {
  return [typeof content === "string" ? content : JSON_TYPE, ...(also === undefined ? [] : [also])];
}

/** A query or body without any field. */
export const NOTHING = z.strictObject({});

/** What a change answers when there is nothing more to say. */
export const DONE = z.strictObject({ schema: z.literal("pentad.done/1"), done: z.literal(true) });

/** A JSON answer. */
export function json(value: unknown, status = 200, headers: HeadersInit = {}): Response {
  const all = new Headers(headers);
  all.set("Content-Type", JSON_TYPE);
  return new Response(JSON.stringify(value) + "\n", { status, headers: all });
}

/** The answer of {@link DONE}. */
export function done(status = 200): Response {
  return json({ schema: "pentad.done/1", done: true }, status);
}
