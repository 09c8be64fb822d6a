/** Stream 5 and a node's own life: init, join, leave, shutdown. @module */
import * as z from "zod";
import { isNodeName } from "../../base/id.ts";
import { DONE, done, json, NOTHING, type Route, route } from "../route.ts";
import { DISK_PATH, DISK_PATHS } from "./storage.ts";

const TICKET_CHARACTERS_MAX = 4096;

export const joinRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/init",
    summary: "Makes a cluster of this one node",
    body: z.strictObject({
      name: z.string().refine(isNodeName, "must be a DNS label"),
      profile: z.enum(["standard", "fast"]).default("standard"),
      disk: DISK_PATH.nullable().default(null),
      with: DISK_PATHS,
    }),
    answer: { status: 200, content: DONE },
    problems: ["join.already-member", "settings.invalid", "storage.foreign-disk", "node.disk-full"],
    async handle({ node, body }) {
      await node.init(body);
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/v1/join",
    summary: "Joins a cluster with a one-time ticket",
    body: z.strictObject({
      ticket: z.string().min(1).max(TICKET_CHARACTERS_MAX),
      disk: DISK_PATH.nullable().default(null),
    }),
    answer: { status: 200, content: DONE },
    problems: [
      "join.already-member",
      "join.bad-ticket",
      "join.refused",
      "node.timeout",
      "node.disk-full",
    ],
    async handle({ node, body }) {
      await node.join(body);
      return done();
    },
  }),
  route({
    method: "GET",
    path: "/v1/join/describe",
    summary: "What the other side of a join asks: version, members, addresses, guests, clock",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.join-describe/1"),
        version: z.string(),
        join: z.int(),
        cluster: z.strictObject({ id: z.string(), name: z.string() }).nullable(),
        node: z.string(),
        quorate: z.boolean(),
        time_ms: z.int(),
        mount: z.string().nullable(),
        nodes: z.array(z.strictObject({
          name: z.string(),
          links: z.array(z.string()),
          peer: z.string(),
        })),
        guests: z.array(z.string()),
      }),
    },
    problems: ["node.starting", "node.stopped"],
    handle: ({ node }) => json(node.describe()),
  }),
  route({
    method: "POST",
    path: "/v1/leave",
    summary: "Stops this node's resources and gives its membership up",
    body: NOTHING,
    answer: { status: 200, content: DONE },
    problems: ["join.not-a-member", "join.last-member", "config.no-quorum", "node.timeout"],
    async handle({ node }) {
      await node.leave();
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/v1/shutdown",
    summary: "Stops the daemon in order; it remains a member",
    body: NOTHING,
    answer: { status: 200, content: DONE },
    problems: ["node.timeout"],
    async handle({ node }) {
      await node.shutdown();
      return done();
    },
  }),
];
