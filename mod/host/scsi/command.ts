/**
 * SCSI commands as bytes: what pentad sends to a disk, and nothing more. Pure.
 *
 * Standards: SPC-4 (INCITS 513), "PERSISTENT RESERVE IN command" (6.15), "PERSISTENT RESERVE OUT
 * command" (6.16), "INQUIRY command", "TEST UNIT READY command"; SBC-3 (INCITS 514), "COMPARE AND
 * WRITE command" and "READ CAPACITY (16) command". Numbers are big-endian.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { Writer } from "../../base/bytes.ts";
import type { ReservationType } from "../ports.ts";

/** One command, ready to be sent. */
export interface ScsiCommand {
  /** For people: `PREEMPT AND ABORT`. */
  readonly name: string;
  /** Command descriptor block. */
  readonly cdb: Uint8Array<ArrayBuffer>;
  /** What the target gets, or how many bytes it may answer. */
  readonly transfer:
    | { readonly way: "none" }
    | { readonly way: "out"; readonly bytes: Uint8Array<ArrayBuffer> }
    | { readonly way: "in"; readonly lengthMax: number };
}

/** Service actions of PERSISTENT RESERVE IN (SPC-4, table "PERSISTENT RESERVE IN service action codes"). */
export const PR_IN = { keys: 0, reservation: 1, capabilities: 2, fullStatus: 3 } as const;
/** Service actions of PERSISTENT RESERVE OUT (SPC-4, table "PERSISTENT RESERVE OUT service action codes"). */
export const PR_OUT = {
  register: 0,
  reserve: 1,
  release: 2,
  clear: 3,
  preempt: 4,
  preemptAndAbort: 5,
  registerAndIgnore: 6,
} as const;

export type PrInAction = keyof typeof PR_IN;
export type PrOutAction = keyof typeof PR_OUT;

const PR_IN_NAMES: Readonly<Record<PrInAction, string>> = {
  keys: "READ KEYS",
  reservation: "READ RESERVATION",
  capabilities: "REPORT CAPABILITIES",
  fullStatus: "READ FULL STATUS",
};
const PR_OUT_NAMES: Readonly<Record<PrOutAction, string>> = {
  register: "REGISTER",
  reserve: "RESERVE",
  release: "RELEASE",
  clear: "CLEAR",
  preempt: "PREEMPT",
  preemptAndAbort: "PREEMPT AND ABORT",
  registerAndIgnore: "REGISTER AND IGNORE EXISTING KEY",
};

/** The longest answer that a 16-bit allocation length can ask for. */
export const ALLOCATION_MAX = 0xffff;
/** No key: a nexus that is not registered, or a registration that is to go. */
export const NO_KEY = "0".repeat(16);

/** Byte 20 of the parameter list (SPC-4, table "PERSISTENT RESERVE OUT parameter list"). */
const SPEC_I_PT = 0x08;
const ALL_TG_PT = 0x04;
const APTPL = 0x01;
/** The only scope there is: the logical unit. */
const SCOPE_LU = 0;
const OPCODE = {
  ready: 0x00,
  inquiry: 0x12,
  prIn: 0x5e,
  prOut: 0x5f,
  write: 0x8a,
  caw: 0x89,
  actionIn: 0x9e,
};
/** SERVICE ACTION IN (16) with this service action is READ CAPACITY (16). */
const READ_CAPACITY_16 = 0x10;
const CAPACITY_BYTES = 32;

/** TEST UNIT READY: does nothing, and so takes a pending unit attention away. */
export function testUnitReady(): ScsiCommand {
  return { name: "TEST UNIT READY", cdb: new Uint8Array(6), transfer: { way: "none" } };
}

/** INQUIRY: standard data, or the vital product data page `page`. */
export function inquiry(page: number | null, lengthMax = 252): ScsiCommand {
  const cdb = new Writer(6).u8(OPCODE.inquiry).u8(page === null ? 0 : 1).u8(page ?? 0)
    .u16(lengthMax).u8(0).finish();
  return { name: "INQUIRY", cdb: own(cdb), transfer: { way: "in", lengthMax } };
}

/** WRITE (16) of no blocks: writes nothing and is no error (SBC-3, "WRITE (16) command"). */
export function writeNothing(): ScsiCommand {
  const cdb = new Writer(16).u8(OPCODE.write).u8(0).u64(0).u32(0).u16(0).finish();
  return { name: "WRITE (16) of no blocks", cdb: own(cdb), transfer: { way: "none" } };
}

/** READ CAPACITY (16). */
export function readCapacity(): ScsiCommand {
  const cdb = new Writer(16).u8(OPCODE.actionIn).u8(READ_CAPACITY_16).u64(0).u32(CAPACITY_BYTES)
    .u16(0).finish();
  return {
    name: "READ CAPACITY (16)",
    cdb: own(cdb),
    transfer: { way: "in", lengthMax: CAPACITY_BYTES },
  };
}

/** PERSISTENT RESERVE IN; `lengthMax` is 8 to {@link ALLOCATION_MAX}. */
export function persistentReserveIn(action: PrInAction, lengthMax: number): ScsiCommand {
  assert(lengthMax >= 8 && lengthMax <= ALLOCATION_MAX, `${lengthMax} fits an allocation length`);
  const cdb = new Writer(10).u8(OPCODE.prIn).u8(PR_IN[action]).u32(0).u8(0).u16(lengthMax).u8(0);
  return {
    name: PR_IN_NAMES[action],
    cdb: own(cdb.finish()),
    transfer: { way: "in", lengthMax },
  };
}

/** What a PERSISTENT RESERVE OUT says. */
export interface PrOut {
  readonly action: PrOutAction;
  /** RESERVATION KEY: the sender's own, 16 hex digits; ignored by REGISTER AND IGNORE. */
  readonly key: string;
  /** SERVICE ACTION RESERVATION KEY: the new key, or the victim's. */
  readonly actionKey?: string;
  /** Looked at by RESERVE, RELEASE and both PREEMPTs. */
  readonly type?: ReservationType;
  /** APTPL: keep registrations over a loss of power. Of registrations only. */
  readonly persist?: boolean;
  /** ALL_TG_PT: through every port of the target. Of registrations only. */
  readonly allTargetPorts?: boolean;
  /** SPEC_I_PT: for these initiator ports too, TransportIDs as bytes. Of registrations only. */
  readonly initiatorPorts?: readonly Uint8Array[];
}

/** PERSISTENT RESERVE OUT with its parameter list. */
export function persistentReserveOut(ask: PrOut): ScsiCommand {
  const { action, key, actionKey = NO_KEY, type, initiatorPorts = [] } = ask;
  const registers = action === "register" || action === "registerAndIgnore";
  const flags = (initiatorPorts.length > 0 ? SPEC_I_PT : 0) |
    (ask.allTargetPorts ? ALL_TG_PT : 0) | (ask.persist ? APTPL : 0);
  assert(registers || flags === 0, "Only registrations have flags");
  const list = new Writer(64).bytes(keyBytes(key)).bytes(keyBytes(actionKey))
    .u32(0).u8(flags).u8(0).u16(0);
  if (initiatorPorts.length > 0) {
    list.u32(initiatorPorts.reduce((sum, { length }) => sum + length, 0));
    for (const port of initiatorPorts) list.bytes(port);
  }
  const bytes = own(list.finish());
  const cdb = new Writer(10).u8(OPCODE.prOut).u8(PR_OUT[action])
    .u8((SCOPE_LU << 4) | (type ?? 0)).u16(0).u32(bytes.length).u8(0);
  return { name: PR_OUT_NAMES[action], cdb: own(cdb.finish()), transfer: { way: "out", bytes } };
}

/**
 * COMPARE AND WRITE of `blocks` logical blocks at `block`: where the disk holds `expected`, it then
 * holds `fresh`, in one step. Both have the length of those blocks.
 */
export function compareAndWrite(
  at: { readonly block: number; readonly blocks: number },
  data: { readonly expected: Uint8Array; readonly fresh: Uint8Array },
): ScsiCommand {
  assert(data.expected.length === data.fresh.length, "What is compared is what is replaced");
  const bytes = own(
    new Writer(2 * data.fresh.length).bytes(data.expected).bytes(data.fresh).finish(),
  );
  const cdb = new Writer(16).u8(OPCODE.caw).u8(0).u64(at.block).u16(0).u8(0).u8(at.blocks)
    .u8(0).u8(0);
  return {
    name: "COMPARE AND WRITE",
    cdb: own(cdb.finish()),
    transfer: { way: "out", bytes },
  };
}

function keyBytes(key: string): Uint8Array {
  assert(/^[0-9a-f]{16}$/.test(key), `"${key}" is 16 hex digits`);
  return new Writer(8).u32(parseInt(key.slice(0, 8), 16)).u32(parseInt(key.slice(8), 16)).finish();
}

/** The C library gets buffers of their own, never a view of something larger. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
