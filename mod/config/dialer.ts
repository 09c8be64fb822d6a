/** One member dialed for as long as it is a member: connect, and again after a growing pause. @module */
import type { NodeId } from "../base/id.ts";
import { assert } from "../base/assert.ts";
import { equalSecrets, KEY_BYTES } from "../base/seal.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { TimerHandle } from "../host/ports.ts";
import type { Introduction } from "./channel.ts";
import { PeerSession, type SessionEnd, type SessionPorts } from "./peer_session.ts";

/** Pause before the second try; it doubles up to {@link RETRY_MAX_MS}. */
export const RETRY_MIN_MS = 100;
/** Longest pause between two tries, before up to a quarter is added by chance. */
export const RETRY_MAX_MS = 2000;

/** Whom to dial, and as whom. */
export interface DialOptions {
  readonly node: NodeId;
  readonly address: string;
  readonly self: Introduction;
  /** The cluster id, 32 hex digits. */
  readonly cluster: string;
  /** The keys that may be ours, the likelier one first: the next try takes the next one. */
  readonly keys: readonly Uint8Array[];
}

/** What a dialer tells. */
export interface DialEvents {
  onOpen(): void;
  onFrame(stream: number, bytes: Uint8Array): void;
  onClose(why: SessionEnd): void;
}

/** Keeps one session to one member up. */
export class Dialer {
  readonly address: string;
  readonly #ports: SessionPorts;
  readonly #options: DialOptions;
  #keys: readonly Uint8Array[];
  readonly #events: DialEvents;
  readonly #timer: TimerHandle;
  #session: PeerSession | null = null;
  /** The key of the newest try. */
  #psk: Uint8Array | null = null;
  #failures = 0;
  #closed = false;

  constructor(ports: SessionPorts, options: DialOptions, events: DialEvents) {
    this.address = options.address;
    this.#ports = ports;
    this.#options = options;
    this.#keys = options.keys;
    this.#events = events;
    this.#timer = ports.clock.timer(() => this.#dial());
    this.#timer.set(ports.clock.now());
  }

  /** The session, while it is open. */
  get open(): PeerSession | null {
    return this.#session?.isOpen ? this.#session : null;
  }

  /** The member was just seen alive: no need to wait for the next try. */
  nudge(): void {
    if (!this.#closed && this.#session === null) this.#timer.set(this.#ports.clock.now());
  }

  /** From now on these are the keys. A session that another one than the first opened is made anew. */
  setKeys(keys: readonly Uint8Array[]): void {
    this.#keys = keys;
    const [first, used] = [keys[0], this.#psk];
    if (this.#closed || this.#session === null) return;
    if (first !== undefined && used !== null && equalSecrets(first, used)) return;
    this.#session.close("rekeyed");
    this.#failures = 0;
    this.nudge();
  }

  /** Stops for good; nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#timer.set(NEVER);
    this.#session?.close("ended");
  }

  #dial(): void {
    if (this.#closed || this.#session !== null) return;
    this.#timer.set(NEVER);
    const { node, address, self, cluster } = this.#options;
    const psk = this.#keys[this.#failures % this.#keys.length];
    assert(psk !== undefined, "There is a key");
    this.#psk = psk;
    const { tcp, clock, random } = this.#ports;
    const secret = random.bytes(KEY_BYTES);
    const session = new PeerSession(
      { role: "initiator", mode: "member", id: cluster, psk, self, secret },
      clock,
      {
        onOpen: ({ peer }) => {
          if (peer.node === node) this.#events.onOpen();
          else session.close("stranger");
        },
        onFrame: (stream, bytes) => this.#events.onFrame(stream, bytes),
        onClose: (why, openedAt) => this.#onClose(why, openedAt),
      },
    );
    this.#session = session;
    session.attach(tcp.connect(address, session));
  }

  #onClose(why: SessionEnd, openedAt: Instant | null): void {
    this.#session = null;
    if (this.#closed) return;
    const { clock, random } = this.#ports;
    const now = clock.now();
    // One that ended soon after it opened is as good as a failed try.
    if (openedAt !== null && now >= after(openedAt, RETRY_MAX_MS)) this.#failures = 0;
    const pause = Math.min(RETRY_MIN_MS * 2 ** Math.min(this.#failures, 16), RETRY_MAX_MS);
    this.#failures++;
    this.#timer.set(after(now, pause * (1 + (random.bytes(1)[0] ?? 0) / 1024)));
    this.#events.onClose(why);
  }
}
