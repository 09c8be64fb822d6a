/**
 * Files of the tree that the manager of stream 3 writes, and nobody else.
 *
 * What it decided, it decided from what it knew then. Put back, it would be acted upon as if it were
 * true still: what a dead node ran would start elsewhere, beside where it was taken over to; and an
 * order that was followed once would be followed again, of a node that lives by now.
 *
 * @module
 */
import type { Operation } from "../streams.ts";

/**
 * The document of all decisions; it marks nodes that may run without a guard (`unguarded`). It can be
 * removed: then everything is found out anew.
 */
export const STATUS_FILE = "ha/manager_status";
/** While it is there nodes may run without a guard: all, or (`arming`) those that are marked. */
export const DISARM_FILE = "ha/disarmed";

/** What is never taken back. */
export const DECISIONS: readonly string[] = [
  STATUS_FILE,
  "ha/crm_commands",
  DISARM_FILE,
  "ha/out_nodes",
  "priv/lock/ha_manager_lock",
];

/** A file that people may read and remove, but not write. */
export function isDecided(path: string): boolean {
  return path === STATUS_FILE;
}

/** The path at which an operation of a person's would put decisions; null: at none. */
export function decidedBy(operation: Operation): string | null {
  if (operation.op === "remove" || operation.op === "rmdir") return null;
  const path = operation.op === "rename" ? operation.to : operation.path;
  return isDecided(path) ? path : null;
}
