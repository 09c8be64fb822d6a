/** `/v1/backups`, `/v1/restore`, `/v1/config-verify`: the config as a whole. @module */
import * as z from "zod";
import { json, type Route, route } from "../route.ts";
import { BACKUP, RESTORED, VERIFIED } from "../schemas.ts";

/** A path on the node's host. */
const FILE = z.string().max(4096).regex(
  /^\/[^\p{Cc}]*[^/\p{Cc}]$/u,
  "must be an absolute path of a file, without control characters",
);

export const backupRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/backups",
    summary: "Makes a verified backup on the node's host; it holds the cluster key",
    body: z.strictObject({
      file: FILE.nullable().default(null).meta({
        description: "A file that is not there yet; null: among the scheduled ones",
      }),
    }),
    answer: {
      status: 201,
      content: z.strictObject({ schema: z.literal("pentad.backup/1"), ...BACKUP.shape }),
    },
    problems: ["join.not-a-member", "config.backup-failed", "config.backup-exists"],
    async handle({ node, body: { file } }) {
      return json({ schema: "pentad.backup/1", ...await node.backup(file) }, 201);
    },
  }),
  route({
    method: "POST",
    path: "/v1/config-verify",
    summary: "Reads back and checks everything that this node has on its disk; needs no quorum",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.verified/1"), ...VERIFIED.shape }),
    },
    problems: ["join.not-a-member", "node.timeout", "api.busy"],
    async handle({ node }) {
      return json({ schema: "pentad.verified/1", ...await node.verify() });
    },
  }),
  route({
    method: "POST",
    path: "/v1/restore",
    summary: "Makes this free host the only member of a new cluster with the tree of a backup",
    body: z.strictObject({
      file: FILE.meta({ description: "On the node's host" }),
      alone: z.boolean().default(false).meta({
        description: "I have looked: no other member of that cluster lives",
      }),
    }),
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.restore/1"), ...RESTORED.shape }),
    },
    problems: ["join.already-member", "config.bad-backup", "config.not-alone", "node.disk-full"],
    async handle({ node, body }) {
      return json({ schema: "pentad.restore/1", ...await node.restore(body) });
    },
  }),
];
