/** Transactions and points in time as clients write them. @module */
import { ProblemError } from "../base/problem.ts";
import type { Point } from "../config/mod.ts";

/** RFC 3339 with its zone; the seconds may be left out. */
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/;

/** The number of a transaction. Throws `api.bad-request` for what is none. */
export function txnOf(text: string): number {
  const txn = parseTxn(text);
  if (txn !== null && txn > 0) return txn;
  throw new ProblemError("api.bad-request", `"${clip(text)}" is no transaction: 0x7f3e or 32574`);
}

/** A point. Throws `api.bad-request` for what is none. */
export function pointOf(text: string): Point {
  const point = parsePoint(text);
  if (point !== null) return point;
  const why = `"${
    clip(text)
  }" is no point: a transaction, a time of RFC 3339 with its zone, or now`;
  throw new ProblemError("api.bad-request", why);
}

/** As the conversation writes it. */
export function txnText(index: number): string {
  return `0x${index.toString(16)}`;
}

function clip(text: string): string {
  return text.slice(0, 64);
}

/** A transaction's number as `0x7f3e` or `32574`; null for what is none. */
function parseTxn(text: string): number | null {
  const digits = /^(0x[0-9a-f]{1,13}|\d{1,15})$/i.exec(text.trim());
  if (digits === null) return null;
  const index = Number(text);
  return Number.isSafeInteger(index) ? index : null;
}

/** A point as people write it; null for what is none. */
function parsePoint(text: string): Point | null {
  const word = text.trim();
  if (word === "now") return { at: "now" };
  const index = parseTxn(word);
  if (index !== null) return { at: "txn", index };
  if (!TIME.test(word)) return null;
  const ms = Date.parse(word.replace(" ", "T"));
  return Number.isNaN(ms) ? null : { at: "time", seconds: Math.floor(ms / 1000) };
}
