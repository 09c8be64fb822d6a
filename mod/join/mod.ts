/** Stream 5: how a machine becomes a member. @module */
export { JoinCore } from "./core.ts";
export type { JoinEffect, JoinEvent, JoinOptions } from "./events.ts";
export { parseTicket, printTicket, type Ticket, ticketKey } from "./ticket.ts";
export {
  type Answer,
  decodeAnswer,
  decodeHello,
  encodeAnswer,
  encodeHello,
  type Hello,
  JOIN_VERSION,
} from "./wire.ts";
