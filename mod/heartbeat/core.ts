/**
 * Stream 1: who is there, and how many votes that makes; and what proves that we are there
 * ourselves. Read `DESIGN.md` of this folder first.
 *
 * @module
 */
import { type ClusterSpec, memberOf, nameOf } from "../base/cluster.ts";
import type { Core } from "../base/core.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, instant, latest, NEVER } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type { Fact, MemberState, Position, Vitals } from "../streams.ts";
import { beatOf, vitalsOf } from "./beat.ts";
import type {
  HeartbeatEffect,
  HeartbeatEvent,
  HeartbeatOptions,
  HeartbeatView,
  Refusal,
} from "./events.ts";
import { REFUSALS } from "./events.ts";
import { Membership } from "./membership.ts";
import { Peer } from "./peer.ts";
import { Proof } from "./proof.ts";
import { majorityInstant, neededVotes, votesOf } from "./quorum.ts";
import {
  type Beat,
  bootTag,
  decodeHeader,
  encodePacket,
  type Header,
  openPacket,
  packetKey,
} from "./wire.ts";

/** Keys of peers' lives that are kept. */
const KEYS_MAX = 128;

/** The state machine of stream 1. */
export class HeartbeatCore implements Core<HeartbeatEvent, HeartbeatEffect> {
  readonly #options: HeartbeatOptions;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #membership = new Membership();
  readonly #proof = new Proof();
  readonly #keys = new Map<string, Uint8Array>();
  readonly #refused = Object.fromEntries(REFUSALS.map((why) => [why, 0])) as Record<
    Refusal,
    number
  >;
  readonly #startedAt: Instant;
  #spec: ClusterSpec;
  #timing: Timing;
  #vitals: Vitals | null = null;
  #position: Position | null = null;
  #witnessHeld = false;
  #seq = 0;
  #nextBeat: Instant;
  #provenAt: Instant = EPOCH;
  #received = 0;
  #sent = 0;
  #now: Instant;
  #effects: HeartbeatEffect[] = [];

  constructor(options: HeartbeatOptions, now: Instant) {
    this.#options = options;
    this.#startedAt = now;
    this.#nextBeat = now;
    this.#now = now;
    this.#spec = options.spec;
    this.#timing = timingOf(options.profile);
    // What is told here would be heard by nobody: the first view is told by the first step.
    this.#track(options.spec);
  }

  step(event: HeartbeatEvent, now: Instant): HeartbeatEffect[] {
    this.#now = now;
    this.#effects = [];
    switch (event.kind) {
      case "tick":
        this.#onTick();
        break;
      case "datagram":
        this.#onDatagram(event.link, event.bytes);
        break;
      case "fact":
        this.#onFact(event.fact);
        break;
      case "request":
        break;
    }
    this.#prove();
    return this.#effects;
  }

  deadline(): Instant {
    return memberOf(this.#spec, this.#options.self) === undefined ? NEVER : this.#nextBeat;
  }

  /** Counters and links, for people. */
  view(): HeartbeatView {
    const { deadMs } = this.#timing;
    return {
      received: this.#received,
      sent: this.#sent,
      refused: { ...this.#refused },
      peers: [...this.#peers.values()].map((peer) => ({
        node: peer.member.id,
        links: peer.links.map((link, at) => ({
          link: at,
          up: link.up,
          heard: link.hears(this.#now, deadMs),
          heardBack: link.isHeard(this.#now, deadMs),
          rttMs: link.rttMs,
          lost: link.lost,
        })),
      })),
    };
  }

  #onTick(): void {
    if (this.#now < this.#nextBeat || memberOf(this.#spec, this.#options.self) === undefined) {
      return;
    }
    // Late is late: one beat now, and the next a whole period from now on the old grid if it can be.
    const { beatMs } = this.#timing;
    const missed = Math.floor((this.#now - this.#nextBeat) / beatMs);
    this.#nextBeat = after(this.#nextBeat, (missed + 1) * beatMs);
    this.#refreshAll();
    this.#beat();
  }

  /** Sends one beat to every member on every link. */
  #beat(): void {
    const { self, boot, clusterKey } = this.#options;
    const { deadMs } = this.#timing;
    const seq = ++this.#seq;
    const echoes = [...this.#peers.values()].flatMap((peer) => peer.echo(this.#now, deadMs) ?? []);
    const beat: Beat = beatOf({
      spec: this.#spec,
      self,
      view: this.#membership.view,
      echoes,
      position: this.#position,
      vitals: this.#vitals,
    });
    this.#proof.sent(seq, this.#now);
    const key = this.#keyOf(self, boot) ?? packetKey(clusterKey, self, boot);
    this.#keys.set(`${self} ${boot}`, key);
    for (const peer of this.#peers.values()) {
      peer.member.links.forEach((to, link) => {
        const bytes = encodePacket(key, { sender: self, boot, link, seq }, beat);
        this.#sent++;
        this.#effects.push({ kind: "datagram", link, to, bytes });
      });
      const { vote } = beat;
      const online = `${this.#membership.view.online.length}/${this.#spec.members.length}`;
      const names = `${nameOf(this.#spec, self)}→${peer.member.name}`;
      this.#say(`${names} seq=${seq}, vote=${vote}, online=${online}`, true, null);
    }
  }

  #onDatagram(link: number, bytes: Uint8Array): void {
    const header = decodeHeader(bytes);
    if (typeof header === "string") return this.#refuse(header);
    if (header.sender === this.#options.self) return this.#refuse("self");
    const peer = this.#peers.get(header.sender);
    if (peer === undefined) return this.#refuse("stranger");
    // The sender numbers its links as we do; a packet is opened as what it says it is.
    if (header.link !== link || link >= peer.links.length) return this.#refuse("malformed");
    if (peer.isRetired(header.boot)) return this.#refuse("old");
    const known = this.#keyOf(header.sender, header.boot);
    const key = known ?? packetKey(this.#options.clusterKey, header.sender, header.boot);
    const beat = openPacket(key, header, bytes);
    if (typeof beat === "string") return this.#refuse(beat);
    if (beat.cluster !== this.#spec.id) return this.#refuse("foreign");
    if (!peer.accept(header.boot, link, header.seq)) return this.#refuse("replayed");
    if (known === undefined) this.#remember(header, key);
    this.#received++;
    this.#onBeat(peer, header, beat);
  }

  #onBeat(peer: Peer, header: Header, beat: Beat): void {
    const { self, boot } = this.#options;
    const now = this.#now;
    peer.hear(header.boot, header.link, header.seq, now);
    const echo = beat.echoes.find((each) => each.node === self && each.boot === bootTag(boot));
    const sentAt = echo === undefined ? null : this.#proof.sentAt(echo.seq);
    if (header.boot !== peer.boot) {
      const fresh = sentAt !== null && now - sentAt < this.#timing.deadMs;
      if (!fresh) return;
      const first = peer.boot === null;
      peer.adopt(header.boot);
      const why = first ? "heartbeat.started" : "heartbeat.rebooted";
      this.#say(`${peer.member.name} is alive`, false, reason(why, { node: peer.member.name }));
    }
    const lane = peer.links[header.link];
    lane?.heard(header.seq, now);
    if (echo !== undefined && sentAt !== null) {
      this.#proof.heard(peer.member.id, sentAt);
      lane?.sample(Math.max(0, now - sentAt - echo.heldMs));
      // An echo of something long ago says that the peer has not heard us since.
      if (now - sentAt < this.#timing.deadMs) {
        peer.links.forEach((each, at) => {
          if (Math.floor(echo.links / 2 ** at) % 2 === 1) each.heardBack(now);
        });
      }
    }
    peer.alive(now);
    peer.reportedAt = now;
    peer.beat = beat;
    peer.vitals = vitalsOf(beat);
    this.#gossip(peer, beat);
    this.#refresh(peer);
    this.#refreshView();
  }

  /** What the peer heard of third nodes counts as a sign of their life, dated when it heard it. */
  #gossip(from: Peer, beat: Beat): void {
    for (const echo of beat.echoes) {
      const third = this.#peers.get(echo.node as NodeId);
      if (third === undefined || third === from) continue;
      third.alive(latest(third.lastHeard, instant(this.#now - echo.heldMs)));
    }
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "config.spec":
        return this.#adopt(fact.spec);
      case "config.position":
        this.#position = fact.position;
        return;
      case "ha.vitals":
        this.#vitals = fact.vitals;
        return;
      case "storage.pulse": {
        const peer = this.#peers.get(fact.node);
        if (peer === undefined) return;
        peer.lastPulse = latest(peer.lastPulse, fact.seenAt);
        // What leaves its last words lives no more, though the pulse was written.
        if (fact.words === "none") peer.alive(fact.seenAt);
        return;
      }
      case "storage.echo":
        return this.#proof.heard(fact.by, fact.issuedAt);
      case "storage.witness":
        this.#witnessHeld = fact.held;
        if (!fact.held) this.#proof.forgetWitness();
        return this.#refreshView();
      case "storage.witness-heard":
        return this.#witnessHeld ? this.#proof.witnessHeard(fact.issuedAt) : undefined;
      default:
        return;
    }
  }

  #adopt(spec: ClusterSpec): void {
    this.#track(spec);
    this.#refreshView();
  }

  #track(spec: ClusterSpec): void {
    this.#spec = spec;
    this.#timing = timingOf(spec.profile);
    for (const member of spec.members) {
      const known = this.#peers.get(member.id);
      if (member.id === this.#options.self || known?.member.links.join() === member.links.join()) {
        continue;
      }
      this.#peers.set(member.id, new Peer(member, this.#now));
    }
    for (const node of [...this.#peers.keys()]) {
      if (memberOf(spec, node) === undefined) this.#peers.delete(node);
    }
  }

  #refreshAll(): void {
    for (const peer of this.#peers.values()) this.#refresh(peer);
    this.#refreshView();
    // Silence grows and vitals change: those who count on them hear so with each beat.
    for (const peer of this.#peers.values()) {
      if (peer.state !== "unknown") this.#tellMember(peer, null);
    }
  }

  #refresh(peer: Peer): void {
    const { deadMs } = this.#timing;
    peer.links.forEach((link, at) => {
      if (!link.refresh(this.#now, deadMs)) return;
      const node = peer.member.name;
      const because = link.up
        ? reason("heartbeat.link-up", { node, link: at })
        : link.hears(this.#now, deadMs)
        ? reason("heartbeat.link-one-way", { node, link: at })
        : reason("heartbeat.link-down", {
          node,
          link: at,
          ms: Math.round(link.silence(this.#now)),
        });
      const fact = { fact: "heartbeat.link", peer: peer.member.id, link: at, up: link.up } as const;
      this.#tell({ ...fact, because });
    });
    const before = peer.state;
    peer.state = this.#stateOf(peer);
    if (peer.state !== before) this.#tellMember(peer, this.#whyState(peer));
  }

  #stateOf(peer: Peer): MemberState {
    const { deadMs } = this.#timing;
    if (peer.linksUp() > 0) return "online";
    if (this.#now - peer.lastHeard >= deadMs) return "down";
    const young = peer.boot === null && this.#now - this.#startedAt < deadMs;
    // It lives (its pulse, or one direction of a link), but nothing can be agreed with it.
    return young ? "unknown" : "isolated";
  }

  #whyState(peer: Peer): Reason {
    const node = peer.member.name;
    const ms = Math.round(this.#now - peer.lastHeard);
    switch (peer.state) {
      case "online":
        return reason("heartbeat.heard", { node, links: peer.linksUp(), all: peer.links.length });
      case "isolated":
        return reason("heartbeat.isolated", {
          node,
          ms: Math.round(Math.min(
            this.#now - this.#startedAt,
            ...peer.links.map((link) => link.silence(this.#now)),
          )),
        });
      default:
        return reason("heartbeat.silent", { node, ms, max: this.#timing.beatLossMax });
    }
  }

  /** Tells a member's health; `because` null for the growing silence of one that is not online. */
  #tellMember(peer: Peer, because: Reason | null): void {
    const { state, boot, lastHeard, vitals } = peer;
    const node = peer.member.id;
    const health = { node, state, boot, lastHeard, vouched: this.#vouched(node), vitals };
    const why = because ?? this.#whyState(peer);
    this.#tell({ fact: "heartbeat.member", health, because: why });
    if (because !== null) this.#say(`${peer.member.name} is ${state.toUpperCase()}`, false, why);
  }

  /**
   * Up to when a majority without `node` is known to have had nothing newer from it: we until now,
   * each peer until its newest report, the witness (while it is ours) until now.
   */
  #vouched(node: NodeId): Instant {
    const dated = [...this.#peers.values()].flatMap((peer) =>
      peer.member.id === node
        ? []
        : [{ votes: votesOf(this.#spec, peer.member.id), at: peer.reportedAt }]
    );
    dated.push({ votes: votesOf(this.#spec, this.#options.self), at: this.#now });
    if (this.#witnessHeld) dated.push({ votes: 1, at: this.#now });
    return majorityInstant(dated, neededVotes(this.#spec));
  }

  #refreshView(): void {
    const { self } = this.#options;
    const online = [...this.#peers.values()].filter((peer) => peer.state === "online");
    const isMember = memberOf(this.#spec, self) !== undefined;
    const ids = [...online.map((peer) => peer.member.id), ...(isMember ? [self] : [])];
    const reports = online.flatMap((peer) => peer.beat ?? []);
    if (!this.#membership.refresh(this.#spec, ids, reports, this.#witnessHeld)) return;
    const { view } = this.#membership;
    const members = view.online.map((id) => nameOf(this.#spec, id)).join(" ");
    const { epoch, present, expected, needed, quorate } = view;
    const because = reason("heartbeat.view", { epoch, members, present, expected, needed });
    this.#tell({ fact: "heartbeat.view", view, because });
    this.#say(`view=${epoch}, votes=${present}/${expected}, quorate=${quorate}`, false, because);
  }

  #prove(): void {
    const proven = this.#proof.provenAt(this.#spec, this.#options.self, this.#now);
    if (proven <= this.#provenAt) return;
    this.#provenAt = proven;
    this.#tell({ fact: "heartbeat.proof", provenAt: proven });
  }

  #keyOf(sender: NodeId, boot: string): Uint8Array | undefined {
    return this.#keys.get(`${sender} ${boot}`);
  }

  #remember(header: Header, key: Uint8Array): void {
    this.#keys.set(`${header.sender} ${header.boot}`, key);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= KEYS_MAX) break;
      this.#keys.delete(oldest);
    }
  }

  #refuse(why: Refusal): void {
    this.#refused[why]++;
  }

  #tell(fact: Fact): void {
    this.#effects.push({ kind: "tell", fact });
  }

  #say(text: string, routine: boolean, because: Reason | null): void {
    this.#effects.push({ kind: "say", saying: { stream: "heartbeat", text, routine, because } });
  }
}
