/** The local HTTP API. @module */
export { allRoutes, type AppOptions, createApp } from "./app.ts";
export { type ApiServer, serveApi, type ServeOptions } from "./serve.ts";
export type { ForceAnswer, ForceRequest, MemberRow, MembershipNode } from "./membership_node.ts";
export type {
  BackupReport,
  ChangeAsk,
  ChangeEvent,
  ChangePage,
  HistoryEntry,
  HistoryList,
  HistoryPageAsk,
  InitAsk,
  JoinAsk,
  PathEvent,
  ResourceLog,
  ResourceLogAsk,
  RestoreAsk,
  RestoreReport,
  RunningNode,
  Stamp,
  TransactionDetail,
  TreeDiff,
  TreeEntry,
  UndoAnswer,
  UndoAsk,
} from "./running_node.ts";
