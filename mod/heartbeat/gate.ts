/**
 * Hostile bytes → a genuine beat, or a count. Nothing else of this stream sees a packet before it
 * is opened; what is refused changes nothing but its counter.
 *
 * @module
 */
import type { BootId, NodeId } from "../base/id.ts";
import { type KeyRing, keysOf } from "../base/key_ring.ts";
import { type HeartbeatOptions, type Refusal, REFUSALS } from "./events.ts";
import type { Peer } from "./peer.ts";
import { type Beat, decodeHeader, type Header, openPacket, packetKey } from "./wire.ts";

/** Keys of nodes' lives that are kept; any other is derived again when it is needed. */
export const KEYS_MAX = 128;

/** A genuine beat that was not seen before. */
export interface Opened {
  readonly peer: Peer;
  readonly header: Header;
  readonly beat: Beat;
}

/** See the module's note. */
export class Gate {
  readonly #options: HeartbeatOptions;
  readonly #keys = new Map<string, Uint8Array>();
  readonly #refused = Object.fromEntries(REFUSALS.map((why) => [why, 0])) as Record<
    Refusal,
    number
  >;
  #ring: KeyRing;
  #received = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const { clusterKey, otherKey = null } = options;
    this.#ring = { clusterKey, otherKey };
  }

  /** From now on the cluster's keys are these. */
  setKeys(ring: KeyRing): void {
    this.#ring = ring;
    this.#keys.clear();
  }

  /** Genuine beats so far. */
  get received(): number {
    return this.#received;
  }

  /** Packets dropped so far, by reason. */
  refused(): Readonly<Record<Refusal, number>> {
    return { ...this.#refused };
  }

  /** The key that this life of ours seals with. */
  ownKey(): Uint8Array {
    const { self, boot } = this.#options;
    const key = this.#keys.get(`${self} ${boot}`) ?? packetKey(this.#ring.clusterKey, self, boot);
    this.#remember(self, boot, key);
    return key;
  }

  /** Opens what came on `link`; null where it was dropped. */
  open(link: number, bytes: Uint8Array, peers: ReadonlyMap<NodeId, Peer>): Opened | null {
    const opened = this.#judge(link, bytes, peers);
    if (typeof opened === "string") {
      this.#refused[opened]++;
      return null;
    }
    this.#received++;
    return opened;
  }

  /** Cheap checks first; the replay window only ever sees what the seal has vouched for. */
  #judge(link: number, bytes: Uint8Array, peers: ReadonlyMap<NodeId, Peer>): Opened | Refusal {
    const header = decodeHeader(bytes);
    if (typeof header === "string") return header;
    const { sender, boot } = header;
    if (sender === this.#options.self) return "self";
    const peer = peers.get(sender);
    if (peer === undefined) return "stranger";
    // The sender numbers its links as we do; a packet is opened as what it says it is.
    if (header.link !== link || link >= peer.links.length) return "malformed";
    if (peer.lives.isRetired(boot)) return "old";
    const { key, beat } = this.#unseal(header, bytes);
    if (typeof beat === "string") return beat;
    if (beat.cluster !== this.#options.spec.id) return "foreign";
    if (!peer.lives.accept(boot, link, header.seq)) return "replayed";
    this.#remember(sender, boot, key);
    return { peer, header, beat };
  }

  /** With the key that this life used last; while the cluster's key is renewed, with the other too. */
  #unseal(header: Header, bytes: Uint8Array): { key: Uint8Array; beat: Beat | Refusal } {
    const { sender, boot } = header;
    const known = this.#keys.get(`${sender} ${boot}`);
    const key = known ?? packetKey(this.#ring.clusterKey, sender, boot);
    const beat = openPacket(key, header, bytes);
    if (beat !== "seal" || !this.#ring.otherKey) return { key, beat };
    for (const each of keysOf(this.#ring)) {
      const other = packetKey(each, sender, boot);
      const opened = openPacket(other, header, bytes);
      if (opened !== "seal") return { key: other, beat: opened };
    }
    return { key, beat };
  }

  #remember(sender: NodeId, boot: BootId, key: Uint8Array): void {
    this.#keys.set(`${sender} ${boot}`, key);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= KEYS_MAX) break;
      this.#keys.delete(oldest);
    }
  }
}
