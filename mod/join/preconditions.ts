/**
 * May this machine join that cluster? Everything that is known beforehand to go wrong is found
 * before anything is changed on either side. Pure.
 *
 * @module
 */
import type { ProblemCode } from "../base/problem.ts";

/** More than this between the two clocks, and logs and tickets of the two do not fit together. */
export const CLOCK_DIFFERENCE_MS_MAX = 30_000;
/** Guests named in one finding; more are counted. */
const NAMED_MAX = 10;

/** A machine or member as it describes itself: `pentad join describe`. */
export interface Description {
  readonly schema: "pentad.join-describe/1";
  readonly version: string;
  /** Version of the join messages. */
  readonly join: number;
  /** Null where it is no member. */
  readonly cluster: { readonly id: string; readonly name: string } | null;
  readonly node: string;
  readonly quorate: boolean;
  /** Unix time. */
  readonly time_ms: number;
  /** Where the tree is mounted; of a host that is no member: where it will be. */
  readonly mount: string | null;
  readonly nodes: readonly {
    readonly name: string;
    readonly links: readonly string[];
    readonly peer: string;
  }[];
  /** VMIDs that are given. */
  readonly guests: readonly string[];
}

/** Every address by which the described machine itself is reached. */
export function ownAddresses({ node, nodes }: Description): readonly string[] {
  const own = nodes.find(({ name }) => name === node);
  return own === undefined ? [] : [...own.links, own.peer];
}

/** One thing that stands in the way. */
export interface Finding {
  readonly code: ProblemCode;
  readonly why: string;
}

/** Does the cluster of `member` still count `machine` among its own? It may not know that it does not. */
export function hasMember(member: Description, machine: Description): boolean {
  return member.nodes.some(({ name }) => name === machine.node);
}

/** What stands in the way of the machine `here` joining the cluster of `there`. */
export function findings(here: Description, there: Description, tookMs: number): Finding[] {
  const found: Finding[] = [];
  const refuse = (why: string, code: ProblemCode = "join.precondition") => {
    found.push({ code, why });
  };
  if (there.cluster === null) {
    refuse(`"${there.node}" is no member of a cluster; there: pentad init NAME`);
    return found;
  }
  if (here.cluster !== null && here.cluster.id !== there.cluster.id) {
    refuse(`this machine is in the cluster "${here.cluster.name}"`, "join.already-member");
  } else if (here.cluster !== null && !hasMember(there, here)) {
    refuse("this machine was removed from it: pentad leave here first", "join.already-member");
  }
  if (here.join !== there.join) {
    const which = here.join < there.join ? "here" : `on "${there.node}"`;
    refuse(
      `join messages of version ${here.join} here (${here.version}), ${there.join} there ` +
        `(${there.version}); upgrade pentad ${which}`,
    );
  }
  if (!there.quorate) refuse(`"${there.cluster.name}" has no quorum now`, "config.no-quorum");
  const apart = Math.abs(here.time_ms - there.time_ms) - tookMs;
  if (apart > CLOCK_DIFFERENCE_MS_MAX) {
    const s = Math.round(apart / 1000);
    refuse(`the clocks differ by ${s} s; set them right first (chrony, systemd-timesyncd)`);
  }
  // One that joins again finds itself.
  if (here.cluster === null) found.push(...conflicts(here, there));
  return found;
}

/**
 * What stands in the way of having the cluster of `there` forget this machine. One that is no member
 * has no name there: whoever bears it is another machine, whose keys must stay.
 */
export function undoFindings(here: Description, there: Description): Finding[] {
  if (here.cluster === null) return taken(here, there);
  if (here.cluster.id === there.cluster?.id) return [];
  return [{ code: "join.precondition", why: `"${there.node}" is in another cluster` }];
}

/** Names and addresses that members have. */
function taken(here: Description, there: Description): Finding[] {
  const found: Finding[] = [];
  const refuse = (why: string) => found.push({ code: "join.precondition", why });
  const addresses = new Set(ownAddresses(here));
  for (const node of there.nodes) {
    if (node.name === here.node) {
      refuse(`a member is called "${node.name}" already; give this machine another name`);
    }
    for (const address of [...node.links, node.peer]) {
      if (addresses.has(address)) refuse(`"${node.name}" has the address ${address} already`);
    }
  }
  return found;
}

function conflicts(here: Description, there: Description): Finding[] {
  const found = taken(here, there);
  const given = new Set(there.guests);
  const twice = here.guests.filter((vmid) => given.has(vmid));
  if (twice.length > 0) {
    const more = twice.length > NAMED_MAX ? ` and ${twice.length - NAMED_MAX} more` : "";
    const why = `VMIDs on both sides: ${twice.slice(0, NAMED_MAX).join(", ")}${more}`;
    found.push({ code: "join.precondition", why });
  }
  return found;
}

/** The description in a document of the other side; null where it is none. */
export function readDescription(value: unknown): Description | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Record<string, unknown>;
  const { schema, version, join, cluster, node, quorate, time_ms, mount, nodes, guests } = fields;
  const texts = (list: unknown): list is readonly string[] =>
    Array.isArray(list) && list.every((each) => typeof each === "string");
  const one = (each: unknown): boolean => {
    const { name, links, peer } = (each ?? {}) as Record<string, unknown>;
    return typeof name === "string" && texts(links) && typeof peer === "string";
  };
  const named = (each: unknown): boolean => {
    const { id, name } = (each ?? {}) as Record<string, unknown>;
    return typeof id === "string" && typeof name === "string";
  };
  const sound = schema === "pentad.join-describe/1" && typeof version === "string" &&
    Number.isSafeInteger(join) && (cluster === null || named(cluster)) &&
    typeof node === "string" && typeof quorate === "boolean" && Number.isSafeInteger(time_ms) &&
    (mount === null || typeof mount === "string") &&
    Array.isArray(nodes) && nodes.every(one) && texts(guests);
  return sound ? value as Description : null;
}
