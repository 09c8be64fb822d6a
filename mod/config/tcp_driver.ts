/**
 * The peer channel of a node: to every other member one connection that it dialed, and one that the
 * member dialed. Frames go out on the dialed one; while that is not open (the other's address is not
 * known yet, say, because this node has been away) on the accepted one. Best effort: a frame without
 * an open session, or behind too much that waits, is dropped and counted.
 *
 * @module
 */
import type { ClusterId, NodeId } from "../base/id.ts";
import type { ChannelMode } from "./channel.ts";
import { type KeyRing, keysOf } from "../base/key_ring.ts";
import { Acceptor } from "./acceptor.ts";
import { type Introduction, peerKey } from "./channel.ts";
import { Dialer } from "./dialer.ts";
import type { SessionEnd, SessionPorts } from "./peer_session.ts";

/** Why a session ended, or a frame was not sent. */
export type PeerCount = SessionEnd | "dropped-unconnected" | "dropped-full";

/** What the driver is made with. */
export interface PeerDriverOptions extends SessionPorts, KeyRing {
  readonly self: Introduction & { readonly node: NodeId };
  readonly cluster: ClusterId;
  /** `HOST:PORT` to listen on. */
  readonly listen: string;
  /** The session key of an open ticket (32 hex digits), or null. */
  readonly ticketKey: (ticket: string) => Uint8Array | null;
  /** Addresses `HOST:PORT` of the other members. */
  readonly members: ReadonlyMap<NodeId, string>;
}

/** What the driver tells. */
export interface PeerEvents {
  onFrame(from: NodeId, stream: number, bytes: Uint8Array): void;
  /** Frames to this node have a way now, or have none any more. */
  onPeer?(node: NodeId, connected: boolean): void;
  onJoinFrame(session: number, ticket: string, bytes: Uint8Array): void;
  onJoinClose(session: number): void;
}

/** One per node. The constructor throws what `TcpPort.listen` throws. */
export class PeerDriver {
  readonly #options: PeerDriverOptions;
  readonly #events: PeerEvents;
  #keys: readonly Uint8Array[];
  readonly #acceptor: Acceptor;
  readonly #dialers = new Map<NodeId, Dialer>();
  readonly #connected = new Set<NodeId>();
  readonly #counts = new Map<PeerCount, number>();
  #closed = false;

  constructor(options: PeerDriverOptions, events: PeerEvents) {
    this.#options = options;
    this.#events = events;
    this.#keys = keysOf(options).map(peerKey);
    const { self, listen } = options;
    const lookup = (mode: ChannelMode, id: string) => this.#keysFor(mode, id);
    this.#acceptor = new Acceptor(options, { self, listen, lookup }, {
      onOpen: (node) => {
        this.#dialers.get(node)?.nudge();
        this.#noteReach(node);
      },
      onFrame: (node, stream, bytes) => this.#onFrame(node, stream, bytes),
      onClose: (node) => this.#noteReach(node),
      onJoinFrame: (session, ticket, bytes) => events.onJoinFrame(session, ticket, bytes),
      onJoinClose: (session) => events.onJoinClose(session),
      onEnd: (why) => this.#count(why),
    });
    this.setMembers(options.members);
  }

  /** How often each thing happened since the start. */
  counts(): ReadonlyMap<PeerCount, number> {
    return this.#counts;
  }

  /** The members that frames have a way to now. */
  connected(): ReadonlySet<NodeId> {
    return this.#connected;
  }

  /** Sends one frame of stream 2 or 3, best effort, at most `FRAME_BYTES_MAX` long. */
  send(to: NodeId, stream: number, bytes: Uint8Array): void {
    const session = this.#sessionTo(to);
    if (session === null) this.#count("dropped-unconnected");
    else if (!session.send(stream, bytes)) this.#count("dropped-full");
  }

  /** Answers a joining machine. */
  answerJoin(session: number, bytes: Uint8Array): void {
    if (!this.#acceptor.answerJoin(session, bytes)) this.#count("dropped-unconnected");
  }

  /** From now on these are the other members, with their addresses. */
  setMembers(members: ReadonlyMap<NodeId, string>): void {
    if (this.#closed) return;
    for (const [node, dialer] of this.#dialers) {
      if (members.get(node) === dialer.address) continue;
      dialer.close();
      this.#dialers.delete(node);
      this.#noteReach(node);
    }
    for (const [node, address] of members) {
      if (node === this.#options.self.node || this.#dialers.has(node)) continue;
      this.#dialers.set(node, this.#dialer(node, address));
    }
  }

  /** From now on the cluster's keys are these; what was opened with another one ends. */
  setKeys(ring: KeyRing): void {
    if (this.#closed) return;
    this.#keys = keysOf(ring).map(peerKey);
    for (const dialer of this.#dialers.values()) dialer.setKeys(this.#keys);
    this.#acceptor.keep(this.#keys);
  }

  /** Ends everything; nothing is told any more. */
  close(): void {
    this.#closed = true;
    for (const dialer of this.#dialers.values()) dialer.close();
    this.#dialers.clear();
    this.#connected.clear();
    this.#acceptor.close();
  }

  #dialer(node: NodeId, address: string): Dialer {
    const { self, cluster } = this.#options;
    return new Dialer(this.#options, { node, address, self, cluster, keys: this.#keys }, {
      onOpen: () => this.#noteReach(node),
      onFrame: (stream, bytes) => this.#onFrame(node, stream, bytes),
      onClose: (why) => {
        this.#count(why);
        this.#noteReach(node);
      },
    });
  }

  #keysFor(mode: ChannelMode, id: string): readonly Uint8Array[] {
    if (mode === "member") return id === this.#options.cluster ? this.#keys : [];
    const key = this.#options.ticketKey(id);
    return key === null ? [] : [key];
  }

  #sessionTo(node: NodeId) {
    return this.#dialers.get(node)?.open ?? this.#acceptor.open(node);
  }

  #onFrame(from: NodeId, stream: number, bytes: Uint8Array): void {
    if (!this.#closed) this.#events.onFrame(from, stream, bytes);
  }

  #noteReach(node: NodeId): void {
    const connected = this.#sessionTo(node) !== null;
    if (this.#closed || connected === this.#connected.has(node)) return;
    if (connected) this.#connected.add(node);
    else this.#connected.delete(node);
    this.#events.onPeer?.(node, connected);
  }

  #count(what: PeerCount): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}
