/** Stream 4: reservations, pulse and judgement on the shared disk. @module */
export { judge, type Scales, type Verdict, verdictText } from "./arbiter.ts";
export { DiskDriver, type DiskDriverParts } from "./block_driver.ts";
export { StorageCore } from "./core.ts";
export type {
  DiskCall,
  DiskResult,
  StorageEffect,
  StorageEvent,
  StorageOptions,
  StorageView,
} from "./events.ts";
export {
  type Content,
  DISK_BYTES_MIN,
  type FormatInput,
  freshBlocks,
  HEAD_BYTES,
  initialRegister,
  inspect,
  TAIL_BYTES,
  WRITE_BYTES_MAX,
} from "./format.ts";
export { BLOCK_BYTES, type Decoded } from "./block.ts";
export {
  AREA_BYTES,
  type Ballot,
  decodeLabel,
  decodePulse,
  decodeRegister,
  decodeStored,
  DISK_NODE_MAX,
  type Echo,
  encodeLabel,
  encodePulse,
  encodeRegister,
  GROUP_MAX,
  type Label,
  LABEL_BLOCK,
  type Letter,
  type PulseSlot,
  REGISTER_BLOCK,
  slotOffset,
  type StoredRegister,
} from "./layout.ts";
export { type KnownLabel, type Panel, panelOf } from "./panel.ts";
export { testsText } from "./self_test.ts";
export {
  classifyKeys,
  type KeySet,
  makeKey,
  parseKey,
  WRITE_EXCLUSIVE_REGISTRANTS,
} from "./reservation.ts";
