/**
 * One sealed connection between two nodes, or between a member and a machine that joins: handshake
 * and framing as a pure state machine. Bytes in, {@link ChannelOutput}s out; no I/O, no time.
 *
 * ```
 * every message   u32 length, body
 * initiator  →    mode u8, id 16 bytes, Noise message 1 (introduction)
 * responder  ←    Noise message 2 (introduction)
 * initiator  →    an empty frame: the proof that it is not a replay
 * both            sealed frames: stream u8, payload
 * ```
 *
 * Mode and id are in clear, for they name the key; both are bound into the transcript, as are the
 * roles. Before the other end is authenticated only messages of the one right length are read.
 * Any violation closes the channel with its {@link ChannelFault}; nothing throws on hostile bytes.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { concat, encodeText, fromHex, Reader, toHex, Writer } from "../base/bytes.ts";
import type { BootId } from "../base/id.ts";
import { decode, encode, hex, struct, u16 } from "../base/schema.ts";
import { deriveKey, TAG_BYTES } from "../base/seal.ts";
import { type CipherState, type Directions, Handshake, MESSAGE_OVERHEAD_BYTES } from "./noise.ts";

/** Version of handshake and framing; a node refuses any other. */
export const PEER_VERSION = 4;
/** Longest payload of one frame. */
export const FRAME_BYTES_MAX = 2 * 1024 * 1024;
/** Stream byte of frames that carry nothing: the first one, and those that show life. */
export const STREAM_ALIVE = 0;
/** Stream bytes of payload, by mode. */
export const STREAMS_OF_MODE = { member: [2, 3], join: [5] } as const satisfies Readonly<
  Record<ChannelMode, readonly number[]>
>;

/** Who speaks: a member of the cluster, or a machine that holds a ticket. */
export type ChannelMode = "member" | "join";

/** Why a channel was given up. `refused`: nobody here knows the key that was named. */
export type ChannelFault =
  | "refused"
  | "malformed"
  | "oversized"
  | "unsealed"
  | "version"
  | "wrong-stream";

/** What each end says of itself. `node` is 0 for a machine that has no number yet. */
export interface Introduction {
  readonly node: number;
  readonly boot: BootId;
}

/** What the owner of a channel must do, in order. */
export type ChannelOutput =
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  /** The other end is authenticated. `id`: cluster id or ticket id, 32 hex digits. */
  | {
    readonly kind: "open";
    readonly mode: ChannelMode;
    readonly id: string;
    readonly peer: Introduction;
    /** The key that both have. */
    readonly psk: Uint8Array;
  }
  | { readonly kind: "frame"; readonly stream: number; readonly bytes: Uint8Array }
  /** The last output there is. */
  | { readonly kind: "close"; readonly why: ChannelFault };

/** Finds the keys of what an initiator named, the likeliest first; none: it is refused. */
export type KeyLookup = (mode: ChannelMode, id: string) => readonly Uint8Array[];

/** What a channel is made with; `secret` is 32 random bytes. */
export type ChannelOptions =
  & { readonly self: Introduction; readonly secret: Uint8Array }
  & (
    | {
      readonly role: "initiator";
      readonly mode: ChannelMode;
      readonly id: string;
      readonly psk: Uint8Array;
    }
    | { readonly role: "responder"; readonly lookup: KeyLookup }
  );

const MODES: readonly ChannelMode[] = ["member", "join"];
const PROLOGUE = encodeText("pentad peer channel");
const INTRODUCTION = struct({ version: u16, node: u16, boot: hex(8) });
const INTRODUCTION_BYTES = 12;
const LENGTH_BYTES = 4;
const NOTHING = new Uint8Array(0);
const NAMED_BYTES = 17;
const HELLO_BYTES = NAMED_BYTES + MESSAGE_OVERHEAD_BYTES + INTRODUCTION_BYTES;
const ANSWER_BYTES = MESSAGE_OVERHEAD_BYTES + INTRODUCTION_BYTES;
/** A sealed frame: the stream byte, the payload, the tag. */
const SEALED_BYTES_MIN = 1 + TAG_BYTES;
const SEALED_BYTES_MAX = SEALED_BYTES_MIN + FRAME_BYTES_MAX;

/** The key that every member of a cluster has for this channel. */
export function peerKey(clusterKey: Uint8Array): Uint8Array {
  return deriveKey(clusterKey, "pentad peer");
}

type State = "new" | "hello" | "answer" | "proof" | "open" | "closed";

/** One end of a connection. */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #header = new Uint8Array(LENGTH_BYTES);
  #state: State;
  /** Bytes of the body that comes; null while the header does. */
  #length: number | null = null;
  /** Where a body that comes in pieces is put together. */
  #body: Uint8Array | null = null;
  #filled = 0;
  #handshake: Handshake | null = null;
  #sending: CipherState | null = null;
  #receiving: CipherState | null = null;
  #opening: Extract<ChannelOutput, { kind: "open" }> | null = null;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#state = options.role === "initiator" ? "new" : "hello";
  }

  /** True from the `open` output on, until the `close` output. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** The initiator's first message; call it once, when the connection stands. */
  start(): ChannelOutput[] {
    const options = this.#options;
    assert(options.role === "initiator" && this.#state === "new", "An initiator starts once");
    const named = nameKey(options.mode, options.id);
    this.#handshake = handshakeOf(options.psk, named, options.secret);
    const message = this.#handshake.write(introduce(options.self));
    assert(message !== null, "The first message agrees on nothing yet");
    this.#state = "answer";
    return [{ kind: "write", bytes: withLength(concat(named, message)) }];
  }

  /** Takes bytes as they come from the connection. */
  receive(bytes: Uint8Array): ChannelOutput[] {
    const out: ChannelOutput[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== "closed") {
      at += this.#length === null
        ? this.#takeHeader(bytes, at, out)
        : this.#takeBody(bytes, at, { length: this.#length, out });
    }
    return out;
  }

  /** The bytes of one frame for the connection. The channel is open and the payload fits. */
  seal(stream: number, payload: Uint8Array): Uint8Array {
    assert(this.#state === "open" && this.#sending !== null, "Frames go over an open channel");
    assert(payload.length <= FRAME_BYTES_MAX, `A payload of ${payload.length} bytes fits a frame`);
    const plain = new Uint8Array(1 + payload.length);
    plain[0] = stream;
    plain.set(payload, 1);
    return headed(this.#sending.seal(plain, NOTHING, LENGTH_BYTES));
  }

  /** Moves bytes into the header; returns how many it took. */
  #takeHeader(bytes: Uint8Array, from: number, out: ChannelOutput[]): number {
    let at = from;
    while (this.#filled < LENGTH_BYTES && at < bytes.length) {
      this.#header[this.#filled++] = bytes[at++] as number;
    }
    if (this.#filled === LENGTH_BYTES) {
      this.#filled = 0;
      this.#beginBody(out);
    }
    return at - from;
  }

  /** Takes what is there of a body; one that comes whole is read where it lies. */
  #takeBody(
    bytes: Uint8Array,
    from: number,
    { length, out }: { length: number; out: ChannelOutput[] },
  ): number {
    const taken = bytes.subarray(from, from + length - this.#filled);
    let body = taken;
    if (taken.length < length) {
      body = this.#body ??= new Uint8Array(length);
      body.set(taken, this.#filled);
      this.#filled += taken.length;
      if (this.#filled < length) return taken.length;
    }
    this.#filled = 0;
    this.#body = null;
    this.#length = null;
    this.#onMessage(body, out);
    return taken.length;
  }

  /** Nothing is set aside for a length that cannot be right at this point. */
  #beginBody(out: ChannelOutput[]): void {
    const length = new Reader(this.#header).u32();
    const { min, max } = this.#bounds();
    if (length > max) return this.#close("oversized", out);
    if (length < min) return this.#close("malformed", out);
    this.#length = length;
  }

  #bounds(): { min: number; max: number } {
    switch (this.#state) {
      case "hello":
        return { min: HELLO_BYTES, max: HELLO_BYTES };
      case "answer":
        return { min: ANSWER_BYTES, max: ANSWER_BYTES };
      case "proof":
        return { min: SEALED_BYTES_MIN, max: SEALED_BYTES_MIN };
      case "open":
        return { min: SEALED_BYTES_MIN, max: SEALED_BYTES_MAX };
      case "new":
      case "closed":
        // Bytes before our own first message are as wrong as any.
        return { min: 0, max: -1 };
    }
  }

  #onMessage(body: Uint8Array, out: ChannelOutput[]): void {
    if (this.#state === "hello") this.#onHello(body, out);
    else if (this.#state === "answer") this.#onAnswer(body, out);
    else this.#onFrame(body, out);
  }

  #onHello(body: Uint8Array, out: ChannelOutput[]): void {
    const options = this.#options;
    assert(options.role === "responder", "Only a responder waits for a hello");
    const named = body.subarray(0, NAMED_BYTES);
    const mode = MODES[named[0] ?? 0xff];
    if (mode === undefined) return this.#close("malformed", out);
    const id = toHex(named.subarray(1));
    const keys = options.lookup(mode, id);
    if (keys.length === 0) return this.#close("refused", out);
    const met = readWith(keys, (psk) => handshakeOf(psk, named, options.secret), body);
    const peer = this.#meet(met?.payload ?? null, out);
    if (met === null || peer === null) return;
    const { handshake, psk } = met;
    // A member has a number, and whoever joins has none yet.
    if ((peer.node === 0) !== (mode === "join")) return this.#close("malformed", out);
    const answer = handshake.write(introduce(options.self));
    if (answer === null) return this.#close("malformed", out);
    this.#turn(handshake.split());
    this.#opening = { kind: "open", mode, id, peer, psk };
    this.#state = "proof";
    out.push({ kind: "write", bytes: withLength(answer) });
  }

  #onAnswer(body: Uint8Array, out: ChannelOutput[]): void {
    const { mode, id, psk } = this.#options as Extract<ChannelOptions, { role: "initiator" }>;
    assert(this.#handshake !== null, "An answer follows a hello");
    const peer = this.#meet(this.#handshake.read(body), out);
    if (peer === null) return;
    if (peer.node === 0) return this.#close("malformed", out);
    this.#turn(this.#handshake.split());
    this.#state = "open";
    const proof = this.seal(STREAM_ALIVE, new Uint8Array(0));
    out.push({ kind: "write", bytes: proof }, { kind: "open", mode, id, peer, psk });
  }

  #onFrame(body: Uint8Array, out: ChannelOutput[]): void {
    const plain = this.#receiving?.open(body) ?? null;
    const stream = plain?.[0];
    if (plain === null || stream === undefined) return this.#close("unsealed", out);
    if (this.#state === "proof") {
      assert(this.#opening !== null, "A proof follows a hello");
      if (stream !== STREAM_ALIVE) return this.#close("wrong-stream", out);
      this.#state = "open";
      out.push(this.#opening);
      return;
    }
    if (stream === STREAM_ALIVE && plain.length === 1) return;
    const allowed: readonly number[] = STREAMS_OF_MODE[this.#mode()];
    if (!allowed.includes(stream)) return this.#close("wrong-stream", out);
    out.push({ kind: "frame", stream, bytes: plain.subarray(1) });
  }

  #mode(): ChannelMode {
    if (this.#options.role === "initiator") return this.#options.mode;
    assert(this.#opening !== null, "A responder learns the mode from the hello");
    return this.#opening.mode;
  }

  /** The other's introduction out of an opened payload; null closes the channel. */
  #meet(payload: Uint8Array | null, out: ChannelOutput[]): Introduction | null {
    const read = payload && decode(INTRODUCTION, payload);
    if (payload === null) this.#close("unsealed", out);
    else if (read === null) this.#close("malformed", out);
    else if (read.version !== PEER_VERSION) this.#close("version", out);
    else return { node: read.node, boot: read.boot as BootId };
    return null;
  }

  #turn({ toInitiator, toResponder }: Directions): void {
    const initiator = this.#options.role === "initiator";
    this.#sending = initiator ? toResponder : toInitiator;
    this.#receiving = initiator ? toInitiator : toResponder;
  }

  #close(why: ChannelFault, out: ChannelOutput[]): void {
    this.#state = "closed";
    this.#body = null;
    out.push({ kind: "close", why });
  }
}

/** A hello opened with the first of these keys that fits; null: none does. */
function readWith(
  keys: readonly Uint8Array[],
  begin: (psk: Uint8Array) => Handshake,
  body: Uint8Array,
):
  | { readonly handshake: Handshake; readonly payload: Uint8Array; readonly psk: Uint8Array }
  | null {
  for (const psk of keys) {
    const handshake = begin(psk);
    const payload = handshake.read(body.subarray(NAMED_BYTES));
    if (payload !== null) return { handshake, payload, psk };
  }
  return null;
}

function handshakeOf(psk: Uint8Array, named: Uint8Array, secret: Uint8Array): Handshake {
  return new Handshake({ psk, prologue: concat(PROLOGUE, named), secret });
}

function nameKey(mode: ChannelMode, id: string): Uint8Array {
  const bytes = fromHex(id);
  assert(bytes?.length === NAMED_BYTES - 1, `Id "${id}" is 32 hex digits`);
  return concat(Uint8Array.of(MODES.indexOf(mode)), bytes);
}

function introduce({ node, boot }: Introduction): Uint8Array {
  return encode(INTRODUCTION, { version: PEER_VERSION, node, boot });
}

function withLength(body: Uint8Array): Uint8Array {
  return new Writer(LENGTH_BYTES + body.length).u32(body.length).bytes(body).finish();
}

/** Writes the length of a body into the room that was left before it. */
function headed(message: Uint8Array): Uint8Array {
  let rest = message.length - LENGTH_BYTES;
  for (let at = LENGTH_BYTES - 1; at >= 0; at--) {
    message[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return message;
}
