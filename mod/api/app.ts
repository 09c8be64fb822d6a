/**
 * The local API as a function from request to answer. It knows the node as an interface and can be
 * tried without a server: `createApp(node).request("/v1/status")`.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { encodeText, toHex } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import { equalSecrets, sha256 } from "../base/seal.ts";
import { accepts } from "./accept.ts";
import { BODY_LIMIT_MS, readJson, readQuery } from "./body.ts";
import { noRoute } from "./no_route.ts";
import { openapi } from "./openapi.ts";
import { problemOf, problemResponse } from "./problem_json.ts";
import { json, mediaTypesOf, NOTHING, type Route, route, type Shared } from "./route.ts";
import { ROUTES } from "./routes/all.ts";
import type { RunningNode } from "./running_node.ts";

/** A quiet event stream gets a comment this often. */
const KEEP_ALIVE_MS = 15_000;
/** Who watches and takes nothing for so long is not there any more, or will never catch up. */
const STALL_MS = 60_000;
/** Version of the API in its description; the executable's own is `pentad version`. */
const API_VERSION = "1";
/** Changes at once; reading is never refused, so that `pentad status` answers under any load. */
export const CHANGES_MAX = 128;
const REASON_CHARACTERS_MAX = 200;
const REQUEST_ID = /^[0-9a-f]{16}$/;

export interface AppOptions {
  /** For TCP: every request must carry it. Absent: the socket's file rights decide. */
  readonly token?: string;
  /** Names this daemon's life in event ids; drawn at random unless given. */
  readonly life?: string;
  /** Aborted when the server closes. */
  readonly stopping?: AbortSignal;
  readonly keepAliveMs?: number;
  /** A watcher that takes nothing for so long is cut off. */
  readonly stallMs?: number;
  /** A body that takes longer than this is refused. */
  readonly bodyMs?: number;
}

/** Makes the API of a node. */
export function createApp(node: RunningNode, options: AppOptions = {}): Hono {
  const { token, stopping = new AbortController().signal } = options;
  const shared: Shared = {
    node,
    life: options.life ?? toHex(crypto.getRandomValues(new Uint8Array(4))),
    author: token === undefined ? "root" : "token",
    stopping,
    keepAliveMs: options.keepAliveMs ?? KEEP_ALIVE_MS,
    bodyMs: options.bodyMs ?? BODY_LIMIT_MS,
    stallMs: options.stallMs ?? STALL_MS,
    streams: 0,
    watchers: 0,
    changes: 0,
  };
  const app = new Hono();
  app.use("*", async (context, next) => {
    await next();
    mark(context, node);
  });
  if (token !== undefined) {
    app.use("*", async (context, next) => {
      checkToken(context.req.raw.headers.get("Authorization"), token);
      await next();
    });
  }
  const routes = allRoutes();
  for (const each of routes) {
    const path = each.path.replace(/\/\{path\}$/, "/*").replace(/\{(\w+)\}/g, ":$1");
    app.on(each.method, path, (context) => handle(each, context, shared));
  }
  app.notFound((context) => {
    const { method, path, raw } = context.req;
    return noRoute({ method, path }, routes, safeRequestId(raw));
  });
  app.onError((error, context) =>
    problemResponse(problemOf(error), safeRequestId(context.req.raw))
  );
  return app;
}

/** All routes, the description of them included. */
export function allRoutes(): readonly Route[] {
  const all: readonly Route[] = [
    ...ROUTES,
    route({
      method: "GET",
      path: "/v1/openapi.json",
      summary: "This description",
      answer: { status: 200, content: "application/json" },
      handle: () => json(openapi(all, API_VERSION)),
    }),
  ];
  return all;
}

async function handle(each: Route, context: Context, shared: Shared): Promise<Response> {
  const request = context.req.raw;
  const { id, own } = requestIdOf(request);
  const query = readQuery(request.url, each.query ?? NOTHING);
  const types = mediaTypesOf(each);
  if (!accepts(request.headers.get("Accept"), types)) {
    throw new ProblemError("api.not-acceptable", `the answer is ${types.join(" or ")}`);
  }
  const reason = reasonOf(request);
  const parameters = context.req.param() as Record<string, string>;
  const answer = async () => {
    const body = each.body === undefined || each.body === "bytes"
      ? undefined
      : await readJson(request, each.body, shared.bodyMs);
    return await each.handle({
      ...{ ...shared, shared, request, parameters, requestId: id, mayBeRetry: own, reason },
      query: query as never,
      body: body as never,
    });
  };
  if (each.method === "GET") return await answer();
  if (shared.changes >= CHANGES_MAX) {
    throw new ProblemError("api.busy", `${CHANGES_MAX} changes are being answered`);
  }
  shared.changes++;
  try {
    return await answer();
  } finally {
    shared.changes--;
  }
}

/** The request's name: the client's own, which a retry keeps, or one drawn here. */
function requestIdOf(request: Request): { id: string; own: boolean } {
  const { headers } = request;
  const given = headers.get("Idempotency-Key") ?? headers.get("X-Request-Id");
  if (given === null) return { id: randomId(), own: false };
  if (REQUEST_ID.test(given)) return { id: given, own: true };
  throw new ProblemError("api.bad-request", "a request id is 16 hex digits in lower case");
}

function safeRequestId(request: Request): string {
  try {
    return requestIdOf(request).id;
  } catch {
    return randomId();
  }
}

function randomId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(8)));
}

function reasonOf(request: Request): string {
  const given = request.headers.get("Pentad-Reason");
  if (given === null) return `api ${request.method}`;
  if (given.length <= REASON_CHARACTERS_MAX && !/\p{Cc}/u.test(given)) return given;
  throw new ProblemError("api.bad-request", "Pentad-Reason is one line of 200 characters at most");
}

/** Compares digests, so that neither length nor content shows in the time it takes. */
function checkToken(header: string | null, token: string): void {
  const sent = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
  if (sent !== undefined) {
    if (equalSecrets(sha256(encodeText(sent)), sha256(encodeText(token)))) return;
  }
  const why = sent === undefined ? "there is no token" : "the token is not the one of the settings";
  throw new ProblemError("api.unauthorized", why);
}

/** What every answer says: who answers, and how much that is worth. */
function mark(context: Context, node: RunningNode): void {
  // A stranger is told nothing but that it is one.
  if (context.res.status === 401) return;
  const { headers } = context.res;
  try {
    const { node: name, quorate, version } = node.stamp();
    headers.set("Pentad-Node", name ?? "-");
    headers.set("Pentad-Quorate", String(quorate));
    headers.set("Pentad-Config-Version", String(version));
  } catch {
    // The answer itself says what is wrong; these only add to it.
    headers.set("Pentad-Node", "-");
  }
}
