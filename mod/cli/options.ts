/** Values of options, checked. @module */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { ProblemError } from "../base/problem.ts";

export const REQUEST_HELP =
  "16 hex digits of the first try, to repeat it: it is applied at most once";

/** Checks a request id. */
export function requestId(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  throw new ProblemError("cli.usage", "a request id is 16 hex digits in lower case");
}

/** Checks a reason: it travels in a header. */
export function reason(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  throw new ProblemError("cli.usage", "--reason takes one line of ASCII");
}

/** Local time without its zone, as people write it. */
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?$/;

/** A point in the history for the API: local time gets its zone here, where that is known. */
export function point(text: string): string {
  const local = LOCAL.exec(text.trim())?.slice(1).map((digits) => Number(digits ?? 0));
  if (local === undefined) return text;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = local;
  const at = new Date(year, month - 1, day, hour, minute, second);
  const real = at.getMonth() === month - 1 && at.getDate() === day && minute < 60 && second < 60;
  if (real) return at.toISOString();
  throw new ProblemError("cli.usage", `"${text}" is not on any calendar`);
}

/** A transaction as one segment of an address. */
export function txnSegment(text: string): string {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return text;
  throw new ProblemError("cli.usage", `"${text}" is no transaction: 0x7f3e or 32574`);
}

/** Makes a check for whole numbers within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
