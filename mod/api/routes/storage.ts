/** `/v1/storage`: stream 4 as it sees itself, and the labelling of a disk. @module */
import * as z from "zod";
import { DISKS_MAX } from "../../base/settings.ts";
import { json, type Route, route } from "../route.ts";

/** A path on the host; the daemon checks that its settings know it. */
export const DISK_PATH = z.string().max(4096).regex(
  /^\/[^\p{Cc}]*$/u,
  "must be an absolute path without control characters",
);

/** Further disks: see {@link DISK_PATH}. */
export const DISK_PATHS = z.array(DISK_PATH).max(DISKS_MAX).default([]);

export const storageRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/storage",
    summary: "Disks, pulses, registrations and witness of stream 4",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.storage/1"), view: z.unknown() }),
    },
    problems: ["join.not-a-member"],
    async handle({ node }) {
      return json({ schema: "pentad.storage/1", view: await node.storage.show() });
    },
  }),
  route({
    method: "POST",
    path: "/v1/storage/format",
    summary: "Looks what disks carry; with commit, labels them if that is nothing",
    body: z.strictObject({ path: DISK_PATH, with: DISK_PATHS, commit: z.boolean() }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.format/1"),
        uuid: z.string(),
        found: z.string(),
        committed: z.boolean(),
      }),
    },
    problems: [
      ...["join.not-a-member", "storage.foreign-disk"] as const,
      ...["storage.wrong-cluster", "storage.unusable"] as const,
    ],
    async handle({ node, body: { path, ...how } }) {
      const { uuid, found } = await node.formatDisk(path, how);
      return json({ schema: "pentad.format/1", uuid, found, committed: how.commit });
    },
  }),
];
