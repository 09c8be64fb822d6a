/** Pairs of channel ends, and a connection and a clock that a test moves by hand. */
import assert from "node:assert/strict";
import { concat } from "../../mod/base/bytes.ts";
import { bootId } from "../../mod/base/id.ts";
import { type Instant, instant } from "../../mod/base/time.ts";
import {
  Channel,
  type ChannelOptions,
  type ChannelOutput,
  type Introduction,
} from "../../mod/config/channel.ts";
import type { ClockPort, TcpConnection, TcpEvents, TcpPort } from "../../mod/host/ports.ts";

export const CLUSTER = "ab".repeat(16);
export const KEY = new Uint8Array(32).fill(7);
export const TICKET = { id: "cd".repeat(16), key: new Uint8Array(32).fill(9) };
export const SECRETS = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;

export function who(node: number): Introduction {
  return { node, boot: bootId(node.toString(16).padStart(16, "0")) };
}

type Initiator = Extract<ChannelOptions, { role: "initiator" }>;

/** Two ends that have not spoken yet; another `number` means other ephemeral keys. */
export function makePair(number = 1, options: Partial<Initiator> = {}) {
  const [mine, theirs] = SECRETS.map((secret) => secret.map((byte) => byte + 2 * number)) as [
    Uint8Array,
    Uint8Array,
  ];
  const initiator = new Channel({
    ...{ role: "initiator", mode: "member", id: CLUSTER, psk: KEY, self: who(1), secret: mine },
    ...options,
  });
  const responder = new Channel({
    ...{ role: "responder", self: who(2), secret: theirs },
    lookup: (mode, id) => {
      if (mode === "join") return id === TICKET.id ? [TICKET.key] : [];
      return id === CLUSTER ? [KEY] : [];
    },
  });
  return { initiator, responder };
}

/** Two ends that are open. */
export function openPair(number = 1, options: Partial<Initiator> = {}) {
  const pair = makePair(number, options);
  const answer = pair.responder.receive(concatWrites(pair.initiator.start()));
  const proof = pair.initiator.receive(concatWrites(answer));
  pair.responder.receive(concatWrites(proof));
  assert.ok(pair.initiator.isOpen && pair.responder.isOpen);
  return pair;
}

/** All bytes that outputs write. */
export function concatWrites(outputs: readonly ChannelOutput[]): Uint8Array {
  return concat(...outputs.flatMap((each) => each.kind === "write" ? [each.bytes] : []));
}

/** A clock whose timers fire when the test lets time pass. */
export class HandClock implements ClockPort {
  time = 1000;
  readonly #timers = new Map<object, { at: number; fire: () => void }>();

  now(): Instant {
    return instant(this.time);
  }

  wallSeconds(): number {
    return 0;
  }

  timer(fire: () => void) {
    const handle = {
      set: (at: Instant) => {
        if (Number.isFinite(at)) this.#timers.set(handle, { at, fire });
        else this.#timers.delete(handle);
      },
    };
    return handle;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > end) break;
      const [handle, { at, fire }] = next;
      this.#timers.delete(handle);
      this.time = Math.max(this.time, at);
      fire();
    }
    this.time = end;
  }
}

/** What a session writes, and whether it hung up. */
export class HandConnection implements TcpConnection {
  written: Uint8Array[] = [];
  waiting = 0;
  closed = false;

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  queued(): number {
    return this.waiting;
  }

  close(): void {
    this.closed = true;
  }
}

/** A port to which the test connects, and whose calls it sees. */
export class HandTcp implements TcpPort {
  dialed: { address: string; events: TcpEvents; connection: HandConnection }[] = [];
  #accept: ((connection: TcpConnection) => TcpEvents) | null = null;

  listen(_local: string, onAccept: (connection: TcpConnection) => TcpEvents) {
    this.#accept = onAccept;
    return { close: () => this.#accept = null };
  }

  connect(address: string, events: TcpEvents): TcpConnection {
    const connection = new HandConnection();
    this.dialed.push({ address, events, connection });
    return connection;
  }

  /** Somebody connects. */
  come(): { events: TcpEvents; connection: HandConnection } {
    assert.ok(this.#accept !== null, "somebody listens");
    const connection = new HandConnection();
    return { connection, events: this.#accept(connection) };
  }
}
