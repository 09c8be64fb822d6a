/** `/v1/storage/witness`: which disks have the witness vote. @module */
import * as z from "zod";
import { DISKS_MAX } from "../../base/settings.ts";
import { json, type Route, route } from "../route.ts";
import { DISK_PATH } from "./storage.ts";

const UUID = z.string().regex(/^[0-9a-f]{32}$/, "must be a disk's uuid, 32 hex digits");
const DISK = z.union([UUID, DISK_PATH]);

const STATE = z.strictObject({
  schema: z.literal("pentad.witness/1"),
  disk: z.string().nullable(),
  votes: z.boolean(),
  needed: z.int(),
  disks: z.array(z.strictObject({
    uuid: z.string(),
    path: z.string().nullable(),
    state: z.string(),
    seen: z.array(z.string()),
    verdict: z.string().nullable(),
  })),
  held: z.boolean(),
  verdict: z.string(),
});

const CHANGE = z.strictObject({
  schema: z.literal("pentad.witness-change/1"),
  before: z.string().nullable(),
  after: z.string().nullable(),
  steps: z.array(z.string().nullable()),
  warnings: z.array(z.string()),
  committed: z.boolean(),
});

export const witnessRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/storage/witness",
    summary: "The disks that have the witness vote, and who would win it",
    answer: { status: 200, content: STATE },
    problems: ["join.not-a-member"],
    handle: ({ node }) => json({ schema: "pentad.witness/1", ...node.storage.witness() }),
  }),
  route({
    method: "PUT",
    path: "/v1/storage/witness",
    summary: "Gives the witness vote to these disks, or (of none) to nobody; with commit, really",
    body: z.strictObject({ disks: z.array(DISK).max(DISKS_MAX), commit: z.boolean() }),
    answer: { status: 200, content: CHANGE },
    problems: [
      ...["join.not-a-member", "settings.invalid", "storage.witness-unfit"] as const,
      ...["config.no-quorum", "config.unsafe-membership", "config.membership-busy"] as const,
    ],
    async handle({ node, body }) {
      const change = await node.storage.setWitness(body);
      return json({ schema: "pentad.witness-change/1", ...change, committed: body.commit });
    },
  }),
];
