/** `/v1/config/…`: the replicated tree, file by file. @module */
import * as z from "zod";
import { ProblemError } from "../../base/problem.ts";
import type { Operation } from "../../streams.ts";
import { readBody } from "../body.ts";
import { type Condition, conditionOf, etagOf, isFresh } from "../condition.ts";
import { type Call, json, JSON_TYPE, type Route, route } from "../route.ts";
import type { TreeEntry } from "../running_node.ts";
import { ENTRY } from "../schemas.ts";
import { propose, writeWhole } from "../transact.ts";
import { decodeTreePath, rawBelow } from "../tree_path.ts";

const PREFIX = "/v1/config";
const READ = z.strictObject({ read: z.enum(["local", "quorum"]).default("local") });
const PUT_QUERY = z.strictObject({ type: z.enum(["file", "directory"]).default("file") });
const CHANGED = z.strictObject({
  schema: z.literal("pentad.change/1"),
  txn_id: z.string(),
  version: z.int(),
  crc32: z.int(),
});
const CONDITION_HEADERS = {
  "If-Match": 'The ETag that was read ("412"), or * for any; required to change what exists',
  "If-None-Match": "* to create; required for what must not exist yet",
};

export const configRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: `${PREFIX}/{path}`,
    summary: "A file's bytes, or a directory's listing as JSON; ETag is the version",
    query: READ,
    headers: { "If-None-Match": "An ETag; 304 where it is still the newest" },
    answer: { status: 200, content: "application/octet-stream", also: JSON_TYPE },
    problems: ["config.not-found", "config.bad-path", "config.no-quorum"],
    handle: readPath,
  }),
  route({
    method: "PUT",
    path: `${PREFIX}/{path}`,
    summary: "Writes a whole file, or makes a directory; one transaction",
    query: PUT_QUERY,
    body: "bytes",
    headers: CONDITION_HEADERS,
    answer: { status: 200, content: CHANGED },
    problems: [
      ...["api.precondition-required", "config.version-mismatch", "config.no-quorum"] as const,
      ...["config.bad-path", "config.is-a-directory", "config.not-found"] as const,
      ...["config.not-a-directory", "config.too-large", "config.full"] as const,
      ...["config.guest-exists", "config.unknown-outcome", "config.decided"] as const,
    ],
    handle: writePath,
  }),
  route({
    method: "DELETE",
    path: `${PREFIX}/{path}`,
    summary: "Removes a file or an empty directory; one transaction",
    headers: CONDITION_HEADERS,
    answer: { status: 200, content: CHANGED },
    problems: [
      ...["api.precondition-required", "config.version-mismatch", "config.no-quorum"] as const,
      ...["config.bad-path", "config.not-found", "config.not-empty"] as const,
      "config.unknown-outcome",
    ],
    handle: removePath,
  }),
];

/** What the directory's JSON listing looks like, for the OpenAPI document and tests. */
export const LISTING = z.strictObject({
  schema: z.literal("pentad.listing/1"),
  path: z.string(),
  version: z.int().nullable(),
  entries: z.array(ENTRY),
});

function pathOf(call: Pick<Call<unknown, unknown>, "request">): string {
  const raw = rawBelow(call.request.url, PREFIX);
  if (raw === null) throw new ProblemError("api.no-such-route", "the address is escaped oddly");
  return decodeTreePath(raw);
}

async function readPath(call: Call<z.infer<typeof READ>, unknown>): Promise<Response> {
  const path = pathOf(call);
  const { node } = call;
  if (call.query.read === "quorum") await node.barrier();
  const entry = path === "" ? null : node.entry(path);
  if (entry === null && path !== "") throw missing(path);
  const tag: Record<string, string> = entry === null ? {} : { ETag: etagOf(entry.version) };
  if (entry !== null && isFresh(call.request.headers, entry.version)) {
    return new Response(null, { status: 304, headers: tag });
  }
  if (entry?.kind === "file") {
    const bytes = node.read(path);
    if (bytes === null) throw missing(path);
    const headers = { ...tag, "Content-Type": "application/octet-stream" };
    return new Response(new Uint8Array(bytes), { headers });
  }
  const entries = node.list(path);
  if (entries === null) throw missing(path);
  const version = entry?.version ?? null;
  return json({ schema: "pentad.listing/1", path, version, entries }, 200, tag);
}

async function writePath(call: Call<z.infer<typeof PUT_QUERY>, unknown>): Promise<Response> {
  const path = mustBeBelowRoot(pathOf(call));
  const directory = call.query.type === "directory";
  const data = await readBody(call.request, call.bodyMs);
  if (directory && data.length > 0) {
    throw new ProblemError("api.bad-request", "a directory has no content");
  }
  const stated = conditionOf(call.request.headers);
  const entry = call.node.entry(path);
  // Nothing but "must not exist" makes sense for a directory.
  const condition: Condition = directory && stated.kind === "none" ? { kind: "absent" } : stated;
  if (condition.kind === "none") throw unconditional(path, entry);
  if (directory && condition.kind !== "absent") {
    throw new ProblemError("api.bad-request", "a directory is made, never replaced");
  }
  if (!directory && entry?.kind === "directory") {
    throw new ProblemError("config.is-a-directory", `"${path}" is a directory`);
  }
  const create = condition.kind === "absent";
  const operations: readonly Operation[] = directory
    ? [{ op: "mkdir", path }]
    : writeWhole(path, data, !create);
  return await change(call, { path, condition, operations, status: create ? 201 : 200 });
}

async function removePath(call: Call<unknown, unknown>): Promise<Response> {
  const path = mustBeBelowRoot(pathOf(call));
  const condition = conditionOf(call.request.headers);
  const entry = await newestEntry(call, path);
  // A retry of what was already done finds nothing: the log knows the request, so let it answer.
  if (entry === null && !call.mayBeRetry) throw missing(path);
  if (condition.kind === "none") throw unconditional(path, entry);
  if (condition.kind === "absent") {
    throw new ProblemError("api.bad-request", "what must not exist cannot be removed");
  }
  const operations: readonly Operation[] = [
    entry?.kind === "directory" ? { op: "rmdir", path } : { op: "remove", path },
  ];
  return await change(call, { path, condition, operations, status: 200 });
}

/** This replica may lag: before it says that something is not there, it asks for a majority's word. */
async function newestEntry(
  { node }: Call<unknown, unknown>,
  path: string,
): Promise<TreeEntry | null> {
  const entry = node.entry(path);
  if (entry !== null) return entry;
  await node.barrier();
  return node.entry(path);
}

interface PathChange {
  readonly path: string;
  readonly condition: Condition;
  readonly operations: readonly Operation[];
  readonly status: number;
}

/** Conditions are judged where the transaction is applied, so a retry gets its first answer again. */
async function change(call: Call<unknown, unknown>, asked: PathChange): Promise<Response> {
  const { path, condition, operations, status } = asked;
  const expect = condition.kind === "version"
    ? [{ path, version: condition.version }]
    : condition.kind === "absent"
    ? [{ path, version: 0 }]
    : [];
  const { index, crc32 } = await propose(call, { expect, operations });
  const txn = `0x${index.toString(16)}`;
  const answer = { schema: "pentad.change/1", txn_id: txn, version: index, crc32 };
  return json(answer, status, { ETag: etagOf(index) });
}

function mustBeBelowRoot(path: string): string {
  if (path !== "") return path;
  throw new ProblemError("config.bad-path", "the root itself cannot be changed");
}

function missing(path: string): ProblemError {
  return new ProblemError("config.not-found", `there is no "${path}" on this node`);
}

function unconditional(path: string, entry: TreeEntry | null): ProblemError {
  const why = entry === null
    ? `"${path}" does not exist yet, and nothing says that it must not`
    : `"${path}" exists with version ${entry.version}`;
  return new ProblemError("api.precondition-required", why);
}
