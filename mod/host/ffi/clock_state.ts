/** What the kernel knows of the wall clock's discipline: adjtimex(2). @module */
import { HERE } from "./abi.ts";
import { openLibc } from "./libc.ts";

/** sizeof(struct timex) with room to spare: linux/timex.h. */
export const TIMEX_BYTES = 256;
/** Where it has `int status`: behind `modes` (padded to a long), offset, freq, maxerror, esterror. */
export const STATUS_AT = 40;
/** The clock is not synchronized; what adjtimex(2) returns then. */
const { STA_UNSYNC, TIME_ERROR } = HERE;

/** True where something keeps the wall clock; null where the kernel does not say. */
export function isClockKept(): boolean | null {
  try {
    const { adjtimex } = openLibc({
      // int adjtimex(struct timex *buf);
      adjtimex: { parameters: ["buffer"], result: "i32" },
    });
    // `modes` is zero: nothing is set.
    const timex = new Uint8Array(TIMEX_BYTES);
    const state = adjtimex(timex);
    if (state < 0) return null;
    const status = new DataView(timex.buffer).getInt32(STATUS_AT, true);
    return state !== TIME_ERROR && (status & STA_UNSYNC) === 0;
  } catch {
    return null;
  }
}
