/**
 * All peers, their states, and the view that these make. A state is looked at with each beat of
 * ours and each one that comes; what changed is told.
 *
 * @module
 */
import { memberOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Instant } from "../base/time.ts";
import type { MemberState, View } from "../streams.ts";
import type { HeartbeatContext } from "./context.ts";
import type { HeartbeatView } from "./events.ts";
import { Membership } from "./membership.ts";
import { Peer } from "./peer.ts";
import { majorityInstant, neededVotes, votesOf } from "./quorum.ts";

/** See the module's note. */
export class Roster {
  /** The witness vote is ours. */
  witnessHeld = false;
  readonly #context: HeartbeatContext;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #membership = new Membership();

  constructor(context: HeartbeatContext) {
    this.#context = context;
    // What is told here would be heard by nobody: the first view is told by the first step.
    this.track();
  }

  /** All members but this node. */
  get peers(): ReadonlyMap<NodeId, Peer> {
    return this.#peers;
  }

  get view(): View {
    return this.#membership.view;
  }

  /** Peers as the spec in force names them. */
  track(): void {
    const { spec, self, now } = this.#context;
    for (const member of spec.members) {
      const known = this.#peers.get(member.id);
      if (member.id === self || known?.member.links.join() === member.links.join()) continue;
      this.#peers.set(member.id, new Peer(member, now));
    }
    for (const node of [...this.#peers.keys()]) {
      if (memberOf(spec, node) === undefined) this.#peers.delete(node);
    }
  }

  /** Looks at everyone anew. */
  refreshAll(): void {
    for (const peer of this.#peers.values()) this.refresh(peer);
    this.refreshView();
    // Silence grows and vitals change: those who count on them hear so with each beat.
    for (const peer of this.#peers.values()) {
      if (peer.state !== "unknown") this.#tellMember(peer, null);
    }
  }

  /** Looks at one peer anew: its links, then its state. */
  refresh(peer: Peer): void {
    const { now, timing } = this.#context;
    peer.links.forEach((link, at) => {
      if (!link.refresh(now, timing.deadMs)) return;
      const because = this.#whyLink(peer, at);
      const fact = { fact: "heartbeat.link", peer: peer.member.id, link: at, up: link.up } as const;
      this.#context.tell({ ...fact, because });
    });
    const before = peer.state;
    peer.state = this.#stateOf(peer);
    if (peer.state !== before) this.#tellMember(peer, this.#whyState(peer));
  }

  refreshView(): void {
    const { self, spec, isMember } = this.#context;
    const online = [...this.#peers.values()].filter((peer) => peer.state === "online");
    const ids = [...online.map((peer) => peer.member.id), ...(isMember ? [self] : [])];
    const reports = online.flatMap((peer) => peer.beat ?? []);
    if (!this.#membership.refresh(spec, ids, reports, this.witnessHeld)) return;
    const { view } = this.#membership;
    const members = view.online.map((id) => this.#context.name(id)).join(" ");
    const { epoch, present, expected, needed, quorate } = view;
    const because = reason("heartbeat.view", { epoch, members, present, expected, needed });
    this.#context.tell({ fact: "heartbeat.view", view, because });
    this.#context.say(`view=${epoch}, votes=${present}/${expected}, quorate=${quorate}`, because);
  }

  /** Links of all peers, for people. */
  show(): HeartbeatView["peers"] {
    const { now, timing: { deadMs } } = this.#context;
    return [...this.#peers.values()].map((peer) => ({
      node: peer.member.id,
      links: peer.links.map((link, at) => ({
        link: at,
        up: link.up,
        heard: link.hears(now, deadMs),
        heardBack: link.isHeard(now, deadMs),
        rttMs: link.rttMs,
        lost: link.lost,
      })),
    }));
  }

  #whyLink(peer: Peer, at: number): Reason {
    const { now, timing } = this.#context;
    const [node, link] = [peer.member.name, peer.links[at]];
    if (link?.up === true) return reason("heartbeat.link-up", { node, link: at });
    if (link?.hears(now, timing.deadMs) === true) {
      return reason("heartbeat.link-one-way", { node, link: at });
    }
    const ms = Math.round(link?.silence(now) ?? 0);
    return reason("heartbeat.link-down", { node, link: at, ms });
  }

  #stateOf(peer: Peer): MemberState {
    const { now, startedAt, timing: { deadMs } } = this.#context;
    if (peer.linksUp() > 0) return "online";
    if (now - peer.lastHeard >= deadMs) return "down";
    const young = peer.boot === null && now - startedAt < deadMs;
    // It lives (its pulse, or one direction of a link), but nothing can be agreed with it.
    return young ? "unknown" : "isolated";
  }

  #whyState(peer: Peer): Reason {
    const { now, startedAt, timing } = this.#context;
    const node = peer.member.name;
    switch (peer.state) {
      case "online":
        return reason("heartbeat.heard", { node, links: peer.linksUp(), all: peer.links.length });
      case "isolated": {
        const silences = peer.links.map((link) => link.silence(now));
        const ms = Math.round(Math.min(now - startedAt, ...silences));
        return reason("heartbeat.isolated", { node, ms });
      }
      default: {
        const ms = Math.round(now - peer.lastHeard);
        return reason("heartbeat.silent", { node, ms, max: timing.beatLossMax });
      }
    }
  }

  /** Tells a member's health; `because` null for the growing silence of one that is not online. */
  #tellMember(peer: Peer, because: Reason | null): void {
    const { state, boot, lastHeard, vitals } = peer;
    const node = peer.member.id;
    const health = { node, state, boot, lastHeard, vouched: this.#vouched(node), vitals };
    const why = because ?? this.#whyState(peer);
    this.#context.tell({ fact: "heartbeat.member", health, because: why });
    if (because !== null) this.#context.say(`${peer.member.name} is ${state.toUpperCase()}`, why);
  }

  /**
   * Up to when a majority without `node` is known to have had nothing newer from it: we until now,
   * each peer until its newest report, the witness (while it is ours) until now.
   */
  #vouched(node: NodeId): Instant {
    const { spec, self, now } = this.#context;
    const dated = [...this.#peers.values()].flatMap((peer) =>
      peer.member.id === node ? [] : [{ votes: votesOf(spec, peer.member.id), at: peer.reportedAt }]
    );
    dated.push({ votes: votesOf(spec, self), at: now });
    if (this.witnessHeld) dated.push({ votes: 1, at: now });
    return majorityInstant(dated, neededVotes(spec));
  }
}
