/** The local HTTP API. @module */
export { allRoutes, type AppOptions, createApp } from "./app.ts";
export { type ApiServer, serveApi, type ServeOptions } from "./serve.ts";
export type {
  AddressChange,
  ForceAnswer,
  ForceRequest,
  MemberRow,
  MembershipNode,
  ReaddressAsk,
} from "./membership_node.ts";
export type { RenewKeyAnswer, RenewKeyAsk } from "./key_node.ts";
export type {
  StorageNode,
  WitnessAsk,
  WitnessChange,
  WitnessDisk,
  WitnessState,
} from "./storage_node.ts";
export type { NewTicket, TicketNode } from "./ticket_node.ts";
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
