/** `storage format`: look what a disk carries, and only if it is nothing, label it. @module */
import { toHex } from "../base/bytes.ts";
import type { ClusterId, NodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { Disk, DiskFailure, DiskPort } from "../host/ports.ts";
import {
  type Content,
  DISK_BYTES_MIN,
  freshBlocks,
  HEAD_BYTES,
  inspect,
  TAIL_BYTES,
} from "../storage/mod.ts";

/** What to format for. */
export interface FormatAsk {
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly self: NodeId;
  /** False: only look. */
  readonly commit: boolean;
}

/** What was found, and the uuid of the label that is there now (or would be). */
export interface FormatAnswer {
  readonly uuid: string;
  readonly found: string;
}

/** Looks at a disk and (if `commit`) labels it. Refuses a disk that carries anything. */
export async function formatDisk(
  port: DiskPort,
  path: string,
  ask: FormatAsk,
): Promise<FormatAnswer> {
  const disk = await call<Disk>(path, (done) => port.open(path, done));
  try {
    if (disk.sizeBytes < DISK_BYTES_MIN) {
      const why = `"${path}" has ${disk.sizeBytes} bytes, ${DISK_BYTES_MIN} are needed`;
      throw new ProblemError("storage.unusable", why);
    }
    const content = await look(disk, path);
    if (content.content === "foreign") {
      throw new ProblemError("storage.foreign-disk", `"${path}" carries: ${content.name}`);
    }
    if (content.content === "pentad") {
      if (content.cluster === ask.cluster) {
        return { uuid: content.uuid, found: "this cluster's label" };
      }
      const why = `"${path}" carries the label of cluster "${content.clusterName}"`;
      throw new ProblemError("storage.wrong-cluster", why);
    }
    const uuid = toHex(crypto.getRandomValues(new Uint8Array(16)));
    if (ask.commit) await label(disk, path, uuid, ask);
    return { uuid, found: "nothing" };
  } finally {
    disk.close();
  }
}

async function look(disk: Disk, path: string): Promise<Content> {
  const tailAt = Math.floor((disk.sizeBytes - TAIL_BYTES) / 4096) * 4096;
  const tailLength = Math.floor((disk.sizeBytes - tailAt) / 4096) * 4096;
  const head = await call<Uint8Array>(path, (done) => disk.read(0, HEAD_BYTES, done));
  const tail = await call<Uint8Array>(path, (done) => disk.read(tailAt, tailLength, done));
  return inspect(head, tail);
}

async function label(disk: Disk, path: string, uuid: string, ask: FormatAsk): Promise<void> {
  const { cluster, clusterName, self } = ask;
  const wallSeconds = Math.floor(Date.now() / 1000);
  for (const { offset, bytes } of freshBlocks({ uuid, cluster, clusterName, self, wallSeconds })) {
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
