/** Stream 5: how a machine becomes a member. @module */
export { JoinCore } from "./core.ts";
export type { JoinEffect, JoinEvent, JoinOptions } from "./events.ts";
export {
  AUTHORIZED_KEYS,
  AUTHORIZED_KEYS_BYTES_MAX,
  ownerOf,
  withNodeKey,
  withOnlyNodes,
  withoutNodeKey,
  withRenamedNode,
} from "./authorized_keys.ts";
export {
  fingerprintOf,
  HOST_NAMES_MAX,
  KNOWN_HOSTS,
  KNOWN_HOSTS_BYTES_MAX,
  knownHostsLine,
  namesOf,
  type PublicKey,
  publicKey,
  readHostKeys,
  withHost,
  withNames,
} from "./host_key.ts";
export {
  ackFile,
  doneNote,
  KEY_FILE,
  keyId,
  type KeyNote,
  noteAfter,
  offerOf,
  printNote,
  readNote,
  ringFor,
  waitingFor,
} from "./key_note.ts";
export {
  type Description,
  type Finding,
  findings,
  hasMember,
  ownAddresses,
  readDescription,
  undoFindings,
} from "./preconditions.ts";
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
