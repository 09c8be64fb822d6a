/**
 * What lies on a shared disk, in blocks of 4096 bytes (`block.ts`).
 *
 * ```text
 * block 0           label             whose disk this is, and which disks judge together with it
 * block 1           witness register  the vote of the disk (streams.ts, WitnessRegister)
 * block 16 + n      pulse slot        written by node n alone: its pulse, and its mail to others
 * ```
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { type BootId, type ClusterId, MEMBERS_MAX, type NodeId } from "../base/id.ts";
import {
  choice,
  f64,
  hex,
  list,
  option,
  type Schema,
  struct,
  text,
  u16,
  u32,
  u64,
} from "../base/schema.ts";
import type { LastWords, WitnessRegister } from "../streams.ts";
import { BLOCK_BYTES, closeBlock, type Decoded, openBlock } from "./block.ts";

export const LABEL_BLOCK = 0;
export const REGISTER_BLOCK = 1;
export const SLOT_BLOCK = 16;
/** Highest node id that has a pulse slot. */
export const DISK_NODE_MAX = 1023;
/** Bytes that pentad reserves at the beginning of a disk. */
export const AREA_BYTES = (SLOT_BLOCK + DISK_NODE_MAX + 1) * BLOCK_BYTES;
/** Disks that may judge together. */
export const GROUP_MAX = 7;
/** Letters in one slot: one for every other member. */
export const MAIL_MAX = MEMBERS_MAX;

/** Block 0. */
export interface Label {
  /** This disk: 32 hex digits, drawn when it was formatted. */
  readonly uuid: string;
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly formattedBy: NodeId;
  /** Seconds since 1970, for people. */
  readonly formattedAt: number;
  /** The disks that were formatted to judge together, this one included; empty where it is alone. */
  readonly group: readonly string[];
}

/** "I have read your pulse `seq`": `boot` is the first 4 bytes of the life that wrote it. */
export interface Echo {
  readonly node: NodeId;
  readonly boot: string;
  readonly seq: number;
}

/** A poison pill: "whoever reads this in the life `boot` of node `to` ends everything it runs". */
export interface Letter {
  readonly to: NodeId;
  readonly boot: BootId;
  /** Tells one pill from the next to the same life: the writer's pulse seq when it was written. */
  readonly seq: number;
}

/** One node's pulse. */
export interface PulseSlot {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly seq: number;
  readonly guardMarginMs: number;
  readonly diskLocks: number;
  readonly words: LastWords;
  /** Why the words were left: a reason code; empty while there are none. */
  readonly cause: string;
  readonly echoes: readonly Echo[];
  readonly mail: readonly Letter[];
}

/**
 * Which of two writings of a register of several disks is newer: each holder of the vote begins a
 * higher epoch, and signs with its key. A register that one disk keeps alone has epoch 0.
 */
export interface Ballot {
  readonly epoch: number;
  /** 16 hex digits. */
  readonly key: string;
}

/** The register as it lies on one disk. */
export interface StoredRegister {
  readonly ballot: Ballot;
  readonly register: WitnessRegister;
}

/** Nobody's ballot. */
export const NO_BALLOT: Ballot = { epoch: 0, key: "0".repeat(16) };

const LABEL_FIELDS = {
  cluster: hex(16),
  clusterName: text(63),
  formattedBy: u16,
  formattedAt: u64,
};
const LABEL = struct(LABEL_FIELDS);
const GROUP_LABEL = struct({ ...LABEL_FIELDS, group: list(hex(16), GROUP_MAX) });

const REGISTER_FIELDS = {
  version: u64,
  term: u64,
  vote: option(u16),
  subterm: u64,
  set: list(u16, MEMBERS_MAX),
  lastTerm: u64,
  lastIndex: u64,
};
const REGISTER = struct(REGISTER_FIELDS);
const GROUP_REGISTER = struct({ epoch: u64, key: hex(8), ...REGISTER_FIELDS });

const PULSE_FIELDS = {
  boot: hex(8),
  seq: u64,
  guardMarginMs: u32,
  diskLocks: f64,
  words: choice(["none", "clean-stop", "self-fenced"]),
  cause: text(63),
  echoes: list(struct({ node: u16, boot: hex(4), seq: u64 }), MEMBERS_MAX),
};
const PULSE = struct(PULSE_FIELDS);
const MAIL_PULSE = struct({
  ...PULSE_FIELDS,
  mail: list(struct({ to: u16, boot: hex(8), seq: u64 }), MAIL_MAX),
});

const LABELS = { label: LABEL as Schema<unknown>, "label of a group": GROUP_LABEL };
const REGISTERS = { register: REGISTER as Schema<unknown>, "register of a group": GROUP_REGISTER };
const PULSES = { pulse: PULSE as Schema<unknown>, "pulse with mail": MAIL_PULSE };

/** Byte offset of a node's pulse slot. */
export function slotOffset(node: number): number {
  assert(node >= 1 && node <= DISK_NODE_MAX, `Node id ${node} has a pulse slot`);
  return (SLOT_BLOCK + node) * BLOCK_BYTES;
}

/** The label as a block. */
export function encodeLabel(label: Label): Uint8Array {
  const place = { number: 0, uuid: label.uuid };
  if (label.group.length === 0) {
    return closeBlock(place, "label", { schema: LABEL, value: label });
  }
  return closeBlock(place, "label of a group", { schema: GROUP_LABEL, value: label });
}

/** Reads block 0. */
export function decodeLabel(block: Uint8Array): Decoded<Label> {
  const opened = openBlock({ number: 0, uuid: null }, LABELS, block);
  if (opened.found !== "ok") return opened;
  const { body, uuid } = opened.value;
  const label = { group: [], ...body as Partial<Label>, uuid } as unknown as Label;
  if (label.formattedBy === 0) return { found: "damaged", why: "node 0 formatted it" };
  const { group } = label;
  const alone = group.length === 0;
  if (!alone && (!group.includes(uuid) || new Set(group).size !== group.length)) {
    return { found: "damaged", why: "its group is no group of its own" };
  }
  return { found: "ok", value: label };
}

/** The witness register as a block of the disk `uuid`. */
export function encodeRegister(
  register: WitnessRegister,
  uuid: string,
  ballot: Ballot = NO_BALLOT,
): Uint8Array {
  const place = { number: 0, uuid };
  if (ballot.epoch === 0) {
    return closeBlock(place, "register", { schema: REGISTER, value: register });
  }
  const value = { ...ballot, ...register };
  return closeBlock(place, "register of a group", { schema: GROUP_REGISTER, value });
}

/** Reads block 1 of the disk `uuid`. */
export function decodeRegister(block: Uint8Array, uuid: string): Decoded<WitnessRegister> {
  const stored = decodeStored(block, uuid);
  return stored.found === "ok" ? { found: "ok", value: stored.value.register } : stored;
}

/** Reads block 1 of the disk `uuid`, with the ballot under which it was written. */
export function decodeStored(block: Uint8Array, uuid: string): Decoded<StoredRegister> {
  const opened = openBlock({ number: 0, uuid }, REGISTERS, block);
  if (opened.found !== "ok") return opened;
  const { epoch = NO_BALLOT.epoch, key = NO_BALLOT.key, ...register } = opened.value.body as
    & Partial<Ballot>
    & WitnessRegister;
  return { found: "ok", value: { ballot: { epoch, key }, register } };
}

/** A pulse as a block of the disk `uuid`. */
export function encodePulse(slot: PulseSlot, uuid: string): Uint8Array {
  const guardMarginMs = Math.min(Math.max(Math.floor(slot.guardMarginMs), 0), 0xffffffff);
  const place = { number: slot.node, uuid };
  const value = { ...slot, guardMarginMs };
  if (slot.mail.length === 0) return closeBlock(place, "pulse", { schema: PULSE, value });
  return closeBlock(place, "pulse with mail", { schema: MAIL_PULSE, value });
}

/** Reads the slot of `node` on the disk `uuid`. */
export function decodePulse(
  block: Uint8Array,
  place: { readonly node: NodeId; readonly uuid: string },
): Decoded<PulseSlot> {
  const opened = openBlock({ number: place.node, uuid: place.uuid }, PULSES, block);
  if (opened.found !== "ok") return opened;
  const body = opened.value.body as Partial<PulseSlot>;
  return { found: "ok", value: { mail: [], ...body, node: place.node } as unknown as PulseSlot };
}
