/** One answer of a person at the terminal. @module */
import { decodeText } from "../../base/bytes.ts";

const ANSWER_BYTES_MAX = 256;

/** A line of standard input without its end; "" at the end of input. */
export async function ask(): Promise<string> {
  const buffer = new Uint8Array(ANSWER_BYTES_MAX);
  const count = await Deno.stdin.read(buffer);
  return count === null ? "" : (decodeText(buffer.subarray(0, count)) ?? "").trim();
}
