/**
 * Stream 1: who is there, and how many votes that makes; and what proves that we are there
 * ourselves. Read `DESIGN.md` of this folder first.
 *
 * @module
 */
import type { Core } from "../base/core.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, instant, latest, NEVER } from "../base/time.ts";
import type { Fact, Position, Vitals } from "../streams.ts";
import { beatOf, vitalsOf } from "./beat.ts";
import { HeartbeatContext } from "./context.ts";
import type { HeartbeatEffect, HeartbeatEvent, HeartbeatOptions, HeartbeatView } from "./events.ts";
import { Gate, type Opened } from "./gate.ts";
import type { Peer } from "./peer.ts";
import { Proof } from "./proof.ts";
import { Roster } from "./roster.ts";
import { type Beat, bootTag, encodePacket } from "./wire.ts";

/** The state machine of stream 1. */
export class HeartbeatCore implements Core<HeartbeatEvent, HeartbeatEffect> {
  readonly #options: HeartbeatOptions;
  readonly #context: HeartbeatContext;
  readonly #gate: Gate;
  readonly #roster: Roster;
  readonly #proof = new Proof();
  #vitals: Vitals | null = null;
  #position: Position | null = null;
  #seq = 0;
  #sent = 0;
  #nextBeat: Instant;
  #provenAt: Instant = EPOCH;

  constructor(options: HeartbeatOptions, now: Instant) {
    this.#options = options;
    this.#nextBeat = now;
    this.#context = new HeartbeatContext(options, now);
    this.#gate = new Gate(options);
    this.#roster = new Roster(this.#context);
  }

  step(event: HeartbeatEvent, now: Instant): HeartbeatEffect[] {
    this.#context.begin(now);
    switch (event.kind) {
      case "tick":
        this.#onTick();
        break;
      case "datagram": {
        const opened = this.#gate.open(event.link, event.bytes, this.#roster.peers);
        if (opened !== null) this.#onBeat(opened);
        break;
      }
      case "fact":
        this.#onFact(event.fact);
        break;
      case "request":
        break;
    }
    this.#prove();
    return this.#context.end();
  }

  deadline(): Instant {
    return this.#context.isMember ? this.#nextBeat : NEVER;
  }

  /** Counters and links, for people. */
  view(): HeartbeatView {
    const { received } = this.#gate;
    const peers = this.#roster.show();
    return { received, sent: this.#sent, refused: this.#gate.refused(), peers };
  }

  #onTick(): void {
    const { now, isMember, timing: { beatMs } } = this.#context;
    if (now < this.#nextBeat || !isMember) return;
    // Late is late: one beat now, and the next a whole period from now on the old grid if it can be.
    const missed = Math.floor((now - this.#nextBeat) / beatMs);
    this.#nextBeat = after(this.#nextBeat, (missed + 1) * beatMs);
    this.#roster.refreshAll();
    this.#beat();
  }

  /** Sends one beat to every member on every link. */
  #beat(): void {
    const { self, boot } = this.#options;
    const { spec, now, timing: { deadMs } } = this.#context;
    const { peers, view } = this.#roster;
    const seq = ++this.#seq;
    const echoes = [...peers.values()].flatMap((peer) => peer.echo(now, deadMs) ?? []);
    const { position, vitals } = { position: this.#position, vitals: this.#vitals };
    const beat = beatOf({ spec, self, view, echoes, position, vitals });
    this.#proof.sent(seq, now);
    const key = this.#gate.ownKey();
    const online = `${view.online.length}/${spec.members.length}`;
    for (const { member } of peers.values()) {
      member.links.forEach((to, link) => {
        this.#sent++;
        this.#context.send(link, to, encodePacket(key, { sender: self, boot, link, seq }, beat));
      });
      const names = `${this.#context.name(self)}→${member.name}`;
      this.#context.say(`${names} seq=${seq}, vote=${beat.vote}, online=${online}`, null);
    }
  }

  #onBeat({ peer, header, beat }: Opened): void {
    const { self, boot } = this.#options;
    const { now, timing: { deadMs } } = this.#context;
    peer.hear(header.boot, header.link, header.seq, now);
    const echo = beat.echoes.find((each) => each.node === self && each.boot === bootTag(boot));
    const sentAt = echo === undefined ? null : this.#proof.sentAt(echo.seq);
    const fresh = sentAt !== null && now - sentAt < deadMs;
    if (header.boot !== peer.boot) {
      if (!fresh) return;
      const why = peer.boot === null ? "heartbeat.started" : "heartbeat.rebooted";
      peer.adopt(header.boot);
      this.#context.say(`${peer.member.name} is alive`, reason(why, { node: peer.member.name }));
    }
    const lane = peer.links[header.link];
    lane?.heard(header.seq, now);
    if (echo !== undefined && sentAt !== null) {
      this.#proof.heard(peer.member.id, sentAt);
      lane?.sample(Math.max(0, now - sentAt - echo.heldMs));
      // An echo of something long ago says that the peer has not heard us since.
      if (fresh) {
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
    this.#roster.refresh(peer);
    this.#roster.refreshView();
  }

  /** What the peer heard of third nodes counts as a sign of their life, dated when it heard it. */
  #gossip(from: Peer, beat: Beat): void {
    for (const echo of beat.echoes) {
      const third = this.#roster.peers.get(echo.node as NodeId);
      if (third === undefined || third === from) continue;
      third.alive(latest(third.lastHeard, instant(this.#context.now - echo.heldMs)));
    }
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "config.spec":
        this.#context.setSpec(fact.spec);
        this.#roster.track();
        return this.#roster.refreshView();
      case "config.position":
        this.#position = fact.position;
        return;
      case "ha.vitals":
        this.#vitals = fact.vitals;
        return;
      case "storage.pulse": {
        const peer = this.#roster.peers.get(fact.node);
        if (peer === undefined) return;
        peer.lastPulse = latest(peer.lastPulse, fact.seenAt);
        // What leaves its last words lives no more, though the pulse was written.
        if (fact.words === "none") peer.alive(fact.seenAt);
        return;
      }
      case "storage.echo":
        return this.#proof.heard(fact.by, fact.issuedAt);
      case "storage.witness":
        this.#roster.witnessHeld = fact.held;
        if (!fact.held) this.#proof.forgetWitness();
        return this.#roster.refreshView();
      case "storage.witness-heard":
        return this.#roster.witnessHeld ? this.#proof.witnessHeard(fact.issuedAt) : undefined;
      default:
        return;
    }
  }

  #prove(): void {
    const { spec, self, now } = this.#context;
    const proven = this.#proof.provenAt(spec, self, now);
    if (proven <= this.#provenAt) return;
    this.#provenAt = proven;
    this.#context.tell({ fact: "heartbeat.proof", provenAt: proven });
  }
}
