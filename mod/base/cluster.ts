/** What a cluster is: its members, their votes and addresses. Replicated by stream 2. @module */
import { type ClusterId, isNodeName, MEMBERS_MAX, type NodeId } from "./id.ts";
import {
  choice,
  hex,
  type Infer,
  list,
  option,
  type Schema,
  struct,
  text,
  u16,
  u8,
} from "./schema.ts";
import { PROFILE_NAMES, type ProfileName } from "./timing.ts";

/** Most links between a pair of nodes. */
export const LINKS_MAX = 8;

/** One member. A learner receives the log and has no vote. */
export interface Member {
  readonly id: NodeId;
  readonly name: string;
  readonly role: "voter" | "learner";
  /** Votes in the quorum of stream 1; Raft counts voters, one each. */
  readonly votes: number;
  /** UDP addresses `HOST:PORT` of its heartbeat, by link. */
  readonly links: readonly string[];
  /** TCP address `HOST:PORT` of its peer channel. */
  readonly peer: string;
}

/** The vote of the shared disk, for a pair of voters. */
export interface WitnessSpec {
  /** The uuid in the label of the arbiter disk: 32 hex digits. */
  readonly disk: string;
}

/** The whole description of a cluster, one replicated value. */
export interface ClusterSpec {
  readonly id: ClusterId;
  readonly name: string;
  readonly profile: ProfileName;
  readonly members: readonly Member[];
  readonly witness: WitnessSpec | null;
}

/** How the replicated cluster description may change; one member at a time. */
export type SpecChange =
  | {
    readonly change: "add-learner";
    readonly name: string;
    readonly links: readonly string[];
    readonly peer: string;
  }
  | { readonly change: "promote"; readonly node: NodeId }
  | { readonly change: "remove"; readonly node: NodeId }
  | { readonly change: "rename"; readonly node: NodeId; readonly name: string }
  | {
    readonly change: "readdress";
    readonly node: NodeId;
    readonly links: readonly string[];
    readonly peer: string;
  }
  | { readonly change: "profile"; readonly profile: ClusterSpec["profile"] }
  | { readonly change: "witness"; readonly disk: string | null };

const MEMBER = struct({
  id: u16,
  name: text(63),
  role: choice(["voter", "learner"]),
  votes: u8,
  links: list(text(255), LINKS_MAX),
  peer: text(255),
});

const SPEC = struct({
  id: hex(16),
  name: text(63),
  profile: choice(PROFILE_NAMES as readonly ["standard", "fast"]),
  members: list(MEMBER, MEMBERS_MAX),
  witness: option(struct({ disk: hex(16) })),
});

/** The wire layout of a {@link ClusterSpec}. Check {@link specFault} after decoding. */
export const CLUSTER_SPEC = SPEC as unknown as Schema<ClusterSpec>;
/** Proves that layout and type agree. */
type Same = Infer<typeof SPEC> extends Omit<ClusterSpec, "id" | "members"> ? true : never;
const _same: Same = true;

/** The voters, by id. */
export function voters(spec: ClusterSpec): readonly Member[] {
  return spec.members.filter((member) => member.role === "voter");
}

/** True where the witness has a vote: it exists, and there is a pair to judge. */
export function witnessVotes(spec: ClusterSpec): boolean {
  return spec.witness !== null && voters(spec).length === 2;
}

/** The same have a vote, and as many of them. */
export function haveSameVotes(a: ClusterSpec, b: ClusterSpec): boolean {
  const [ours, theirs] = [voters(a), voters(b)];
  const isTheirs = ({ id, votes }: Member) =>
    theirs.some((each) => each.id === id && each.votes === votes);
  return witnessVotes(a) === witnessVotes(b) && ours.length === theirs.length &&
    ours.every(isTheirs);
}

/** The member with this id, or undefined. */
export function memberOf(spec: ClusterSpec, id: NodeId): Member | undefined {
  return spec.members.find((member) => member.id === id);
}

/** A member's name for people; `node N` for a stranger. */
export function nameOf(spec: ClusterSpec | null, id: NodeId): string {
  return (spec && memberOf(spec, id)?.name) ?? `node ${id}`;
}

/**
 * What to call a node that was put out, so that its death can be vouched for: by its number, where a
 * member bears its name by now.
 */
export function formerName(spec: ClusterSpec, id: NodeId, name: string): string {
  return spec.members.some((member) => member.name === name) ? `${id} (formerly ${name})` : name;
}

/** Addresses of the peer channels of all other members. */
export function peersOf(spec: ClusterSpec, self: NodeId): ReadonlyMap<NodeId, string> {
  return new Map(
    spec.members.filter(({ id }) => id !== self).map(({ id, peer }) => [id, peer] as const),
  );
}

/** What is wrong with a spec as a clause, or null. Applied to everything that comes from outside. */
export function specFault(spec: ClusterSpec): string | null {
  const { members } = spec;
  if (members.length === 0 || members.length > MEMBERS_MAX) return "there are 1 to 64 members";
  if (new Set(members.map((m) => m.id)).size !== members.length) return "two members share an id";
  if (new Set(members.map((m) => m.name)).size !== members.length) {
    return "two members share a name";
  }
  const addresses = members.flatMap((m) => [...m.links.map((l) => `udp ${l}`), `tcp ${m.peer}`]);
  if (new Set(addresses).size !== addresses.length) return "two members share an address";
  for (const member of members) {
    if (member.id < 1) return "a node id is 1 to 65535";
    if (!isNodeName(member.name)) return `"${member.name}" is not a node name`;
    if (member.links.length === 0) return `${member.name} has no heartbeat link`;
  }
  return members.some((m) => m.role === "voter") ? null : "there is no voter";
}
