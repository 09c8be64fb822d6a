/**
 * A one-time ticket: what the invited machine must know, in one line of text.
 *
 * The secret is the pre-shared key of one sealed session; the id says in clear which ticket it is.
 * The cluster id lets the joiner name the cluster; nothing else of the cluster is in the ticket.
 *
 * @module
 */
import { type ClusterId, clusterId } from "../base/id.ts";
import { decode, encode, hex, list, struct, text, u8 } from "../base/schema.ts";
import { deriveKey } from "../base/seal.ts";
import { fromHex } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";

/** Form of the ticket; a joiner refuses any other by name. */
const TICKET_FORM = 1;
const PREFIX = "pentad-ticket-";
/** Peers that a ticket names at most, each in so many bytes. */
const PEERS_MAX = 8;
const PEER_BYTES_MAX = 255;
/** Longer text is no ticket: base64 of the longest is 2900 characters. */
const TICKET_TEXT_MAX = 3000;

const TICKET = struct({
  form: u8,
  cluster: hex(16),
  id: hex(16),
  secret: hex(32),
  peers: list(text(PEER_BYTES_MAX), PEERS_MAX),
});

/** The content of a ticket. `id` is 32 hex digits, `secret` 64. */
export interface Ticket {
  readonly cluster: ClusterId;
  readonly id: string;
  readonly secret: string;
  /** Peer addresses `HOST:PORT` to try, in order. */
  readonly peers: readonly string[];
}

/** The ticket as one word that survives copying. */
export function printTicket(ticket: Ticket): string {
  const bytes = encode(TICKET, { form: TICKET_FORM, ...ticket });
  const base64 = btoa(String.fromCharCode(...bytes));
  return PREFIX + base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The ticket in a text that a person pasted; null where it is none, is cut, or has another form. */
export function parseTicket(input: string): Ticket | null {
  const word = input.trim();
  if (!word.startsWith(PREFIX) || word.length > TICKET_TEXT_MAX) return null;
  const base64 = word.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/");
  let binary: string;
  try {
    binary = atob(base64);
  } catch {
    return null;
  }
  const ticket = decode(TICKET, Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  if (ticket === null || ticket.form !== TICKET_FORM || ticket.peers.length === 0) return null;
  return { ...ticket, cluster: clusterId(ticket.cluster) };
}

/** The pre-shared key of the session that a ticket opens. */
export function ticketKey(secret: string): Uint8Array {
  const bytes = fromHex(secret);
  assert(bytes !== null && bytes.length === 32, "A ticket's secret is 32 bytes of hex");
  return deriveKey(bytes, "pentad join session");
}
