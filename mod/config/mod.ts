/** Stream 2: the replicated configuration. @module */
export { ConfigCore } from "./core.ts";
export type {
  ConfigEffect,
  ConfigEvent,
  ConfigOptions,
  ConfigView,
  FuseEffect,
  FuseEvent,
} from "./events.ts";
export { type HistoryLine, historyLine, pathsNamed, transactionOf } from "./history.ts";
export { dialJoin, type JoinDial, type JoinDialEvents } from "./join_dial.ts";
export { CONFIG_LIMITS, type ConfigLimits } from "./compaction.ts";
export type { PathStat } from "./library.ts";
export { changesOf, differencesOf, type PathChange } from "./changes.ts";
export { type FileDiff, type FileDiffs, fileDiffs } from "./file_diff.ts";
export { modeOf } from "./fuse/paths.ts";
export type { Point } from "./point.ts";
export { diffBetween, type Past, type PathDiff, rowsByPath, treeAt } from "./past.ts";
export { pathFault } from "./path.ts";
export { judgeLoss, type LossVerdict } from "./recovery.ts";
export { vmidOf } from "./guests.ts";
export { INODES_MAX, Tree, TREE_BYTES_MAX, type TreeReader } from "./tree.ts";
export { decidedBy } from "./decisions.ts";
export { type Undo, type UndoGround, undoOf } from "./undo.ts";
export { decodeEntry, encodeEntry, FILE_BYTES_MAX, type SpecEntry } from "./wire.ts";
