/**
 * Stream 1: who is there, and how many votes that makes; and what proves that we are there
 * ourselves. Read `DESIGN.md` of this folder first.
 *
 * @module
 */
import type { Core } from "../base/core.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, earliest, EPOCH, type Instant } from "../base/time.ts";
import type { Fact, Position, Vitals } from "../streams.ts";
import { beatOf } from "./beat.ts";
import { HeartbeatContext } from "./context.ts";
import type { HeartbeatEffect, HeartbeatEvent, HeartbeatOptions, HeartbeatView } from "./events.ts";
import { Gate, type Opened } from "./gate.ts";
import { NEVER_HEARD, type Peer } from "./peer.ts";
import { Proof } from "./proof.ts";
import { Roster } from "./roster.ts";
import { ALIVE_MS_MAX, type Beat, bootTag, type Echo, encodePacket } from "./wire.ts";

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
    this.#roster = new Roster(this.#context, this.#proof);
  }

  step(event: HeartbeatEvent, now: Instant): HeartbeatEffect[] {
    this.#context.begin(now);
    if (event.kind === "fact" && event.fact.fact === "config.position") {
      // With each commit; the next beat says it. It proves nothing, so nothing is looked at anew.
      this.#position = event.fact.position;
      return this.#context.end();
    }
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
    return this.#nextBeat;
  }

  /** Counters and links, for people. */
  view(): HeartbeatView {
    const { received } = this.#gate;
    const peers = this.#roster.show();
    return { received, sent: this.#sent, refused: this.#gate.refused(), peers };
  }

  #onTick(): void {
    const { now, isMember, timing: { beatMs } } = this.#context;
    if (now < this.#nextBeat) return;
    // Late is late: one beat now, and the next a whole period from now on the old grid if it can be.
    const missed = Math.floor((now - this.#nextBeat) / beatMs);
    this.#nextBeat = after(this.#nextBeat, (missed + 1) * beatMs);
    this.#roster.refreshAll();
    // Who is no member has nothing to say, but still sees the others go.
    if (isMember) this.#beat();
  }

  /** Sends one beat to every member on every link. */
  #beat(): void {
    const { self, boot } = this.#options;
    const { spec, now, timing: { deadMs } } = this.#context;
    const { peers, view } = this.#roster;
    const seq = ++this.#seq;
    // By votes of before it would count ours where others count on its silence by those of now.
    const proves = (peer: Peer) => !this.#context.isBehind(peer.beat?.index ?? 0);
    const echoes = [...peers.values()].map((peer) => peer.echo(now, deadMs, proves(peer)));
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
    peer.lives.pauseMs = deadMs / 2;
    const newest = peer.lives.hear(header.boot, header.link, header.seq, now);
    const echo = beat.echoes.find((each) => each.node === self && each.boot === bootTag(boot));
    const sentAt = echo === undefined ? null : this.#proof.sentAt(echo.seq);
    const fresh = sentAt !== null && now - sentAt < deadMs;
    if (header.boot !== peer.boot) {
      if (!fresh || sentAt <= peer.lives.adoptedAt) {
        const other = beat.echoes.find((each) => each.node === self)?.boot ?? NEVER_HEARD.boot;
        if (other !== NEVER_HEARD.boot && other !== bootTag(boot)) peer.lives.strays(header.boot);
        return;
      }
      const why = peer.boot === null ? "heartbeat.started" : "heartbeat.rebooted";
      peer.adopt(header.boot, now);
      this.#context.say(`${peer.member.name} is alive`, reason(why, { node: peer.member.name }));
    }
    peer.links[header.link]?.heard(header.seq, now);
    peer.sign(now);
    if (echo?.accepted === true && sentAt !== null) {
      this.#proof.heard(peer.member.id, sentAt);
    }
    // A beat that was overtaken has nothing to say that is not said better already.
    if (newest) {
      peer.say(beat);
      peer.refuses = echo?.accepted === false;
      this.#context.hearCommitted(peer.member.id, beat.index);
      this.#onEcho(peer, header.link, echo, fresh ? sentAt : null);
      // Ours was held for so long before this one was sent; the field is rounded.
      if (echo !== undefined && sentAt !== null) {
        peer.report(beat, after(sentAt, Math.max(0, echo.heldMs - 1)), now);
      }
      this.#gossip(peer, beat);
    }
    this.#roster.refresh(peer);
    this.#roster.refreshView();
  }

  /** What the peer says of having heard us; `sentAt` null where that was long ago, or never. */
  #onEcho(peer: Peer, link: number, echo: Echo | undefined, sentAt: Instant | null): void {
    const { now } = this.#context;
    if (echo === undefined || sentAt === null) {
      for (const each of peer.links) each.notHeardBack();
      return;
    }
    peer.links[link]?.sample(Math.max(0, now - sentAt - echo.heldMs));
    // It has yet to see that we are no recording: until then it answers, and says no more.
    if (!echo.accepted) return;
    peer.greeted = true;
    peer.links.forEach((each, at) => {
      if (Math.floor(echo.links / 2 ** at) % 2 === 1) each.heardBack(now);
      else each.notHeardBack();
    });
  }

  /** What the peer itself had of third nodes counts as a sign of their life, dated when it had it. */
  #gossip(from: Peer, beat: Beat): void {
    const { now } = this.#context;
    for (const { node, sign, aliveMs } of beat.echoes) {
      const third = this.#roster.peers.get(node as NodeId);
      if (third === undefined || third === from || !sign || aliveMs === ALIVE_MS_MAX) continue;
      third.alive(after(now, -aliveMs));
    }
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "join.keys":
        return this.#gate.setKeys(fact.keys);
      case "config.spec":
        this.#context.setSpec(fact.spec, fact.index, {
          forced: fact.forced === true,
          witnessHeld: this.#roster.witnessHeld,
        });
        this.#roster.track();
        return this.#roster.refreshView();
      case "config.open":
        this.#context.setOpen(fact.specs);
        return this.#roster.refreshView();
      case "ha.vitals":
        this.#vitals = fact.vitals;
        return;
      case "storage.pulse": {
        // What leaves its last words lives no more, though the pulse was written.
        if (fact.words === "none") this.#roster.peers.get(fact.node)?.pulse(fact.seenAt);
        return;
      }
      case "storage.echo":
        if (this.#roster.peers.get(fact.by)?.refuses === false) {
          this.#proof.heard(fact.by, fact.issuedAt);
        }
        return;
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
    const { specs, self, now } = this.#context;
    const proven = specs.reduce((least, spec) => (
      earliest(least, this.#proof.provenAt(spec, self, now))
    ), now);
    if (proven <= this.#provenAt) return;
    this.#provenAt = proven;
    this.#context.tell({ fact: "heartbeat.proof", provenAt: proven });
  }
}
