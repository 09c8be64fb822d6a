/** The local HTTP API. @module */
export { allRoutes, type AppOptions, createApp } from "./app.ts";
export { type ApiServer, serveApi, type ServeOptions } from "./serve.ts";
export type { ForceAnswer, ForceRequest, MemberRow, MembershipNode } from "./membership_node.ts";
export type {
  ChangeAsk,
  HistoryEntry,
  InitAsk,
  JoinAsk,
  RunningNode,
  TreeEntry,
} from "./running_node.ts";
