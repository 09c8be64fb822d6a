/** `/v1/heartbeat`: stream 1 as it sees itself, and the table of timeouts. @module */
import * as z from "zod";
import { json, type Route, route } from "../route.ts";

export const heartbeatRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/heartbeat",
    summary: "Links, members, votes and view of stream 1",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.heartbeat/1"), view: z.unknown() }),
    },
    problems: ["join.not-a-member"],
    handle: ({ node }) =>
      json({ schema: "pentad.heartbeat/1", view: node.streamView("heartbeat") }),
  }),
  route({
    method: "GET",
    path: "/v1/heartbeat/timing",
    summary: "Every timeout with its formula",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.timing/1"),
        rows: z.array(z.strictObject({ name: z.string(), value: z.number(), formula: z.string() })),
      }),
    },
    handle: ({ node }) => json({ schema: "pentad.timing/1", rows: node.timing() }),
  }),
];
