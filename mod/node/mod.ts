/** The five streams wired into one pure node. @module */
export { NodeCore, type NodeEffect, type NodeEvent, type NodeOptions } from "./core.ts";
export { HEARD_BY, SERVED_BY } from "./wiring.ts";
export type {
  BackupStatus,
  EventLine,
  MountStatus,
  NodeStatus,
  ResourceStatus,
  StatusDocument,
  StreamStatus,
} from "./view.ts";
export { Board } from "./board.ts";
export { statusOf, type StatusSource } from "./status.ts";
