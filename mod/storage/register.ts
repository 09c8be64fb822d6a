/**
 * The witness register on the disk: read, compare, write, and look again.
 *
 * Reading and writing are two commands. What makes them one is the registration: whoever ejects us
 * in between makes the target refuse the write, and a look afterwards tells that it was not
 * refused by being written to nowhere. So nothing is written here without our live registration,
 * and nothing counts as written before registration and content were seen again.
 *
 * @module
 */
import type { WitnessRegister } from "../streams.ts";
import { equalBytes } from "../base/bytes.ts";
import { isState, readReservations } from "./enrol.ts";
import {
  BLOCK_BYTES,
  type Decoded,
  decodeRegister,
  encodeRegister,
  REGISTER_BLOCK,
} from "./layout.ts";
import { failureText, type Procedure } from "./procedure.ts";
import { isProtected } from "./reservation.ts";

const OFFSET = REGISTER_BLOCK * BLOCK_BYTES;

/** What `storage.swap` asks for. */
export interface SwapAsk {
  readonly expect: number;
  readonly held: boolean;
  readonly register: WitnessRegister;
}

/** How a swap ended: what was written, or on refusal what is there, if known. */
export interface SwapEnd {
  readonly ok: boolean;
  readonly register: WitnessRegister | null;
  /** For people; empty on success. */
  readonly why: string;
}

/** Reads the register; a disk that does not answer counts as damage. */
export function* readRegister(uuid: string): Procedure<Decoded<WitnessRegister>> {
  const result = yield { call: "read", offset: OFFSET, length: BLOCK_BYTES };
  if (result.result === "bytes") return decodeRegister(result.bytes, uuid);
  return { found: "damaged", why: failureText(result) };
}

/** Replaces the register under our registration `key`. `isHeld` is asked right before the write. */
export function* swap(
  ask: SwapAsk,
  disk: { readonly key: string; readonly uuid: string; readonly isHeld: () => boolean },
): Procedure<SwapEnd> {
  const before = yield* readReservations();
  if (!isState(before)) return refused(failureText(before));
  if (!isProtected(before, disk.key)) return refused("our registration is not there");
  const found = yield* readRegister(disk.uuid);
  if (found.found !== "ok") return refused(`the register is ${found.found}: ${found.why}`);
  const there = found.value;
  if (there.version !== ask.expect) {
    return refused(`the register has version ${there.version}, not ${ask.expect}`, there);
  }
  if (ask.register.version !== ask.expect + 1) {
    return refused("the new version is not the next one", there);
  }
  if (ask.held && !disk.isHeld()) return refused("the witness vote is not held", there);
  const bytes = encodeRegister(ask.register, disk.uuid);
  const written = yield { call: "write", offset: OFFSET, bytes };
  if (written.result !== "done") return refused(failureText(written));
  const after = yield* readReservations();
  if (!isState(after)) return refused(failureText(after));
  if (!isProtected(after, disk.key)) return refused("our registration went during the write");
  const again = yield { call: "read", offset: OFFSET, length: BLOCK_BYTES };
  if (again.result !== "bytes") return refused(failureText(again));
  if (!equalBytes(again.bytes, bytes)) return refused("another node wrote the register");
  return { ok: true, register: ask.register, why: "" };
}

function refused(why: string, register: WitnessRegister | null = null): SwapEnd {
  return { ok: false, register, why };
}
