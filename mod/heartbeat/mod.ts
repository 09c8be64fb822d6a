/** Stream 1: heartbeat, views, votes, and the proof of being heard. @module */
export { HeartbeatCore } from "./core.ts";
export type { HeartbeatEffect, HeartbeatEvent, HeartbeatOptions, HeartbeatView } from "./events.ts";
export { expectedVotes, neededVotes } from "./quorum.ts";
export { PACKET_BYTES_MAX } from "./wire.ts";
