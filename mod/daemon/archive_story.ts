/**
 * The story of a resource out of a database file: a living node's, a dead node's, a backup's.
 *
 * @module
 */
import type { ResourceLog, ResourceLogAsk } from "../api/running_node.ts";
import { type ClusterSpec, nameOf } from "../base/cluster.ts";
import { changesOf, type PathChange, pathsNamed, transactionOf } from "../config/mod.ts";
import { COMMANDS_FILE, RESOURCES_FILE } from "../ha/files.ts";
import {
  type FileChange,
  STATUS_FILE,
  storyOf,
  StoryReader,
  type StoryStep,
  type WrittenStep,
} from "../ha/mod.ts";
import type { DatabaseView } from "../host/linux/database_view.ts";
import type { HistoryRecord } from "../host/ports.ts";
import { NEWEST_FIRST } from "./archive.ts";

/** Transactions of stream 3 that are read for one story, and bytes in them, at most. */
const STEPS_MAX = 5000;
const BYTES_MAX = 256 * 1024 * 1024;
const FILES: readonly string[] = [STATUS_FILE, COMMANDS_FILE, RESOURCES_FILE];

/** The newest part of a resource's story, oldest line first. */
export function resourceLog(
  view: DatabaseView,
  { id, limit }: ResourceLogAsk,
  spec: ClusterSpec | null,
): ResourceLog {
  const reader = new StoryReader(id);
  const steps: StoryStep[] = [];
  let [told, bytes, more] = [0, 0, false];
  for (const record of view.records({ ...NEWEST_FIRST, undo: true })) {
    const written = stepOf(record);
    if (written === null) continue;
    more = told >= limit || steps.length >= STEPS_MAX || bytes >= BYTES_MAX;
    if (more) break;
    const step = reader.read(written);
    if (step.own) told++;
    bytes += written.status?.after?.length ?? 0;
    steps.push(step);
  }
  const lines = storyOf(id, steps.reverse(), (node) => nameOf(spec, node));
  return { id, lines, more, since: view.meta.since };
}

/** What a transaction did to the files of stream 3; null for nothing, or where it is not kept. */
function stepOf(record: HistoryRecord): WrittenStep | null {
  const transaction = transactionOf(record);
  if (transaction === null || record.problem !== "") return null;
  const paths = pathsNamed(transaction);
  const changes = FILES.some((path) => paths.has(path)) ? changesOf(record) : null;
  if (changes === null) return null;
  const of = (path: string): FileChange | null => {
    const change = changes.find((each) => each.path === path);
    return change === undefined
      ? null
      : { before: dataOf(change.before), after: dataOf(change.after) };
  };
  return {
    ...{ txn_id: record.index, time: transaction.time, author: transaction.author },
    ...{ status: of(STATUS_FILE), commands: of(COMMANDS_FILE), resources: of(RESOURCES_FILE) },
  };
}

function dataOf(row: PathChange["before"]): Uint8Array | null {
  return row?.kind === "file" ? row.data : null;
}
