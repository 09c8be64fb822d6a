/**
 * Is the whole stack armed? `ha/disarmed`, a file with one word: while it says `disarmed` nothing is
 * started, stopped, moved or fenced; while it says `arming` not every node has said that its guard is
 * held again; where it is missing all is armed.
 *
 * Who may run things without a guard is written at each node in `ha/manager_status`. The two stand in
 * two files so that no one hand that removes one of them makes a node look guarded.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";

export const DISARM_FILE = "ha/disarmed";

/** See the module's note. */
export type Mode = "armed" | "disarmed" | "arming";

/** The mode by the file's bytes; null: there is no file. What cannot be read is disarmed. */
export function modeIn(bytes: Uint8Array | null): Mode {
  if (bytes === null) return "armed";
  return decodeText(bytes)?.trim() === "arming" ? "arming" : "disarmed";
}

/** The file's bytes; null: it is to be removed. */
export function printMode(mode: Mode): Uint8Array | null {
  return mode === "armed" ? null : encodeText(`${mode}\n`);
}
