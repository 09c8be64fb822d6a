/**
 * All peers, their states, and the view that these make. A state is looked at with each beat of
 * ours and each one that comes; what changed is told.
 *
 * @module
 */
import { type ClusterSpec, memberOf, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, type Instant, latest, type Millis } from "../base/time.ts";
import type { MemberState, View } from "../streams.ts";
import type { HeartbeatContext } from "./context.ts";
import type { HeartbeatView } from "./events.ts";
import { Membership } from "./membership.ts";
import { Peer } from "./peer.ts";
import type { Proof } from "./proof.ts";
import { neededVotes, votesOf } from "./quorum.ts";
import { silenceOf, type Watch } from "./silence.ts";

/** See the module's note. */
export class Roster {
  /** The witness vote is ours. */
  witnessHeld = false;
  readonly #context: HeartbeatContext;
  readonly #proof: Proof;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #membership = new Membership();

  constructor(context: HeartbeatContext, proof: Proof) {
    this.#context = context;
    this.#proof = proof;
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
      if (known !== undefined) known.update(member);
      else if (member.id !== self) this.#peers.set(member.id, new Peer(member, now));
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
    this.#lookForTwin(peer);
  }

  /** Two lives of one node at once: two machines that took one identity. */
  #lookForTwin(peer: Peer): void {
    const { now, timing } = this.#context;
    const twin = peer.lives.twin(now, timing.deadMs);
    if (twin === peer.twin) return;
    peer.twin = twin;
    const { id: node, name } = peer.member;
    const because = twin === null
      ? reason("heartbeat.twin-gone", { node: name })
      : reason("heartbeat.twin", { node: name, boot: peer.boot ?? "?", other: twin });
    this.#context.tell({ fact: "heartbeat.twin", node, twin });
    this.#context.say(twin === null ? `${name} runs once` : `${name} runs twice`, because);
  }

  refreshView(): void {
    const { self, specs, isMember } = this.#context;
    const online = [...this.#peers.values()].filter((peer) => peer.state === "online");
    const ids = [...online.map((peer) => peer.member.id), ...(isMember ? [self] : [])];
    const reports = online.flatMap((peer) => peer.beat ?? []);
    if (!this.#membership.refresh(specs, ids, reports, this.witnessHeld)) return;
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
      twin: peer.twin,
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
    const { now, timing: { deadMs } } = this.#context;
    if (peer.linksUp() > 0) return "online";
    if (now - peer.lastHeard >= deadMs) return "down";
    const begun = latest(peer.since, peer.lives.adoptedAt);
    if (!peer.greeted && now - begun < deadMs) return "unknown";
    // It lives (its pulse, or one direction of a link), but nothing can be agreed with it.
    return "isolated";
  }

  #whyState(peer: Peer): Reason {
    const { now, timing } = this.#context;
    const node = peer.member.name;
    switch (peer.state) {
      case "online":
        return reason("heartbeat.heard", { node, links: peer.linksUp(), all: peer.links.length });
      case "isolated":
        return this.#whyIsolated(peer);
      default: {
        const ms = Math.round(now - peer.lastHeard);
        return reason("heartbeat.silent", { node, ms, max: timing.beatLossMax });
      }
    }
  }

  /** It lives: because we hear it, because we read its pulse, or because somebody else says so. */
  #whyIsolated(peer: Peer): Reason {
    const { now, timing: { deadMs } } = this.#context;
    const node = peer.member.name;
    const link = peer.links.findIndex((each) => each.hears(now, deadMs));
    if (link >= 0) return reason("heartbeat.link-one-way", { node, link });
    const silences = peer.links.map((each) => each.silence(now));
    const ms = Math.round(Math.min(now - peer.since, ...silences));
    const pulse = now - peer.lastPulse < deadMs;
    return reason(pulse ? "heartbeat.isolated" : "heartbeat.heard-elsewhere", { node, ms });
  }

  /** Tells a member's health; `because` null for the growing silence of one that is not online. */
  #tellMember(peer: Peer, because: Reason | null): void {
    const { state, boot, lastHeard, vitals } = peer;
    const node = peer.member.id;
    const vouched = after(lastHeard, this.#silence(peer));
    const health = { node, state, boot, lastHeard, vouched, vitals };
    const why = because ?? this.#whyState(peer);
    this.#context.tell({ fact: "heartbeat.member", health, because: why });
    if (because !== null) this.#context.say(`${peer.member.name} is ${state.toUpperCase()}`, why);
  }

  /**
   * For how long a majority without this node is known to have had nothing from it: we from its last
   * sign of life until now, each peer as far as its reports go, the witness, while it is ours, until
   * it last heard us. No date rests on when a report came: a delayed one must not vouch for the time
   * of its delay. And an old one vouches no more: what was silent then may be back.
   */
  #silence({ member: { id }, state, lastHeard }: Peer): Millis {
    if (state !== "down") return -Infinity;
    const { specs } = this.#context;
    return specs.reduce((least, spec) => (
      Math.min(least, this.#silenceBy(spec, id, lastHeard))
    ), Infinity);
  }

  #silenceBy(spec: ClusterSpec, id: NodeId, lastHeard: Instant): Millis {
    const { self, now, timing: { deadMs } } = this.#context;
    const watches: Watch[] = [{ votes: votesOf(spec, self), since: lastHeard, until: now }];
    for (const peer of this.#peers.values()) {
      const quietSince = peer.quietSince(id);
      if (peer.member.id === id || quietSince === null || now - peer.reportedAt >= deadMs) continue;
      const since = latest(lastHeard, quietSince);
      watches.push({ votes: votesOf(spec, peer.member.id), since, until: peer.reportedAt });
    }
    const until = this.#proof.witnessAt;
    if (this.witnessHeld && witnessVotes(spec) && now - until < deadMs) {
      watches.push({ votes: 1, since: lastHeard, until });
    }
    return silenceOf(watches, neededVotes(spec));
  }
}
