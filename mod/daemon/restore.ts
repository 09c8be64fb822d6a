/** Putting a backup into an empty state directory: the new cluster's only member comes of it. @module */
import { toHex } from "../base/bytes.ts";
import { type ClusterSpec, specFault } from "../base/cluster.ts";
import { clusterId, NODE_ID_MAX, nodeId, requestId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import { failureCode } from "../host/database_failure.ts";
import { encodeEntry } from "../config/mod.ts";
import { STATUS_FILE } from "../ha/mod.ts";
import { DATABASE_NAME } from "../host/linux/database.ts";
import { beginAnew } from "../host/linux/database_restore.ts";
import { BACKUP_TABLE, readBackup } from "./backup_file.ts";
import { syncDirectory } from "../host/linux/durable_file.ts";
import type { Identity } from "./state.ts";

const COPY_BYTES = 1024 * 1024;

/** What is restored, and where. */
export interface RestoreInto {
  readonly file: string;
  readonly directory: string;
  /** The host that is to be the only member. */
  readonly self: {
    readonly name: string;
    readonly links: readonly string[];
    readonly peer: string;
  };
  /** A person vouches that no other member lives. */
  readonly alone: boolean;
}

/** What came of it: all but the identity is in the directory, durable. */
export interface Restored {
  readonly identity: Identity;
  readonly applied: number;
  /** When the backup was made. */
  readonly at: string;
}

/**
 * The cluster is another one from here on: its id is drawn anew, so that no member of the old one is
 * ever taken for one of its own; the node's number was never given before.
 */
export function restoreBackup({ file, directory, self, alone }: RestoreInto): Restored {
  const copy = `${directory}/${DATABASE_NAME}.new`;
  try {
    // What was verified is what is used, whatever becomes of the file.
    copyFile(file, copy);
    const { clusterKey, entry, at, applied, tree } = readBackup(copy, file);
    const others = entry.spec.members.map(({ name }) => name).filter((name) => name !== self.name);
    if (others.length > 0 && !alone) {
      const why = `"${entry.spec.name}" had other members: ${others.join(", ")}`;
      throw new ProblemError("config.not-alone", why);
    }
    const node = entry.highest + 1;
    if (node > NODE_ID_MAX) throw new ProblemError("config.bad-backup", "every node id was given");
    const spec: ClusterSpec = {
      id: clusterId(toHex(crypto.getRandomValues(new Uint8Array(16)))),
      name: entry.spec.name,
      profile: entry.spec.profile,
      members: [{ id: nodeId(node), role: "voter", votes: 1, ...self }],
      witness: null,
    };
    const fault = specFault(spec);
    if (fault !== null) throw new ProblemError("settings.invalid", fault);
    const body = encodeEntry({ kind: "spec", spec, highest: node });
    const entries = tree.has(STATUS_FILE)
      ? [forgetting({ node, name: self.name, applied, at })]
      : [];
    beginAnew(copy, { spec: body, entries, drop: [BACKUP_TABLE] });
    Deno.renameSync(copy, `${directory}/${DATABASE_NAME}`);
    syncDirectory(directory);
    return { identity: { node: nodeId(node), clusterKey, spec }, applied, at };
  } catch (error) {
    removeIfThere(copy);
    if (error instanceof ProblemError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    // A disk that takes no copy says nothing about the backup.
    const code = failureCode(said);
    const is = code === "node.database-failed" ? "config.bad-backup" : code;
    throw new ProblemError(is, `"${file}": ${said}`, { cause: error });
  }
}

/**
 * What the old manager decided names nodes that are no members any more; what ran on them would wait
 * for a proof of their death for ever. It is taken away by the first transaction of the new log.
 */
function forgetting(
  { node, name, applied, at }: { node: number; name: string; applied: number; at: string },
): Uint8Array {
  return encodeEntry({
    kind: "transaction",
    writer: node,
    transaction: {
      request: requestId(toHex(crypto.getRandomValues(new Uint8Array(8)))),
      base: applied,
      expect: [],
      operations: [{ op: "remove", path: STATUS_FILE }],
      author: `root@${name}`,
      reason: `restored the backup of ${at}`,
      time: Math.floor(Date.now() / 1000),
    },
  });
}

function copyFile(from: string, to: string): void {
  removeIfThere(to);
  const source = Deno.openSync(from, { read: true });
  try {
    const target = Deno.openSync(to, { write: true, createNew: true, mode: 0o600 });
    try {
      const buffer = new Uint8Array(COPY_BYTES);
      for (let count = source.readSync(buffer); count !== null; count = source.readSync(buffer)) {
        for (let at = 0; at < count;) at += target.writeSync(buffer.subarray(at, count));
      }
      target.syncSync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
