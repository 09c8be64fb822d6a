/** `/v1/history`: committed transactions, newest first as the node keeps them. @module */
import { z } from "zod";
import { json, type Route, route } from "../route.ts";
import { HISTORY_ENTRY } from "../schemas.ts";
import { checkTreePath } from "../tree_path.ts";

/** Entries in one answer. */
export const HISTORY_MAX = 10_000;
const HISTORY_DEFAULT = 100;

export const historyRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/history",
    summary: "What was committed, by whom, and why",
    query: z.strictObject({
      limit: z.string().regex(/^[1-9]\d{0,4}$/, "must be a number from 1").transform(Number)
        .pipe(z.int().max(HISTORY_MAX)).default(HISTORY_DEFAULT),
      path: z.string().optional(),
    }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.history/1"),
        entries: z.array(HISTORY_ENTRY),
      }),
    },
    problems: ["config.bad-path", "config.no-history"],
    async handle({ node, query: { limit, path } }) {
      const below = path === undefined ? null : checkTreePath(path);
      const entries = await node.history(limit, below);
      return json({ schema: "pentad.history/1", entries });
    },
  }),
];
