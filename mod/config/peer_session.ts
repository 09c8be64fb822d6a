/**
 * A channel on a connection, with the clock that ends it: handshake in time, signs of life while
 * there is nothing to say, an end when the other shows none.
 *
 * @module
 */
import type { RandomPort, TcpConnection, TcpEvents } from "../host/ports.ts";
import type { ClockPort, TcpPort, TimerHandle } from "../host/ports.ts";
import { after, earliest, type Instant, NEVER } from "../base/time.ts";
import {
  Channel,
  type ChannelFault,
  type ChannelMode,
  type ChannelOptions,
  type ChannelOutput,
  type Introduction,
  STREAM_ALIVE,
} from "./channel.ts";

/** From the connection's start to an authenticated other end. */
export const HANDSHAKE_MS = 3000;
/** An open session says something at least this often. */
export const ALIVE_MS = 1000;
/** An open session that hears nothing for so long is given up. */
export const IDLE_MS = 4000;
/** While more than this waits in the connection, frames are dropped. */
export const QUEUED_BYTES_MAX = 4 * 1024 * 1024;

/** The ports of a session. */
export interface SessionPorts {
  readonly tcp: TcpPort;
  readonly clock: ClockPort;
  readonly random: RandomPort;
}

/** Why a session ended: the channel's fault, time, the owner's decision, or the connection. */
export type SessionEnd =
  | ChannelFault
  | "late"
  | "idle"
  | "ended"
  | "crowded"
  | "replaced"
  | "stranger"
  | "own-number"
  | "rekeyed";

/** The other end of an open session. */
export interface SessionPeer {
  readonly mode: ChannelMode;
  readonly id: string;
  readonly peer: Introduction;
  /** The key that both have. */
  readonly psk: Uint8Array;
}

/** What a session tells its owner. Nothing is told after `onClose`. */
export interface SessionEvents {
  onOpen(peer: SessionPeer): void;
  onFrame(stream: number, bytes: Uint8Array): void;
  /** Exactly once, whoever ended it. */
  onClose(why: SessionEnd, openedAt: Instant | null): void;
}

/** One connection's life. Hand it to the port as its events, then {@link attach} the connection. */
export class PeerSession implements TcpEvents {
  readonly #channel: Channel;
  readonly #initiator: boolean;
  readonly #clock: ClockPort;
  readonly #events: SessionEvents;
  readonly #timer: TimerHandle;
  readonly #handshakeEnd: Instant;
  #connection: TcpConnection | null = null;
  #connected = false;
  #closed = false;
  #openedAt: Instant | null = null;
  #heardAt: Instant;
  #saidAt: Instant;

  constructor(options: ChannelOptions, clock: ClockPort, events: SessionEvents) {
    this.#channel = new Channel(options);
    this.#initiator = options.role === "initiator";
    this.#clock = clock;
    this.#events = events;
    this.#heardAt = this.#saidAt = clock.now();
    this.#handshakeEnd = after(this.#heardAt, HANDSHAKE_MS);
    this.#timer = clock.timer(() => this.#onTime());
    this.#timer.set(this.#handshakeEnd);
  }

  /** True while frames may pass. */
  get isOpen(): boolean {
    return this.#channel.isOpen && !this.#closed;
  }

  /** Gives the session its connection. */
  attach(connection: TcpConnection): void {
    this.#connection = connection;
    if (this.#closed) connection.close();
    else this.#begin();
  }

  onOpen(): void {
    this.#connected = true;
    this.#begin();
  }

  onData(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#heardAt = this.#clock.now();
    this.#carryOut(this.#channel.receive(bytes));
  }

  onClose(): void {
    this.close("ended");
  }

  /** Sends one frame; false where it is dropped: not open, or too much waits already. */
  send(stream: number, bytes: Uint8Array): boolean {
    const connection = this.#connection;
    if (!this.isOpen || connection === null) return false;
    if (connection.queued() > QUEUED_BYTES_MAX) return false;
    this.#saidAt = this.#clock.now();
    connection.write(this.#channel.seal(stream, bytes));
    return true;
  }

  /** Ends the session at once. */
  close(why: SessionEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.set(NEVER);
    this.#connection?.close();
    this.#events.onClose(why, this.#openedAt);
  }

  #begin(): void {
    if (this.#initiator && this.#connected && this.#connection !== null && !this.#closed) {
      this.#carryOut(this.#channel.start());
    }
  }

  #carryOut(outputs: readonly ChannelOutput[]): void {
    for (const output of outputs) {
      if (this.#closed) return;
      switch (output.kind) {
        case "write":
          this.#connection?.write(output.bytes);
          break;
        case "open":
          this.#openedAt = this.#heardAt = this.#saidAt = this.#clock.now();
          this.#timer.set(this.#deadline());
          this.#events.onOpen(output);
          break;
        case "frame":
          this.#events.onFrame(output.stream, output.bytes);
          break;
        case "close":
          this.close(output.why);
      }
    }
  }

  /** Frames only move the deadline away, so the timer is set anew when it fires, not with each. */
  #onTime(): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    if (this.#openedAt === null) {
      if (now >= this.#handshakeEnd) return this.close("late");
    } else {
      if (now >= after(this.#heardAt, IDLE_MS)) return this.close("idle");
      if (now >= after(this.#saidAt, ALIVE_MS)) {
        this.send(STREAM_ALIVE, new Uint8Array(0));
        // Also where it was dropped: what waits in the connection is life enough.
        this.#saidAt = now;
      }
    }
    this.#timer.set(this.#deadline());
  }

  #deadline(): Instant {
    if (this.#openedAt === null) return this.#handshakeEnd;
    return earliest(after(this.#heardAt, IDLE_MS), after(this.#saidAt, ALIVE_MS));
  }
}
