/**
 * Datagrams over the simulated network: lost, late, twice, again much later, or damaged.
 *
 * @module
 */
import { ProblemError } from "../base/problem.ts";
import type { Millis } from "../base/time.ts";
import type { UdpPort, UdpSocket } from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { Path, Place, SimNetwork } from "./network.ts";
import { draw } from "./options.ts";

type OnPacket = (from: string, bytes: Uint8Array) => void;

/** All sockets of a world, by address. */
export class UdpSockets {
  readonly network: SimNetwork;
  /** Called when a daemon is handed a datagram: between which hosts, and when it was sent. */
  onReceive: (path: Path, sentAt: Millis) => void = nothing;
  readonly #open = new Map<string, SimUdpSocket>();

  constructor(network: SimNetwork) {
    this.network = network;
  }

  has(key: string): boolean {
    return this.#open.has(key);
  }

  add(socket: SimUdpSocket, key: string): void {
    this.#open.set(key, socket);
  }

  remove(socket: SimUdpSocket, key: string): void {
    if (this.#open.get(key) === socket) this.#open.delete(key);
  }

  /** Sends one datagram along `path`. Keeps `bytes`. */
  send(path: Path, ends: { readonly from: string; readonly to: string }, bytes: Uint8Array): void {
    const { world } = this.network;
    const { prng } = path;
    world.note(path.from, path.to);
    world.noteBytes(bytes);
    if (path.cut || prng.chance(path.loss)) return;
    const sent = path.corrupt > 0 && prng.chance(path.corrupt) ? damaged(bytes, path) : bytes;
    this.#carry(path, ends, { bytes: sent, delay: this.network.delay(path) });
    if (prng.chance(path.duplicate)) {
      this.#carry(path, ends, { bytes: bytes.slice(), delay: this.network.delay(path) });
    }
    if (prng.chance(path.replay)) {
      const delay = draw(prng, world.options.netReplayMs);
      this.#carry(path, ends, { bytes: bytes.slice(), delay });
    }
  }

  #carry(
    path: Path,
    ends: { readonly from: string; readonly to: string },
    { bytes, delay }: { readonly bytes: Uint8Array; readonly delay: number },
  ): void {
    const sentAt = this.network.world.now;
    this.network.world.after(delay, () => {
      if (path.cut) return;
      this.#open.get(ends.to)?.receive(ends.from, bytes, () => this.onReceive(path, sentAt));
    });
  }
}

/** The datagram port of one life of a host's daemon. */
export class SimUdp implements UdpPort {
  readonly #sockets: UdpSockets;
  readonly #host: number;
  readonly #life: Life;

  constructor(sockets: UdpSockets, host: number, life: Life) {
    this.#sockets = sockets;
    this.#host = host;
    this.#life = life;
  }

  open(local: string, onPacket: OnPacket): UdpSocket {
    // The dead bind nothing.
    if (!this.#life.act()) return { send: nothing, close: nothing };
    const places = this.#sockets.network.localPlaces(this.#host, local);
    if (places.length === 0 || places.some(({ key }) => this.#sockets.has(key))) {
      throw new ProblemError("heartbeat.bad-address", `"${local}" cannot be bound`);
    }
    return new SimUdpSocket(this.#sockets, { places, life: this.#life }, onPacket);
  }
}

/** One socket. */
export class SimUdpSocket implements UdpSocket {
  readonly #sockets: UdpSockets;
  readonly #places: readonly Place[];
  readonly #life: Life;
  readonly #onPacket: OnPacket;
  #closed = false;

  constructor(
    sockets: UdpSockets,
    parts: { places: readonly Place[]; life: Life },
    onPacket: OnPacket,
  ) {
    this.#sockets = sockets;
    this.#places = parts.places;
    this.#life = parts.life;
    this.#onPacket = onPacket;
    for (const { key } of parts.places) sockets.add(this, key);
    parts.life.onEnd(() => this.close());
  }

  send(to: string, bytes: Uint8Array): void {
    if (this.#closed || !this.#life.act()) return;
    const { network } = this.#sockets;
    const place = network.place(to);
    const own = this.#places[place?.link ?? 0] ?? this.#places[0];
    if (place === null || own === undefined) return;
    const path = network.path(own.host, place.host, place.link);
    const from = network.nameOf(own.host, own.link, own.port);
    this.#sockets.send(path, { from, to: place.key }, bytes.slice());
  }

  /** The network hands over a datagram. */
  receive(from: string, bytes: Uint8Array, note: () => void): void {
    this.#life.deliver(() => {
      if (this.#closed) return;
      note();
      this.#onPacket(from, bytes);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { key } of this.#places) this.#sockets.remove(this, key);
  }
}

/** With one bit turned over. */
function damaged(bytes: Uint8Array, { prng }: Path): Uint8Array {
  const other = bytes.slice();
  const at = prng.between(0, Math.max(0, other.length - 1));
  if (at < other.length) other[at] = (other[at] ?? 0) ^ (1 << prng.between(0, 7));
  return other;
}

function nothing(): void {
  // A socket of a dead daemon; nobody listens.
}
