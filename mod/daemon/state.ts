/**
 * The state directory: who this node is. Everything in it is of mode 0600; whoever reads the
 * cluster key is the cluster.
 *
 * `node.json` is written last when a node is made and renamed away first when it leaves, each by an
 * atomic rename: a node is a member exactly when that file is there.
 *
 * @module
 */
import { toHex } from "../base/bytes.ts";
import { CLUSTER_SPEC, type ClusterSpec, specFault } from "../base/cluster.ts";
import { fromHex } from "../base/bytes.ts";
import { NODE_ID_MAX, type NodeId, nodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import { ProblemError } from "../base/problem.ts";
import { failureCode } from "../host/database_failure.ts";
import { type Machine, otherMachine, thisMachine } from "../host/linux/machine.ts";
import { decode, encode } from "../base/schema.ts";
import { bytesDurable, syncDirectory } from "../host/linux/durable_file.ts";
import { smallText } from "../host/linux/files.ts";
import { ownDirectory } from "../host/linux/own_directory.ts";
import { KEY_BYTES } from "../base/seal.ts";

/** Form of node.json; a daemon refuses any other by name. */
const STATE_FORMAT = 1;

/** What makes this node a member. */
export interface Identity extends KeyRing {
  readonly node: NodeId;
  /** The cluster as it was when this node was made; the log has newer ones. */
  readonly spec: ClusterSpec;
  /** On which machine; absent for this one. */
  readonly machine?: Machine;
}

/** Makes the state directory, private. Throws `node.open-directory` where others may change it. */
export function makeStateDirectory(directory: string): void {
  ownDirectory(directory, 0o700);
}

/** Makes the directory of sockets and locks: its group may look. Throws as the one above. */
export function makeRunDirectory(directory: string): void {
  ownDirectory(directory, 0o750);
}

/** The identity in a state directory, or null where this is no member. */
export function readIdentity(directory: string): Identity | null {
  let text: string;
  try {
    text = smallText(`${directory}/node.json`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const said = error instanceof Error ? error.message : String(error);
    const why = `"${directory}/node.json" cannot be read: ${said}`;
    throw new ProblemError("node.state-damaged", why, { cause: error });
  }
  const fault = (why: string) =>
    new ProblemError("node.state-damaged", `"${directory}/node.json" ${why}`);
  const parsed = parse(text);
  if (parsed === null) throw fault("is not JSON");
  if (parsed.format !== STATE_FORMAT) {
    throw fault(`has format ${JSON.stringify(parsed.format)}, this pentad reads ${STATE_FORMAT}`);
  }
  const { node, key, other = null, spec, machine = NO_MACHINE } = parsed;
  const clusterKey = typeof key === "string" ? fromHex(key) : null;
  const specBytes = typeof spec === "string" ? fromHex(spec) : null;
  const decoded = specBytes && decode(CLUSTER_SPEC, specBytes);
  if (typeof node !== "number" || !Number.isInteger(node) || node < 1 || node > NODE_ID_MAX) {
    throw fault("names no node id");
  }
  if (clusterKey?.length !== KEY_BYTES) throw fault("holds no cluster key");
  const otherKey = typeof other === "string" ? fromHex(other) : null;
  if (other !== null && otherKey?.length !== KEY_BYTES) {
    throw fault("holds a second key that is none");
  }
  if (!decoded || specFault(decoded) !== null) throw fault("holds no cluster description");
  if (!isMachine(machine)) throw fault("names no machine");
  return { node: nodeId(node), clusterKey, otherKey, spec: decoded, machine };
}

/**
 * Two machines with one identity are two voters with one vote, and each could lose what the other
 * promised. Throws `node.other-machine` where the directory was made on another one, unless a person
 * accepts this one in its place. What a machine did not know of itself before is noted now.
 */
export function claimMachine(
  directory: string,
  identity: Identity,
  { accepted, here = thisMachine() }: { readonly accepted: boolean; readonly here?: Machine },
): void {
  const { machine = NO_MACHINE } = identity;
  const why = otherMachine(machine, here);
  if (why !== null && !accepted) {
    throw new ProblemError("node.other-machine", `"${directory}/node.json": ${why}`);
  }
  const next = why === null
    ? { id: machine.id ?? here.id, product: machine.product ?? here.product }
    : here;
  if (next.id === machine.id && next.product === machine.product) return;
  writeIdentity(directory, { ...identity, machine: next });
}

const NO_MACHINE: Machine = { id: null, product: null };

function isMachine(value: unknown): value is Machine {
  if (typeof value !== "object" || value === null) return false;
  const { id, product } = value as Record<string, unknown>;
  return [id, product].every((each) =>
    each === null || (typeof each === "string" && /^[0-9a-f]{32}$/.test(each))
  );
}

/**
 * Gives the member in this directory other keys: durable when it returns. Throws where there is no
 * member any more.
 */
export function writeKeys(directory: string, { clusterKey, otherKey = null }: KeyRing): void {
  const identity = readIdentity(directory);
  if (identity === null) throw new ProblemError("join.not-a-member", `"${directory}" holds none`);
  writeIdentity(directory, { ...identity, clusterKey, otherKey });
}

/** Makes this node a member: durable when it returns. */
export function writeIdentity(directory: string, identity: Identity): void {
  const text = JSON.stringify({
    format: STATE_FORMAT,
    node: identity.node,
    key: toHex(identity.clusterKey),
    ...(identity.otherKey ? { other: toHex(identity.otherKey) } : {}),
    spec: toHex(encode(CLUSTER_SPEC, identity.spec)),
    machine: identity.machine ?? thisMachine(),
  });
  bytesDurable(`${directory}/node.json`, new TextEncoder().encode(text + "\n"));
}

/**
 * Ends the membership: the old identity and database are kept under a name of their own, for a
 * person who needs them, and are never read again. Does nothing where there are none.
 */
export function retireIdentity(directory: string, stamp: string): void {
  const entries = [...Deno.readDirSync(directory)].map((entry) => entry.name)
    .filter((name) => name === "node.json" || name.startsWith("config.db"))
    // The identity goes first: from then on the rest belongs to nobody.
    .sort((a, b) => Number(b === "node.json") - Number(a === "node.json"));
  if (entries.length === 0) return;
  const grave = `${directory}/left-${stamp}`;
  Deno.mkdirSync(grave, { recursive: true, mode: 0o700 });
  for (const entry of entries) Deno.renameSync(`${directory}/${entry}`, `${grave}/${entry}`);
  syncDirectory(directory);
}

/** Writes into the state directory; a disk that does not take it is told as what it is. */
export function onDisk(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ProblemError(failureCode(why), why, { cause: error });
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : null;
  } catch {
    return null;
  }
}
