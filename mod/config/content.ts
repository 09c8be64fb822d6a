/** What a write or truncate makes of a file's content. @module */
import type { Operation } from "../streams.ts";
import { FILE_BYTES_MAX } from "./wire.ts";

/** A file's content after a write or truncate; null where it would be too long. */
export function contentAfter(
  data: Uint8Array,
  operation: Extract<Operation, { op: "write" | "truncate" }>,
): Uint8Array | null {
  if (operation.op === "truncate") {
    if (operation.size > FILE_BYTES_MAX) return null;
    const cut = new Uint8Array(operation.size);
    cut.set(data.subarray(0, operation.size));
    return cut;
  }
  const { offset, data: added } = operation;
  const size = Math.max(data.length, offset + added.length);
  if (size > FILE_BYTES_MAX) return null;
  const whole = new Uint8Array(size);
  whole.set(data);
  whole.set(added, offset);
  return whole;
}
