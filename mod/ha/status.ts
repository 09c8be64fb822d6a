/**
 * `ha/manager_status`: what the manager decided, as one JSON document. It holds decisions, never
 * observations: it is written when a decision changes, and every agent obeys it.
 *
 * @module
 */
import {
  type BootId,
  bootId,
  isResourceId,
  NODE_ID_MAX,
  type NodeId,
  nodeId,
  type ResourceId,
} from "../base/id.ts";
import { decodeText, encodeText } from "../base/bytes.ts";
import { isReasonCode, type Reason } from "../base/reason.ts";
import type { DeathProof, ServiceState } from "../streams.ts";

/** Place of the document in the tree. */
export const STATUS_FILE = "ha/manager_status";
/** Form of the document; an agent obeys no other. */
const FORM = 1;
/** The document is at most so large with reasons in it; a file of the tree holds 1 MiB. */
const REASONS_BYTES_MAX = 768 * 1024;
/** Length of a value in a reason that is cut. */
const WORD_MAX = 24;

/**
 * `fence`: it is silent, and nothing of it may start anywhere, itself included, until it is back or
 * proven dead. `dead`: proven; its resources may be elsewhere.
 */
export type NodeDecision = "online" | "fence" | "dead";

/** What was decided of a node. */
export interface NodeEntry {
  readonly state: NodeDecision;
  readonly maintenance: boolean;
  /** A watchdog guarded it when it was last heard: needed by a manager that never heard it. */
  readonly armed: boolean;
  /** A person vouched for its death while it was in `fence`. */
  readonly confirmed: boolean;
  readonly proof: DeathProof | null;
  /** It stops in order, in this life: its resources wait for it, or move first. */
  readonly shutdown: {
    readonly how: "freeze" | "migrate";
    readonly boot: BootId;
    /** Once it is empty it has its host begin anew: a person asked for that. */
    readonly reboot?: true;
  } | null;
  /** The cluster was disarmed, and it has not said since that its guard is held again. */
  readonly unguarded: boolean;
  /** Why its state is what it is; null where it never changed. */
  readonly why: Reason | null;
}

/** What was decided of a resource. */
export interface ServiceEntry {
  readonly state: ServiceState;
  /** Where it is to run, or runs, or ran last. */
  readonly node: NodeId | null;
  /** Where `relocate` leads. */
  readonly target: NodeId | null;
  /** Where it was before that node's maintenance or orderly stop; it goes back there. */
  readonly home: NodeId | null;
  /**
   * Number of the live migration by which it moves, or was just taken over; without one it moves by a
   * stop and a start, and so it does for a version that does not know this.
   */
  readonly live?: number;
  /** Nodes on which it failed since it last ran well. */
  readonly tried: readonly NodeId[];
  /** Why it is as it is; null where nothing was said yet. */
  readonly why: Reason | null;
}

/** The whole document. */
export interface ManagerStatus {
  readonly nodes: ReadonlyMap<NodeId, NodeEntry>;
  readonly services: ReadonlyMap<ResourceId, ServiceEntry>;
}

export const EMPTY_STATUS: ManagerStatus = { nodes: new Map(), services: new Map() };

const DECISIONS: readonly string[] = ["online", "fence", "dead"];
const PROOFS: Readonly<Record<DeathProof, true>> = {
  wait: true,
  "clean-stop": true,
  "self-fenced": true,
  "fence-agent": true,
  storage: true,
  confirmed: true,
};
const STATES: readonly string[] = [
  "stopped",
  "request_stop",
  "request_start",
  "started",
  "relocate",
  "fence",
  "recovery",
  "freeze",
  "error",
];

/**
 * Bytes of the document, one line for each entry; the same for the same decisions. Reasons are for
 * people: where the document grows too large they are cut, and then left out.
 */
export function printStatus(status: ManagerStatus): Uint8Array {
  for (const words of [whole, cut]) {
    const bytes = printWith(status, words);
    if (bytes.length <= REASONS_BYTES_MAX) return bytes;
  }
  return printWith(status, () => null);
}

type Words = (why: Reason | null) => Reason | null;

function printWith({ nodes, services }: ManagerStatus, words: Words): Uint8Array {
  const lines = <K extends string | number, V extends { readonly why: Reason | null }>(
    map: ReadonlyMap<K, V>,
  ) =>
    [...map].sort(([a], [b]) => a < b ? -1 : 1).map(([key, entry]) => {
      const said = { ...entry, why: words(entry.why) };
      // What is null (or false) and may be missing is not written.
      const known = Object.entries(said).filter(([name, value]: [string, unknown]) =>
        (value !== null && value !== false) || !OPTIONAL.includes(name)
      );
      return `  ${JSON.stringify(String(key))}: ${JSON.stringify(Object.fromEntries(known))}`;
    }).join(",\n");
  return encodeText(
    `{\n "form": ${FORM},\n "nodes": {\n${lines(nodes)}\n },\n` +
      ` "services": {\n${lines(services)}\n }\n}\n`,
  );
}

const OPTIONAL: readonly string[] = ["home", "why", "shutdown", "proof", "unguarded"];

function whole(why: Reason | null): Reason | null {
  return why;
}

/** The same again for what is cut already. */
function cut(why: Reason | null): Reason | null {
  if (why === null) return null;
  const args = Object.entries(why.args).map(([name, value]) => {
    const long = typeof value === "string" && value.length > WORD_MAX;
    return [name, long ? `${value.slice(0, WORD_MAX - 1)}…` : value];
  });
  return { code: why.code, args: Object.fromEntries(args) };
}

/** True where both documents say the same: their bytes are equal then, and need not be made. */
export function isSameStatus(a: ManagerStatus, b: ManagerStatus): boolean {
  return isSameMap(a.nodes, b.nodes) && isSameMap(a.services, b.services);
}

function isSameMap<K>(a: ReadonlyMap<K, object>, b: ReadonlyMap<K, object>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!isSame(value, b.get(key))) return false;
  return true;
}

/** Of what JSON can say. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isStructured(a) || !isStructured(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => isSame(a[key], b[key]));
}

function isStructured(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** The document in hostile bytes, or null where they are none. */
export function parseStatus(bytes: Uint8Array): ManagerStatus | null {
  const text = decodeText(bytes);
  const document = text === null ? null : parseJson(text);
  if (document === null || document.form !== FORM) return null;
  const nodes = new Map<NodeId, NodeEntry>();
  const services = new Map<ResourceId, ServiceEntry>();
  // What is left out would be taken for what was never decided, and decided anew.
  const [nodeList, serviceList] = [entriesOf(document.nodes), entriesOf(document.services)];
  if (nodeList === null || serviceList === null) return null;
  for (const [key, value] of nodeList) {
    const id = Number(key);
    if (!isNode(id) || !DECISIONS.includes(String(value.state))) return null;
    const { proof = null } = value;
    if (proof !== null && !isProof(proof)) return null;
    nodes.set(nodeId(id), {
      state: value.state as NodeDecision,
      maintenance: value.maintenance === true,
      armed: value.armed === true,
      confirmed: value.confirmed === true,
      proof,
      shutdown: shutdownIn(value.shutdown),
      unguarded: value.unguarded === true,
      why: reasonIn(value.why),
    });
  }
  for (const [key, value] of serviceList) {
    const { node, target, tried, state } = value;
    if (!isResourceId(key) || !STATES.includes(String(state))) return null;
    if ((node !== null && !isNode(node)) || (target !== null && !isNode(target))) return null;
    if (!Array.isArray(tried) || !tried.every(isNode)) return null;
    services.set(key, {
      state: state as ServiceState,
      node: node === null ? null : nodeId(node),
      target: target === null ? null : nodeId(target),
      home: isNode(value.home) ? nodeId(value.home) : null,
      ...(isCount(value.live) && { live: value.live }),
      tried: tried.map((each) => nodeId(each)),
      why: reasonIn(value.why),
    });
  }
  return { nodes, services };
}

function shutdownIn(value: unknown): NodeEntry["shutdown"] {
  if (!isObject(value) || (value.how !== "freeze" && value.how !== "migrate")) return null;
  const { how, boot } = value;
  if (typeof boot !== "string" || !/^[0-9a-f]{16}$/.test(boot)) return null;
  return { how, boot: bootId(boot), ...(value.reboot === true && { reboot: true }) };
}

/** A reason out of hostile JSON; null where it is none, or of a newer program. */
function reasonIn(value: unknown): Reason | null {
  if (!isObject(value) || !isObject(value.args)) return null;
  const { code } = value;
  if (typeof code !== "string" || !isReasonCode(code)) return null;
  const args: Record<string, string | number> = {};
  for (const [key, each] of Object.entries(value.args)) {
    if (typeof each === "string" || typeof each === "number") args[key] = each;
  }
  return { code, args };
}

function isNode(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= NODE_ID_MAX;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isProof(value: unknown): value is DeathProof {
  return typeof value === "string" && Object.hasOwn(PROOFS, value);
}

/** The members of an object of objects; null where it is none. */
function entriesOf(value: unknown): [string, Record<string, unknown>][] | null {
  if (!isObject(value)) return null;
  const entries: [string, Record<string, unknown>][] = [];
  for (const [key, each] of Object.entries(value)) {
    if (!isObject(each)) return null;
    entries.push([key, each]);
  }
  return entries;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
