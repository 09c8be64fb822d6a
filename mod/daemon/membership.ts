/** Who is a member and who leads: the questions of the API, as requests to the streams. @module */
import type {
  AddressChange,
  Addresses,
  ForceAnswer,
  ForceRequest,
  MemberRow,
  MembershipNode,
  ReaddressAsk,
} from "../api/membership_node.ts";
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { type Member as ClusterMember, nameOf } from "../base/cluster.ts";
import { requestId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import { forgetKeys } from "./forget_keys.ts";
import type { Member } from "./member.ts";
import { readdressMember, renameMember } from "./renaming.ts";

/** Asks a running member. */
export class Membership implements MembershipNode {
  readonly #runtime: NodeRuntime;
  readonly #member: Member;
  /** Where this node listens, as others are to find it. */
  readonly #own: Addresses;

  constructor(runtime: NodeRuntime, member: Member, { links, peer }: Addresses) {
    this.#runtime = runtime;
    this.#member = member;
    this.#own = { links, peer };
  }

  rename(name: string, to: string): Promise<void> {
    return renameMember({ runtime: this.#runtime, member: this.#member }, name, to);
  }

  readdress(ask: ReaddressAsk | null): Promise<AddressChange> {
    return readdressMember({ runtime: this.#runtime, member: this.#member }, this.#own, ask);
  }

  members(): { readonly leader: string | null; readonly members: readonly MemberRow[] } {
    const { spec } = this.#runtime;
    const { leader } = this.#runtime.node.config.view();
    return {
      leader: leader === null ? null : nameOf(spec, leader),
      members: spec.members.map((member) => this.#row(member)),
    };
  }

  async promote(name: string): Promise<void> {
    const node = this.#member.idOf(name);
    const { spec } = this.#runtime;
    if (spec.members.some(({ id, role }) => id === node && role === "voter")) return;
    await this.#member.changeSpec({ change: "promote", node });
  }

  async removeMember(name: string): Promise<void> {
    const node = this.#member.idOf(name);
    const { resources, nodes } = this.#runtime.node.ha.view();
    const dead = nodes.some((each) => each.node === node && each.state === "dead");
    const busy = resources.filter((each) => each.node === node && each.state !== "stopped");
    if (busy.length > 0 && !dead) {
      const ids = busy.map(({ id }) => id).join(", ");
      throw new ProblemError("config.member-in-use", `"${name}" has ${ids}`);
    }
    // A leader that is removed would leave an election behind. Where nobody can take over, it leads
    // until its removal is committed.
    if (this.#runtime.node.config.view().leader === node) {
      await this.transferLead(null).catch((error) => {
        if (!(error instanceof ProblemError)) throw error;
      });
    }
    await forgetKeys({ runtime: this.#runtime, member: this.#member }, node);
    await this.#member.changeSpec({ change: "remove", node });
  }

  async transferLead(name: string | null): Promise<string> {
    const to = name === null ? null : this.#member.idOf(name);
    const fact = await this.#member.ask((tag) => ({ request: "config.transfer", tag, to }));
    assert(fact.fact === "config.outcome", "An outcome answers a transfer");
    const { outcome } = fact;
    if (!outcome.ok) throw new ProblemError(outcome.problem.code, outcome.problem.why);
    const { leader } = this.#runtime.node.config.view();
    return name ?? nameOf(this.#runtime.spec, leader ?? this.#runtime.self);
  }

  async forceSingle({ commit, author, reason }: ForceRequest): Promise<ForceAnswer> {
    const { spec, self } = this.#runtime;
    const consent = commit ? "force-single, accept-risk=data-loss" : "force-single";
    const ask = {
      commit,
      id: requestId(toHex(crypto.getRandomValues(new Uint8Array(8)))),
      author: `${author}@${nameOf(spec, self)}`,
      reason: reason === "" ? consent : `${consent}: ${reason}`,
      time: Math.floor(Date.now() / 1000),
    };
    const fact = await this.#member.ask((tag) => ({ request: "config.force-single", tag, ask }));
    assert(fact.fact === "config.forced", "A report answers a request to go on alone");
    const { problem, report, index } = fact;
    if (problem !== null) throw new ProblemError(problem.code, problem.why);
    return { done: index !== null, report };
  }

  #row({ id, name, role }: ClusterMember): MemberRow {
    const { self, board, node } = this.#runtime;
    const view = node.config.view();
    const leads = view.leader === self;
    const peer = view.peers.find((each) => each.node === id);
    return {
      ...{ name, id, self: id === self, role, leader: view.leader === id },
      state: id === self ? "online" : board.members.get(id)?.state ?? "unknown",
      lag: !leads ? null : id === self ? 0 : peer?.lag ?? null,
      note: noteOf(peer),
    };
  }
}

type Peer = ReturnType<NodeRuntime["node"]["config"]["view"]>["peers"][number];

function noteOf(peer: Peer | undefined): string {
  if (peer?.diverged) return "differs from its peers";
  if (peer?.snapshot) return `gets a snapshot, ${peer.snapshot.chunks} chunks are there`;
  const { catchUp } = peer ?? {};
  if (!catchUp) return "";
  if (catchUp.ready) return "ready to vote";
  return catchUp.slow ? "too slow to vote" : `catches up, round ${catchUp.round}`;
}
