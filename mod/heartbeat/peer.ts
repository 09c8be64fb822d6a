/**
 * One peer: its lives, its links, what it said last, and when anybody last heard it.
 *
 * @module
 */
import type { Member } from "../base/cluster.ts";
import type { BootId, NodeId } from "../base/id.ts";
import { after, earliest, EPOCH, type Instant, latest, type Millis } from "../base/time.ts";
import type { MemberState, Vitals } from "../streams.ts";
import { vitalsOf } from "./beat.ts";
import { Link } from "./link.ts";
import { Lives } from "./lives.ts";
import { ALIVE_MS_MAX, type Beat, bootTag, type Echo, HELD_MS_MAX, SEQ_ECHO_MAX } from "./wire.ts";

/** What is echoed of a peer that was never heard: a life and a beat that nobody has. */
export const NEVER_HEARD = {
  boot: "00000000",
  seq: 0,
  heldMs: HELD_MS_MAX,
  links: 0,
  accepted: false,
};

/** One member as this node knows it. */
export class Peer {
  readonly lives = new Lives();
  /** Since when this node looks out for it. */
  readonly since: Instant;
  state: MemberState = "unknown";
  /** A second life that beats beside the accepted one. */
  twin: BootId | null = null;
  /** Its life has said that it hears us: until then it has had no time to. */
  greeted = false;
  /** Its newest beat says that it heard us, and that this proves nothing: no pulse of it does either. */
  refuses = false;
  /** Instant of our clock at which we learnt of its newest sign of life, from whomever. */
  lastHeard: Instant;
  /** Its newest pulse that we read. */
  lastPulse: Instant = EPOCH;
  /** Up to this instant of our clock its reports of others are known to be good. */
  reportedAt: Instant = EPOCH;
  /** Its newest beat. */
  beat: Beat | null = null;
  vitals: Vitals | null = null;
  #member: Member;
  #links: readonly Link[];
  /** Newest beat of an accepted life, or pulse, that we had ourselves. */
  #firstHand: Instant = EPOCH;
  #quietSince: ReadonlyMap<number, Instant> = new Map();

  constructor(member: Member, now: Instant) {
    this.#member = member;
    this.#links = member.links.map(() => new Link());
    this.since = now;
    this.lastHeard = now;
  }

  get member(): Member {
    return this.#member;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** The life that is accepted, or null. */
  get boot(): BootId | null {
    return this.lives.current?.boot ?? null;
  }

  /** The spec says other things of it now. A link whose address changed begins anew. */
  update(member: Member): void {
    const before = this.#member;
    this.#links = member.links.map((address, at) =>
      address === before.links[at] ? this.#links[at] ?? new Link() : new Link()
    );
    this.#member = member;
  }

  /** A beat of a life that has shown that it is one. */
  adopt(boot: BootId, now: Instant): void {
    this.lives.adopt(boot, now);
    this.greeted = false;
    for (const link of this.#links) link.reset();
  }

  /** A sign of life that somebody else had at `at`. */
  alive(at: Instant): void {
    this.lastHeard = latest(this.lastHeard, at);
  }

  /** A sign of life that we had ourselves at `at`. */
  sign(at: Instant): void {
    this.alive(at);
    this.#firstHand = latest(this.#firstHand, at);
  }

  /** Its pulse was read at `at`. */
  pulse(at: Instant): void {
    this.sign(at);
    this.lastPulse = latest(this.lastPulse, at);
  }

  /** The newest beat of its accepted life. */
  say(beat: Beat): void {
    this.beat = beat;
    this.vitals = vitalsOf(beat);
  }

  /**
   * Its newest beat, which came now, was sent at `sentAt` or later: it vouches up to there. An
   * older date changes nothing.
   */
  report(beat: Beat, sentAt: Instant, now: Instant): void {
    if (sentAt <= this.reportedAt) return;
    this.reportedAt = earliest(sentAt, now);
    this.#quietSince = new Map(
      beat.echoes.map(({ node, aliveMs }) => [node, after(now, -aliveMs)]),
    );
  }

  /**
   * Since when, at the latest, this peer had no sign of a node's life, or began to look out for one,
   * as of its newest report; null where that does not name the node.
   */
  quietSince(node: NodeId): Instant | null {
    return this.#quietSince.get(node) ?? null;
  }

  /**
   * What we tell everyone of having heard it; `proves`: it may go on by that. Changes whose turn it is
   * among candidates.
   */
  echo(now: Instant, deadMs: Millis, proves: boolean): Echo {
    const life = this.lives.toEcho(now, deadMs);
    const quiet = now - latest(this.#firstHand, this.since);
    return {
      node: this.#member.id,
      ...life === null ? NEVER_HEARD : {
        boot: bootTag(life.boot),
        seq: Math.min(SEQ_ECHO_MAX, life.seq),
        heldMs: Math.min(HELD_MS_MAX, Math.floor(now - life.at)),
        links: this.#links.reduce((bits, _link, at) => {
          const heardOn = now - (life.linkAt.get(at) ?? EPOCH) < deadMs;
          return heardOn ? bits + 2 ** at : bits;
        }, 0),
        accepted: proves && life === this.lives.current,
      },
      sign: this.#firstHand > EPOCH,
      // Rounded down: too late a sign of life only makes others wait.
      aliveMs: Math.min(ALIVE_MS_MAX, Math.floor(quiet)),
    };
  }

  /** On how many links it hears us and we hear it. */
  linksUp(): number {
    return this.#links.filter((link) => link.up).length;
  }
}
