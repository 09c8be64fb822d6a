/**
 * One peer: its lives, its links, what it said last, and when anybody last heard it.
 *
 * A packet that opens is genuine but may be a recording. Within a life the replay window sees to
 * that. A life that we do not know yet is accepted only when its beat echoes one that we sent in this
 * life of ours and not long ago: no recording can. Until then the peer is only echoed, so that it
 * can show as much. A life that was replaced is never accepted again.
 *
 * @module
 */
import type { Member } from "../base/cluster.ts";
import type { BootId } from "../base/id.ts";
import { after, EPOCH, type Instant, latest, type Millis } from "../base/time.ts";
import type { MemberState, Vitals } from "../streams.ts";
import { Link } from "./link.ts";
import { ReplayWindow } from "./replay.ts";
import { type Beat, bootTag, type Echo, HELD_MS_MAX } from "./wire.ts";

/** Former lives that are remembered as such. */
const RETIRED_MAX = 32;

/** What we can echo of one life. */
interface Heard {
  readonly boot: BootId;
  seq: number;
  at: Instant;
  readonly linkAt: Instant[];
}

/** See the module's note. */
export class Peer {
  readonly member: Member;
  readonly links: readonly Link[];
  state: MemberState = "unknown";
  /** Instant of our clock at which we learnt of its newest sign of life. */
  lastHeard: Instant;
  /** When its newest accepted beat came: what it says of others is good up to here. */
  reportedAt: Instant = EPOCH;
  lastPulse: Instant = EPOCH;
  beat: Beat | null = null;
  vitals: Vitals | null = null;
  #boot: BootId | null = null;
  readonly #retired = new Set<BootId>();
  readonly #windows = new Map<string, ReplayWindow>();
  #current: Heard | null = null;
  #candidate: Heard | null = null;

  constructor(member: Member, now: Instant) {
    this.member = member;
    this.links = member.links.map(() => new Link());
    this.lastHeard = now;
  }

  /** The life that is accepted, or null. */
  get boot(): BootId | null {
    return this.#boot;
  }

  /** True for a life that was replaced. */
  isRetired(boot: BootId): boolean {
    return this.#retired.has(boot);
  }

  /** True where this packet was not seen before. */
  accept(boot: BootId, link: number, seq: number): boolean {
    const key = `${boot} ${link}`;
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = new ReplayWindow();
      this.#windows.set(key, window);
      // Only the accepted life and one candidate matter; the oldest others go.
      for (const old of this.#windows.keys()) {
        if (this.#windows.size <= 2 * 8 + 2) break;
        if (this.#boot === null || !old.startsWith(this.#boot)) this.#windows.delete(old);
      }
    }
    return window.accept(seq);
  }

  /** Takes note of a genuine beat, so that it is echoed. */
  hear(boot: BootId, link: number, seq: number, now: Instant): void {
    const known = [this.#current, this.#candidate].find((heard) => heard?.boot === boot);
    const heard = known ?? { boot, seq, at: now, linkAt: this.links.map(() => EPOCH) };
    if (boot === this.#boot) this.#current = heard;
    else this.#candidate = heard;
    if (seq >= heard.seq) {
      heard.seq = seq;
      heard.at = now;
    }
    heard.linkAt[link] = now;
  }

  /** This life has shown that it is one: it replaces any other. True where it is new. */
  adopt(boot: BootId): boolean {
    if (boot === this.#boot) return false;
    if (this.#boot !== null) {
      this.#retired.add(this.#boot);
      if (this.#retired.size > RETIRED_MAX) {
        for (const oldest of this.#retired) {
          this.#retired.delete(oldest);
          break;
        }
      }
    }
    this.#boot = boot;
    this.#current = this.#candidate?.boot === boot ? this.#candidate : null;
    this.#candidate = null;
    for (const link of this.links) link.reset();
    return true;
  }

  /** A sign of life that we learnt of at `at`. */
  alive(at: Instant): void {
    this.lastHeard = latest(this.lastHeard, at);
  }

  /** What we tell this peer (and all others) of having heard it; null for never. */
  echo(now: Instant, deadMs: Millis): Echo | null {
    const fresh = this.#candidate !== null && now - this.#candidate.at < deadMs;
    const silent = this.#current === null || now - this.#current.at >= deadMs;
    const heard = fresh && silent ? this.#candidate : this.#current;
    if (heard === null) return null;
    let links = 0;
    heard.linkAt.forEach((at, link) => {
      if (now - at < deadMs) links += 2 ** link;
    });
    return {
      node: this.member.id,
      boot: bootTag(heard.boot),
      seq: heard.seq,
      heldMs: Math.min(HELD_MS_MAX, Math.round(now - heard.at)),
      links,
    };
  }

  /** On how many links it hears us and we hear it. */
  linksUp(): number {
    return this.links.filter((link) => link.up).length;
  }

  /** The earliest instant at which silence changes anything. */
  silentAt(deadMs: Millis): Instant {
    return after(this.lastHeard, deadMs);
  }
}
