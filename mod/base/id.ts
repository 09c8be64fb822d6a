/** The names of things, branded so that one cannot be passed for another. @module */
import { assert } from "./assert.ts";

/** A node's permanent number, 1 to 65535. Never given to another machine. */
export type NodeId = number & { readonly NodeId: unique symbol };
/** One life of a node's daemon: 16 hex digits, drawn at random at each start. */
export type BootId = string & { readonly BootId: unique symbol };
/** The cluster: 32 hex digits, drawn at `init`. */
export type ClusterId = string & { readonly ClusterId: unique symbol };
/** A client's name for one attempt at a transaction: 16 hex digits. A retry keeps it. */
export type RequestId = string & { readonly RequestId: unique symbol };
/** A resource, as `kind:name`: `exec:web`, `vm:100`. */
export type ResourceId = string & { readonly ResourceId: unique symbol };

/** An event's name across the whole cluster: the node, its life, and a counter. */
export interface EventId {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly seq: number;
}

/** Highest node id that fits the wire. */
export const NODE_ID_MAX = 0xffff;
/** More members than this are refused; one beat must fit one datagram. */
export const MEMBERS_MAX = 64;

/** Brands a number as a node id; asserts its range. */
export function nodeId(value: number): NodeId {
  assert(
    Number.isInteger(value) && value >= 1 && value <= NODE_ID_MAX,
    `Node id ${value} is 1..65535`,
  );
  return value as NodeId;
}

/** Brands 16 hex digits as a boot id. */
export function bootId(hex: string): BootId {
  assert(/^[0-9a-f]{16}$/.test(hex), `Boot id "${hex}" is 16 hex digits`);
  return hex as BootId;
}

/** Brands 32 hex digits as a cluster id. */
export function clusterId(hex: string): ClusterId {
  assert(/^[0-9a-f]{32}$/.test(hex), `Cluster id "${hex}" is 32 hex digits`);
  return hex as ClusterId;
}

/** Brands 16 hex digits as a request id. */
export function requestId(hex: string): RequestId {
  assert(/^[0-9a-f]{16}$/.test(hex), `Request id "${hex}" is 16 hex digits`);
  return hex as RequestId;
}

/** True for `kind:name` with the characters that Proxmox VE allows in a service id. */
export function isResourceId(text: string): text is ResourceId {
  return /^[a-z][a-z0-9]{0,15}:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text);
}

/** Brands text as a resource id; asserts its form. */
export function resourceId(text: string): ResourceId {
  assert(isResourceId(text), `Resource id "${text}" is kind:name`);
  return text;
}

/** True for a name that a node may have: a DNS label. */
export function isNodeName(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text);
}

/** Prints an event id: `1.9f3c2a7e.884120`. */
export function formatEventId(id: EventId): string {
  return `${id.node}.${id.boot.slice(0, 8)}.${id.seq}`;
}
