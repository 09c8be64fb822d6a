/** `storage format`: look what a disk carries, and only if it is nothing, label it. @module */
import { toHex } from "../base/bytes.ts";
import type { ClusterId, NodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { Disk, DiskFailure, DiskPort } from "../host/ports.ts";
import {
  BLOCK_BYTES,
  type Content,
  DISK_BYTES_MIN,
  freshBlocks,
  GROUP_MAX,
  HEAD_BYTES,
  inspect,
  TAIL_BYTES,
  WRITE_BYTES_MAX,
} from "../storage/mod.ts";

/** What to format for. */
export interface FormatAsk {
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly self: NodeId;
  /** Further disks, that are to judge together with this one; an even number of them. */
  readonly with: readonly string[];
  /** False: only look. */
  readonly commit: boolean;
}

/** What was found, and the uuid of the label that is there now (or would be). */
export interface FormatAnswer {
  readonly uuid: string;
  readonly found: string;
}

/**
 * Looks at a disk and (if `commit`) labels it. Refuses a disk that carries anything; of several
 * disks none is written to where one is refused.
 */
export async function formatDisk(
  port: DiskPort,
  path: string,
  ask: FormatAsk,
): Promise<FormatAnswer> {
  const paths = [path, ...ask.with];
  if (paths.length % 2 === 0 || paths.length > GROUP_MAX || new Set(paths).size !== paths.length) {
    const why = `an odd number of disks judges, ${GROUP_MAX} at most, each named once`;
    throw new ProblemError("storage.unusable", why);
  }
  const disks: { readonly path: string; readonly disk: Disk; readonly uuid: string }[] = [];
  try {
    for (const each of paths) {
      // One by one: the first that is refused is told.
      const disk = await call<Disk>(each, (done) => port.open(each, done));
      disks.push({ path: each, disk, uuid: toHex(crypto.getRandomValues(new Uint8Array(16))) });
      const known = await ours(disk, each, ask);
      if (known === null) continue;
      if (paths.length === 1) return { uuid: known, found: "this cluster's label" };
      const why = `"${each}" is labelled already; only fresh disks can judge together`;
      throw new ProblemError("storage.unusable", why);
    }
    const group = disks.length === 1 ? [] : disks.map(({ uuid }) => uuid).sort();
    if (ask.commit) { for (const each of disks) await label(each, group, ask); }
    return { uuid: disks[0]?.uuid ?? "", found: "nothing" };
  } finally {
    for (const { disk } of disks) disk.close();
  }
}

/** The uuid of a disk that this cluster labelled, null for an empty one. */
async function ours(disk: Disk, path: string, ask: FormatAsk): Promise<string | null> {
  if (disk.sizeBytes < DISK_BYTES_MIN) {
    const why = `"${path}" has ${disk.sizeBytes} bytes, ${DISK_BYTES_MIN} are needed`;
    throw new ProblemError("storage.unusable", why);
  }
  const content = await look(disk, path);
  if (content.content === "empty") return null;
  if (content.content === "foreign") {
    throw new ProblemError("storage.foreign-disk", `"${path}" carries: ${content.name}`);
  }
  if (content.cluster === ask.cluster) return content.uuid;
  const why = `"${path}" carries the label of cluster "${content.clusterName}"`;
  throw new ProblemError("storage.wrong-cluster", why);
}

/** Everything that a label would overwrite, and the end, where some keep their records. */
async function look(disk: Disk, path: string): Promise<Content> {
  const head = await readAll(disk, path, { from: 0, to: HEAD_BYTES });
  const end = Math.floor(disk.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  const tail = await readAll(disk, path, { from: Math.max(0, end - TAIL_BYTES), to: end });
  return inspect(head, tail);
}

async function readAll(
  disk: Disk,
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<Uint8Array> {
  const all = new Uint8Array(to - from);
  for (let at = from; at < to; at += WRITE_BYTES_MAX) {
    const length = Math.min(WRITE_BYTES_MAX, to - at);
    // In order, as a disk likes it best.
    all.set(await call<Uint8Array>(path, (done) => disk.read(at, length, done)), at - from);
  }
  return all;
}

async function label(
  { disk, path, uuid }: { readonly disk: Disk; readonly path: string; readonly uuid: string },
  group: readonly string[],
  { cluster, clusterName, self }: FormatAsk,
): Promise<void> {
  const wallSeconds = Math.floor(Date.now() / 1000);
  const input = { uuid, cluster, clusterName, self, wallSeconds, group };
  for (const { offset, bytes } of freshBlocks(input)) {
    // One after the other: the label must come last.
    await call<null>(path, (done) => disk.write(offset, bytes, done));
  }
}

function call<T>(
  path: string,
  start: (done: (result: T | DiskFailure) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) =>
    start((result) => {
      if (result !== null && typeof result === "object" && "failure" in result) {
        const { failure, detail } = result as DiskFailure;
        reject(new ProblemError("storage.unusable", `"${path}": ${failure}: ${detail}`));
      } else resolve(result as T);
    })
  );
}
