/** The shapes of answers as zod schemas, for the OpenAPI document; checked against the view's types. @module */
import * as z from "zod";
import { VERIFIED_PARTS } from "../base/verify_report.ts";
import type { StoryLine } from "../ha/mod.ts";
import type { EventLine, StatusDocument } from "../node/view.ts";
import { STREAMS } from "../streams.ts";
import type { MemberRow } from "./membership_node.ts";
import type {
  BackupReport,
  HistoryEntry,
  HistoryList,
  RestoreReport,
  TransactionDetail,
  TreeEntry,
} from "./running_node.ts";

const NODE = z.strictObject({
  name: z.string(),
  id: z.int(),
  self: z.boolean(),
  boot: z.string().nullable().meta({ description: "Its present life" }),
  role: z.enum(["voter", "learner"]),
  state: z.string(),
  vote: z.int(),
  links: z.string(),
  rtt_ms: z.number().nullable(),
  disk_pulse_s: z.number().nullable(),
  armed: z.boolean().nullable(),
  load: z.number().nullable(),
  memory: z.number().nullable(),
  io_delay: z.number().nullable(),
  resources: z.array(z.string()),
});

export const RESOURCE = z.strictObject({
  id: z.string(),
  state: z.string(),
  wanted: z.string(),
  node: z.string().nullable(),
  reason: z.string(),
  detail: z.string().meta({ description: "What its node said when it last failed" }),
});

export const STATUS = z.strictObject({
  schema: z.literal("pentad.status/1"),
  cluster: z.strictObject({ name: z.string(), id: z.string(), profile: z.string() }).nullable(),
  node: z.strictObject({ name: z.string(), id: z.int(), boot: z.string() }).nullable(),
  at: z.string().meta({ format: "date-time" }),
  quorate: z.boolean(),
  votes: z.strictObject({ present: z.int(), expected: z.int(), needed: z.int() }),
  armed: z.boolean(),
  watchdog: z.string(),
  guard: z.strictObject({ state: z.enum(["held", "lapsed", "suspended"]), margin_ms: z.number() }),
  dc: z.string().nullable(),
  dc_epoch: z.int(),
  leader: z.string().nullable(),
  nodes: z.array(NODE),
  streams: z.array(z.strictObject({
    name: z.enum(STREAMS),
    state: z.enum(["ok", "degraded", "failed", "idle"]),
    now: z.string(),
  })),
  resources: z.array(RESOURCE),
  config: z.strictObject({
    version: z.int(),
    term: z.int(),
    index: z.int(),
    crc32: z.string(),
    content: z.string().meta({ description: "Hash of tree and locks at that index" }),
    writable: z.boolean(),
    verified: z.strictObject({ age_ms: z.int(), rows: z.int(), damaged: z.array(z.string()) })
      .nullable().meta({ description: "The last reading back of the database" }),
  }),
  backup: z.strictObject({
    state: z.enum(["none", "ok", "failed"]),
    at: z.string().nullable(),
    file: z.string().nullable(),
    why: z.string().nullable(),
    next: z.string().nullable(),
  }).nullable(),
  mount: z.strictObject({
    path: z.string().nullable(),
    state: z.enum(["mounted", "off", "failed"]),
    why: z.string().nullable(),
  }),
  ha: z.strictObject({
    mode: z.enum(["armed", "disarmed", "arming"]),
    unguarded: z.array(z.string()).meta({ description: "Whose death only a person proves" }),
  }),
});

export const EVENT = z.strictObject({
  seq: z.int(),
  at: z.string().meta({ format: "date-time" }),
  node: z.string(),
  stream: z.enum([...STREAMS, "node"]),
  text: z.string(),
  routine: z.boolean(),
  code: z.string().nullable(),
});

export const STORY_LINE = z.strictObject({
  txn_id: z.int(),
  time: z.int(),
  author: z.string(),
  about: z.enum(["resource", "node", "order", "definition"]),
  text: z.string(),
  code: z.string().nullable().meta({ description: "Of the reason" }),
  why: z.string(),
  cause: z.int().nullable().meta({ description: "Place in the list of the line that led to it" }),
});

export const ENTRY = z.strictObject({
  path: z.string(),
  kind: z.enum(["file", "directory"]),
  size: z.int(),
  version: z.int(),
  mtime: z.int(),
  writer: z.string(),
});

export const HISTORY_ENTRY = z.strictObject({
  txn_id: z.int(),
  term: z.int(),
  author: z.string(),
  reason: z.string(),
  time: z.int(),
  diff: z.array(z.string()),
  problem: z.string().nullable(),
  damaged: z.string().optional().meta({
    description: "It is not what was written; nothing else of it is known",
  }),
});

/** What a verification found. */
export const VERIFIED = z.strictObject({
  rows: z.strictObject({
    ...{ log: z.int(), tree: z.int(), locks: z.int(), requests: z.int(), history: z.int() },
  }),
  applied: z.int().meta({ description: "Index of the state that was read" }),
  damaged: z.array(z.strictObject({
    part: z.enum(VERIFIED_PARTS),
    at: z.int().nullable().meta({ description: "Index or inode" }),
    why: z.string(),
  })),
  count: z.int().meta({ description: "All that is damaged; a few are listed" }),
});

export const MEMBER = z.strictObject({
  name: z.string(),
  id: z.int(),
  self: z.boolean(),
  role: z.enum(["voter", "learner"]),
  leader: z.boolean(),
  state: z.string(),
  lag: z.int().nullable(),
  note: z.string(),
});

const CONTENT = z.strictObject({ size: z.int(), crc32: z.string() }).nullable();

/** One changed path for people. */
export const FILE_DIFF = z.strictObject({
  path: z.string(),
  change: z.enum(["added", "removed", "changed"]),
  kind: z.enum(["file", "directory"]),
  before: CONTENT,
  after: CONTENT,
  binary: z.boolean(),
  diff: z.string().nullable().meta({ description: "Unified; null for what is no text" }),
});
/** What every answer with diffs has. */
export const DIFFS = {
  files: z.array(FILE_DIFF),
  omitted: z.int().meta({ description: "Paths that are not named, for there are too many" }),
};

export const TRANSACTION = z.strictObject({
  ...HISTORY_ENTRY.shape,
  node: z.string(),
  request: z.string(),
  why: z.string().nullable(),
  operations: z.array(z.strictObject({
    op: z.enum(["create", "write", "truncate", "rename", "remove", "mkdir", "rmdir", "utime"]),
    path: z.string(),
    to: z.string().nullable(),
    offset: z.int().nullable(),
    size: z.int().nullable(),
    mtime: z.int().nullable(),
  })),
  kept: z.boolean(),
  ...DIFFS,
});

export const HISTORY = z.strictObject({
  entries: z.array(HISTORY_ENTRY),
  next: z.int().nullable(),
  oldest: z.int().nullable(),
  since: z.int(),
  limits: z.strictObject({ bytes: z.int(), seconds: z.int(), kept: z.int() }),
});

export const BACKUP = z.strictObject({
  file: z.string(),
  bytes: z.int(),
  txn_id: z.int(),
  at: z.string().meta({ format: "date-time" }),
});

export const RESTORED = z.strictObject({
  cluster: z.string(),
  id: z.string(),
  txn_id: z.int(),
  at: z.string().meta({ format: "date-time" }),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
type Same<A, B> = [DeepReadonly<A>] extends [DeepReadonly<B>]
  ? [DeepReadonly<B>] extends [DeepReadonly<A>] ? true : never
  : never;
/** Proves that schemas and types agree. */
export const SCHEMAS_AGREE: readonly [
  Same<z.infer<typeof STATUS>, StatusDocument>,
  Same<z.infer<typeof EVENT>, EventLine>,
  Same<z.infer<typeof ENTRY>, TreeEntry>,
  Same<z.infer<typeof HISTORY_ENTRY>, HistoryEntry>,
  Same<z.infer<typeof MEMBER>, MemberRow>,
  Same<z.infer<typeof TRANSACTION>, TransactionDetail>,
  Same<z.infer<typeof HISTORY>, HistoryList>,
  Same<z.infer<typeof BACKUP>, BackupReport>,
  Same<z.infer<typeof RESTORED>, RestoreReport>,
  Same<z.infer<typeof STORY_LINE>, StoryLine>,
] = [true, true, true, true, true, true, true, true, true, true];
