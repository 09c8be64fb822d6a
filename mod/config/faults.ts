/**
 * What is wrong with what others ask for or send, as a clause, before any of it is encoded, stored or
 * believed. The encoders assert their bounds, for past this file a value out of bounds is a bug.
 *
 * @module
 */
import { LINKS_MAX, specFault } from "../base/cluster.ts";
import { textLength } from "../base/bytes.ts";
import { isNodeName } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { locksFault } from "./lock_wire.ts";
import type { Expectation, Operation, SpecChange, Transaction } from "../streams.ts";
import type { Want } from "./proposals.ts";
import {
  decodeEntry,
  ENTRY_BYTES_MAX,
  FILE_BYTES_MAX,
  type Message,
  OPERATIONS_MAX,
  PATH_BYTES_MAX,
} from "./wire.ts";

/** Longest author and reason, in UTF-16 units. */
export const AUTHOR_LENGTH_MAX = 80;
export const REASON_LENGTH_MAX = 300;
/** No cluster gets to this term: past it a term is not one, and could not be counted on from. */
export const TERM_MAX = 2 ** 48;
/** Nor to this index: inodes are numbered by it, at {@link OPERATIONS_MAX} each. */
export const INDEX_MAX = 2 ** 42;
const U32_MAX = 2 ** 32 - 1;
const ADDRESS_BYTES_MAX = 255;
/** What one operation or expectation takes beside its path and data, at most. */
const FRAME_BYTES = 16;
/** What a transaction takes beside its operations: author and reason at three bytes a unit, fields. */
const HEAD_BYTES = 3 * (AUTHOR_LENGTH_MAX + REASON_LENGTH_MAX) + 64;

/** Why a transaction cannot be proposed, or null. */
export function transactionFault(transaction: Transaction): string | null {
  const { operations, expect, author, reason, base, time } = transaction;
  if (operations.length > OPERATIONS_MAX || expect.length > OPERATIONS_MAX) {
    return `it has more than ${OPERATIONS_MAX} operations or expectations`;
  }
  let data = 0;
  let size = HEAD_BYTES;
  for (const each of [...expect, ...operations]) {
    const fault = fieldFault(each);
    if (fault !== null) return fault;
    const bytes = "op" in each && each.op === "write" ? each.data.length : 0;
    data += bytes;
    size += FRAME_BYTES + bytes;
    for (const path of pathsOf(each)) size += textLength(path);
  }
  if (data > FILE_BYTES_MAX) return `it writes ${data} bytes, at most ${FILE_BYTES_MAX}`;
  // Also what a follower sends on must fit one frame, so this is not left to the leader.
  if (size > ENTRY_BYTES_MAX) return `it takes ${size} bytes, at most ${ENTRY_BYTES_MAX}`;
  if (author.length > AUTHOR_LENGTH_MAX || reason.length > REASON_LENGTH_MAX) {
    return "author or reason is too long";
  }
  return isCount(base) && isCount(time) ? null : "its base or time is not a whole number";
}

function fieldFault(each: Operation | Expectation): string | null {
  for (const path of pathsOf(each)) {
    if (path.length > PATH_BYTES_MAX || textLength(path) > PATH_BYTES_MAX) {
      return `a path is longer than ${PATH_BYTES_MAX} bytes`;
    }
  }
  if (!("op" in each)) return isCount(each.version) ? null : "a version is not a whole number";
  switch (each.op) {
    case "write":
      return isCount(each.offset, U32_MAX) ? null : `${each.offset} is not an offset`;
    case "truncate":
      return isCount(each.size, U32_MAX) ? null : `${each.size} is not a size`;
    case "utime":
      return isCount(each.mtime) ? null : `${each.mtime} is not a time`;
    default:
      return null;
  }
}

function pathsOf(each: Operation | Expectation): readonly string[] {
  return "op" in each && each.op === "rename" ? [each.path, each.to] : [each.path];
}

/** Why a change of the description cannot be asked for, or null. */
export function changeFault(change: SpecChange): string | null {
  switch (change.change) {
    case "add-learner":
      return nameFault(change.name) ?? addressesFault(change);
    case "rename":
      return nodeFault(change.node) ?? nameFault(change.name);
    case "readdress":
      return nodeFault(change.node) ?? addressesFault(change);
    case "promote":
    case "remove":
      return nodeFault(change.node);
    case "witness":
      return change.disk === null || /^[0-9a-f]{32}$/.test(change.disk)
        ? null
        : "the uuid of a disk is 32 hex digits";
    case "profile":
      return null;
  }
}

function nameFault(name: string): string | null {
  return name.length > 63 ? "the node name is longer than 63 characters" : null;
}

function nodeFault(node: number): string | null {
  return isCount(node, 0xffff) ? null : `${node} is not a node id`;
}

function addressesFault(
  { links, peer }: { readonly links: readonly string[]; readonly peer: string },
): string | null {
  if (links.length > LINKS_MAX) return `it names more than ${LINKS_MAX} links`;
  const long = [...links, peer].some((each) => textLength(each) > ADDRESS_BYTES_MAX);
  return long ? `an address is longer than ${ADDRESS_BYTES_MAX} bytes` : null;
}

/** What is wrong with what somebody wants, whoever leads. */
export function wantFault(want: Want): Problem | null {
  if (want.want === "barrier" || want.want === "transfer") return null;
  if (want.want === "propose") {
    const fault = transactionFault(want.transaction);
    return fault === null ? null : problem("config.too-large", fault);
  }
  const fault = changeFault(want.change);
  return fault === null ? null : problem("join.refused", fault);
}

/** Why a message that could be decoded is not believed, or null. */
export function messageFault(message: Message): string | null {
  const terms = "term" in message ? [message.term] : [];
  if (message.kind === "append") {
    terms.push(message.prevTerm, ...message.entries.map((entry) => entry.term));
    // Once stored it would have to be applied: what cannot be must not get into the log.
    if (message.entries.some(({ body }) => entryFault(body) !== null)) return "an entry is none";
  }
  if (message.kind === "locks") return locksFault(message);
  if (message.kind === "log") {
    const odd = message.entries.some(({ node, uid, pri }) =>
      !isNodeName(node) || uid > INDEX_MAX || pri > 7
    );
    return odd ? "an entry of the cluster log is none" : null;
  }
  if (message.kind === "snapshot") {
    terms.push(message.lastTerm);
    if (message.index < 1 || message.index > INDEX_MAX) return "its index is out of bounds";
  }
  return terms.some((term) => term > TERM_MAX) ? "a term is out of bounds" : null;
}

function entryFault(body: Uint8Array): string | null {
  const entry = decodeEntry(body);
  if (entry === null) return "it is malformed";
  if (entry.kind === "locks") return locksFault(entry);
  if (entry.kind === "forced") {
    const odd = entry.out.some(({ id, name }) => id < 1 || !isNodeName(name));
    if (odd) return "who is put out is no node";
  }
  return entry.kind === "spec" || entry.kind === "forced" ? specFault(entry.spec) : null;
}

function isCount(value: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max;
}
