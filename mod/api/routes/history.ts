/** `/v1/history`, `/v1/config-diff`, `/v1/config-export`: the tree and its changes, back in time. @module */
import * as z from "zod";
import { EXPORT_HEADERS, LINES_TYPE } from "../export.ts";
import { pointOf, txnOf, txnText } from "../points.ts";
import { type Call, json, type Route, route } from "../route.ts";
import { DIFFS, HISTORY, TRANSACTION } from "../schemas.ts";
import { checkTreePath } from "../tree_path.ts";

/** Entries in one answer. */
export const HISTORY_MAX = 10_000;
const HISTORY_DEFAULT = 100;
const TXN_HELP = "A transaction: 0x7f3e or 32574";
const POINT_HELP = "A transaction, a time (RFC 3339 with its zone), or now";

const LIST_QUERY = z.strictObject({
  limit: z.string().regex(/^[1-9]\d{0,4}$/, "must be a number from 1").transform(Number)
    .pipe(z.int().max(HISTORY_MAX)).default(HISTORY_DEFAULT),
  path: z.string().optional(),
  after: z.string().optional().meta({ description: `Only older ones. ${TXN_HELP}` }),
});
const DRY_RUN = z.strictObject({
  "dry-run": z.enum(["true", "false"]).default("false")
    .meta({ description: "true: only say what would change" }),
});

export const historyRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/history",
    summary: "What was committed, by whom, and why; the newest first, in pages (Link: rel=next)",
    query: LIST_QUERY,
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.history/1"), ...HISTORY.shape }),
    },
    problems: ["config.bad-path", "config.no-history"],
    handle: list,
  }),
  route({
    method: "GET",
    path: "/v1/history/{txn}",
    summary: "One transaction whole: operations, diffs, outcome, author",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.transaction/1"), ...TRANSACTION.shape }),
    },
    problems: ["config.no-transaction", "config.no-history", "api.busy"],
    async handle({ node, parameters: { txn = "" } }) {
      return json({ schema: "pentad.transaction/1", ...await node.transaction(txnOf(txn)) });
    },
  }),
  route({
    method: "POST",
    path: "/v1/history/{txn}/undo",
    summary: "Takes a transaction back by a new one, if nobody touched the same since",
    query: DRY_RUN,
    body: z.strictObject({}),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.undo/1"),
        undone: z.int(),
        dry_run: z.boolean(),
        txn_id: z.string().nullable(),
        version: z.int().nullable(),
        crc32: z.int().nullable(),
        ...DIFFS,
      }),
    },
    problems: [
      ...["config.no-transaction", "config.no-history", "config.cannot-undo"] as const,
      ...["config.version-mismatch", "config.no-quorum", "config.unknown-outcome"] as const,
    ],
    handle: undo,
  }),
  route({
    method: "GET",
    path: "/v1/config-diff",
    summary: "What differs between two states of the tree",
    query: z.strictObject({
      from: z.string().meta({ description: POINT_HELP }),
      to: z.string().default("now").meta({ description: POINT_HELP }),
      path: z.string().optional().meta({ description: "This path and what is below it" }),
    }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.diff/1"),
        from: z.int(),
        to: z.int(),
        ...DIFFS,
      }),
    },
    problems: ["config.bad-path", "config.no-transaction", "config.no-history", "api.busy"],
    async handle({ node, query: { from, to, path } }) {
      const below = path === undefined ? null : checkTreePath(path);
      const answer = await node.diff(pointOf(from), pointOf(to), below);
      return json({ schema: "pentad.diff/1", ...answer });
    },
  }),
  route({
    method: "GET",
    path: "/v1/config-export",
    summary: "The whole tree as it was, in JSON lines; the last one says that it is whole",
    query: z.strictObject({ at: z.string().default("now").meta({ description: POINT_HELP }) }),
    answer: { status: 200, content: LINES_TYPE },
    problems: ["config.no-transaction", "config.no-history", "api.busy"],
    async handle({ node, query: { at }, request }) {
      const point = pointOf(at);
      if (request.method === "HEAD") return new Response(null, { headers: EXPORT_HEADERS });
      return new Response(await node.exportTree(point), { headers: EXPORT_HEADERS });
    },
  }),
];

async function list(call: Call<z.infer<typeof LIST_QUERY>, unknown>): Promise<Response> {
  const { limit, path, after } = call.query;
  const found = await call.node.history({
    limit,
    path: path === undefined ? null : checkTreePath(path),
    after: after === undefined ? null : txnOf(after),
  });
  if (found.next === null) return json({ schema: "pentad.history/1", ...found });
  const next = new URLSearchParams({ limit: String(limit), after: txnText(found.next) });
  if (path !== undefined) next.set("path", path);
  const headers = { Link: `</v1/history?${next}>; rel="next"` };
  return json({ schema: "pentad.history/1", ...found }, 200, headers);
}

async function undo(call: Call<z.infer<typeof DRY_RUN>, unknown>): Promise<Response> {
  const { node, parameters, query, requestId, author, request } = call;
  const txn = txnOf(parameters.txn ?? "");
  const dryRun = query["dry-run"] === "true";
  const given = request.headers.has("Pentad-Reason");
  const reason = given ? call.reason : `undo of ${txnText(txn)}`;
  const { index, crc32, files, omitted } = await node.undo({
    ...{ txn, dryRun, author, reason, request: requestId },
  });
  return json({
    schema: "pentad.undo/1",
    undone: txn,
    dry_run: dryRun,
    txn_id: index === null ? null : txnText(index),
    ...{ version: index, crc32, files, omitted },
  });
}
