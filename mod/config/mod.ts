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
export { dialJoin, type JoinDial, type JoinDialEvents } from "./join_dial.ts";
export type { HistoryLine, PathStat } from "./library.ts";
export { pathFault } from "./path.ts";
export { INODES_MAX, TREE_BYTES_MAX } from "./tree.ts";
export { FILE_BYTES_MAX } from "./wire.ts";
