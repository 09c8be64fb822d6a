/**
 * The QEMU Machine Protocol as bytes (QEMU, docs/interop/qmp-spec): JSON objects, one in each line.
 * What is at the other end may have been taken over by its guest: everything is bounded and checked.
 *
 * @module
 */
import { concat, encodeText } from "../../base/bytes.ts";

/** Bytes of one line. The longest answer that is asked for takes a few hundred. */
export const QMP_LINE_MAX = 64 * 1024;
/** Events and stray answers that are passed over before the one that is waited for. */
export const QMP_STRAY_MAX = 256;
const WORDS_MAX = 240;

/** One message. */
export type QmpMessage =
  | { readonly is: "greeting"; readonly version: string }
  | { readonly is: "answer"; readonly id: number; readonly value: unknown }
  | { readonly is: "error"; readonly id: number; readonly why: string }
  /** An event, or an answer to somebody else's question. */
  | { readonly is: "other" };

/** A command as it is sent. */
export function printQmp(
  execute: string,
  ask: { readonly id: number; readonly arguments?: Readonly<Record<string, unknown>> },
): Uint8Array {
  return encodeText(`${JSON.stringify({ execute, ...ask })}\n`);
}

/** Cuts what comes into messages. */
export class QmpReader {
  #rest: Uint8Array = new Uint8Array();

  /** The messages that are whole now, or in a clause why the peer cannot be understood. */
  read(bytes: Uint8Array): readonly QmpMessage[] | string {
    const messages: QmpMessage[] = [];
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = concat(this.#rest, bytes.subarray(from, at));
      this.#rest = new Uint8Array();
      from = at + 1;
      const message = line.length > QMP_LINE_MAX ? null : parse(line);
      if (message === null) return "its monitor says what is no message of QMP";
      messages.push(message);
      if (messages.length > QMP_STRAY_MAX) return "its monitor says too much at once";
    }
    this.#rest = concat(this.#rest, bytes.subarray(from));
    return this.#rest.length > QMP_LINE_MAX ? "its monitor says a line without an end" : messages;
  }
}

function parse(line: Uint8Array): QmpMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { id } = value;
  if ("QMP" in value) return { is: "greeting", version: versionIn(value.QMP) };
  if (typeof id === "number" && "return" in value) {
    return { is: "answer", id, value: value.return };
  }
  if (typeof id === "number" && isObject(value.error)) {
    const { desc, class: kind } = value.error;
    const why = [desc, kind, "it is refused"].find((each) => typeof each === "string") as string;
    return { is: "error", id, why: why.slice(0, WORDS_MAX) };
  }
  return { is: "other" };
}

function versionIn(value: unknown): string {
  const qemu = isObject(value) && isObject(value.version) ? value.version.qemu : null;
  const parts = isObject(qemu) ? [qemu.major, qemu.minor, qemu.micro] : [];
  return parts.every((part) => typeof part === "number") ? parts.join(".") : "?";
}

/** The state that `query-status` tells; null where it tells none. */
export function statusIn(value: unknown): string | null {
  const status = isObject(value) ? value.status : null;
  return typeof status === "string" && /^[a-z-]{1,40}$/.test(status) ? status : null;
}

/** What JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
