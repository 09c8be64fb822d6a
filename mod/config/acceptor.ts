/**
 * The listening side of the peer channel: sessions that are not authenticated yet (few, and the
 * oldest makes room), members by number (the newest connection of each counts), and joins.
 *
 * @module
 */
import { MEMBERS_MAX, type NodeId, nodeId } from "../base/id.ts";
import { equalSecrets, KEY_BYTES } from "../base/seal.ts";
import type { TcpConnection, TcpEvents, TcpListener } from "../host/ports.ts";
import type { Introduction, KeyLookup } from "./channel.ts";
import {
  PeerSession,
  type SessionEnd,
  type SessionPeer,
  type SessionPorts,
} from "./peer_session.ts";

/** Connections that may be in their handshake at once. */
export const PENDING_MAX = 64;
/** Machines that may be joining at once. */
export const JOINS_MAX = 16;
/** Members that may be connected at once: while members change, more than there are. */
const ACCEPTED_MAX = 2 * MEMBERS_MAX;
const JOIN_STREAM = 5;

/** What an acceptor is made with. */
export interface AcceptOptions {
  readonly self: Introduction;
  readonly listen: string;
  readonly lookup: KeyLookup;
}

/** What an acceptor tells. */
export interface AcceptEvents {
  onOpen(node: NodeId): void;
  onFrame(node: NodeId, stream: number, bytes: Uint8Array): void;
  /** A member's connection ended and no newer one took its place. */
  onClose(node: NodeId): void;
  onJoinFrame(session: number, ticket: string, bytes: Uint8Array): void;
  onJoinClose(session: number): void;
  /** Any session ended, for whatever reason: for the counters. */
  onEnd(why: SessionEnd): void;
}

/** Takes connections. Throws what `TcpPort.listen` throws. */
export class Acceptor {
  readonly #ports: SessionPorts;
  readonly #options: AcceptOptions;
  readonly #events: AcceptEvents;
  readonly #listener: TcpListener;
  readonly #pending = new Set<PeerSession>();
  readonly #members = new Map<NodeId, PeerSession>();
  /** With which key each member's session was opened. */
  readonly #keys = new WeakMap<PeerSession, Uint8Array>();
  readonly #joins = new Map<number, PeerSession>();
  #nextJoin = 1;
  #closed = false;

  constructor(ports: SessionPorts, options: AcceptOptions, events: AcceptEvents) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
    this.#listener = ports.tcp.listen(options.listen, (connection) => this.#accept(connection));
  }

  /** The open session that this member made, or null. */
  open(node: NodeId): PeerSession | null {
    const session = this.#members.get(node);
    return session?.isOpen ? session : null;
  }

  /** Sends one frame to a joining machine; false where it is gone. */
  answerJoin(session: number, bytes: Uint8Array): boolean {
    return this.#joins.get(session)?.send(JOIN_STREAM, bytes) ?? false;
  }

  /** Ends what members opened with a key that is none of these. */
  keep(keys: readonly Uint8Array[]): void {
    for (const session of this.#members.values()) {
      const psk = this.#keys.get(session);
      if (psk === undefined || !keys.some((key) => equalSecrets(key, psk))) {
        session.close("rekeyed");
      }
    }
  }

  /** Ends everything; nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#listener.close();
    for (const session of [...this.#pending, ...this.#members.values(), ...this.#joins.values()]) {
      session.close("ended");
    }
  }

  #accept(connection: TcpConnection): TcpEvents {
    const { self, lookup } = this.#options;
    const secret = this.#ports.random.bytes(KEY_BYTES);
    let onEnd = (): void => {};
    let onFrame = (_stream: number, _bytes: Uint8Array): void => {};
    const session = new PeerSession(
      { role: "responder", self, secret, lookup },
      this.#ports.clock,
      {
        onOpen: (peer) => {
          this.#pending.delete(session);
          const place = peer.mode === "join"
            ? this.#join(session, peer)
            : this.#seat(session, peer);
          ({ onEnd, onFrame } = place ?? { onEnd, onFrame });
        },
        onFrame: (stream, bytes) => onFrame(stream, bytes),
        onClose: (why) => {
          this.#pending.delete(session);
          if (this.#closed) return;
          this.#events.onEnd(why);
          onEnd();
        },
      },
    );
    // The oldest is the one that is least likely to come to an end by itself.
    const [oldest] = this.#pending;
    if (oldest !== undefined && this.#pending.size >= PENDING_MAX) oldest.close("crowded");
    this.#pending.add(session);
    session.attach(connection);
    return session;
  }

  #seat(session: PeerSession, { mode, id, peer, psk }: SessionPeer): Place | null {
    const node = nodeId(peer.node);
    // The key may have been given up between its hello and its proof.
    const keys = this.#options.lookup(mode, id);
    if (!keys.some((key) => equalSecrets(key, psk))) return refuse(session, "rekeyed");
    const before = this.#members.get(node);
    if (node === this.#options.self.node) return refuse(session, "own-number");
    if (before === undefined && this.#members.size >= ACCEPTED_MAX) {
      return refuse(session, "crowded");
    }
    this.#members.set(node, session);
    this.#keys.set(session, psk);
    before?.close("replaced");
    this.#events.onOpen(node);
    return {
      onFrame: (stream, bytes) => this.#events.onFrame(node, stream, bytes),
      onEnd: () => {
        if (this.#members.get(node) !== session) return;
        this.#members.delete(node);
        this.#events.onClose(node);
      },
    };
  }

  #join(session: PeerSession, { id }: SessionPeer): Place | null {
    if (this.#joins.size >= JOINS_MAX) return refuse(session, "crowded");
    const number = this.#nextJoin++;
    this.#joins.set(number, session);
    return {
      onFrame: (_stream, bytes) => this.#events.onJoinFrame(number, id, bytes),
      onEnd: () => {
        this.#joins.delete(number);
        this.#events.onJoinClose(number);
      },
    };
  }
}

/** Where the events of an authenticated session go. */
interface Place {
  onFrame(stream: number, bytes: Uint8Array): void;
  onEnd(): void;
}

function refuse(session: PeerSession, why: SessionEnd): null {
  session.close(why);
  return null;
}
