/**
 * This node's part in the renewal of the cluster's key: it reads how far that is, makes its keys fit,
 * durably, and only then says that it did. Nothing here decides when the next stage comes; that is
 * whoever renews, once everybody has said so.
 *
 * @module
 */
import { decodeText, encodeText, toHex } from "../base/bytes.ts";
import { type BootId, type NodeId, requestId } from "../base/id.ts";
import { type KeyRing, sameRing } from "../base/key_ring.ts";
import { reason } from "../base/reason.ts";
import { sha256 } from "../base/seal.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { Fact, Operation, Outcome, Tag, Transaction } from "../streams.ts";
import type { JoinEffect } from "./events.ts";
import { ackFile, ackText, KEY_FILE, keyId, type KeyNote, readNote, ringFor } from "./key_note.ts";

/** Between two tries of what failed. */
const RETRY_MS = 1000;

/** Who a node is, as its transactions say it. */
export interface Signer {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly name: () => string;
  /** Seconds since 1970. */
  readonly time: () => number;
}

/** See the module's note. */
export class Renewal {
  readonly #signer: Signer;
  #ring: KeyRing;
  #note: KeyNote | null = null;
  #said: { readonly text: string; readonly version: number } = { text: "", version: 0 };
  #applied = 0;
  /** What is being made durable. */
  #storing: KeyRing | null = null;
  /** Our word on its way. */
  #tag: Tag | null = null;
  #tries = 0;
  #retryAt: Instant = NEVER;
  /** The note that none of our keys fits. */
  #strange = "";

  constructor(ring: KeyRing, signer: Signer) {
    this.#ring = ring;
    this.#signer = signer;
  }

  get ring(): KeyRing {
    return this.#ring;
  }

  deadline(): Instant {
    return this.#retryAt;
  }

  /** The tree changed, or was read as a whole. */
  onApplied(fact: Extract<Fact, { fact: "config.applied" }>, now: Instant): JoinEffect[] {
    const { changes, whole, index } = fact;
    this.#applied = index;
    const own = ackFile(this.#signer.self);
    let touched = whole;
    if (whole) {
      this.#note = null;
      this.#said = { text: "", version: 0 };
    }
    for (const { path, data, kind, version } of changes) {
      if (path === KEY_FILE) this.#note = readNote(data);
      else if (path === own) {
        this.#said = {
          text: decodeText(data ?? EMPTY) ?? "",
          version: kind === "file" ? version : 0,
        };
      } else continue;
      touched = true;
    }
    return touched ? this.#settle(now) : [];
  }

  /** What was to be made durable is, or could not be made so. */
  onStored(ok: boolean, now: Instant): JoinEffect[] {
    const ring = this.#storing;
    this.#storing = null;
    if (ring === null) return [];
    if (!ok) {
      this.#retryAt = after(now, RETRY_MS);
      return [];
    }
    this.#ring = ring;
    const id = keyId(ring.clusterKey);
    const because = reason("join.key", { id });
    const other = ring.otherKey ? `, also=${keyId(ring.otherKey)}` : "";
    const text = `key=${id}${other}`;
    return [
      { kind: "tell", fact: { fact: "join.keys", keys: ring } },
      { kind: "say", saying: { stream: "join", text, routine: false, because } },
      ...this.#settle(now),
    ];
  }

  /** What became of our word; true where it was ours. */
  onOutcome(tag: Tag, outcome: Outcome, now: Instant): boolean {
    if (tag !== this.#tag) return false;
    this.#tag = null;
    // What is committed is applied here before this is told, so there is nothing more to say then.
    if (!outcome.ok) this.#retryAt = after(now, RETRY_MS);
    return true;
  }

  onTick(now: Instant): JoinEffect[] {
    return now >= this.#retryAt ? this.#settle(now) : [];
  }

  /** One step nearer to what the note says. */
  #settle(now: Instant): JoinEffect[] {
    this.#retryAt = NEVER;
    const note = this.#note;
    if (note === null || this.#storing !== null) return [];
    const wanted = ringFor(note, this.#ring);
    if (wanted === null) return this.#complain(note);
    if (!sameRing(wanted, this.#ring)) {
      this.#storing = wanted;
      return [{ kind: "store-keys", keys: wanted }];
    }
    if (note.stage === "done" || this.#said.text === ackText(note)) return [];
    if (this.#tag !== null) {
      this.#retryAt = after(now, RETRY_MS);
      return [];
    }
    return [this.#word(note)];
  }

  /** Once for each note: it is nobody's fault that passes by itself. */
  #complain(note: KeyNote): JoinEffect[] {
    if (this.#strange === note.id) return [];
    this.#strange = note.id;
    const because = reason("join.key-strange", { id: note.id });
    const text = `key=${keyId(this.#ring.clusterKey)}, the cluster's is ${note.id}`;
    return [{ kind: "say", saying: { stream: "join", text, routine: false, because } }];
  }

  #word(note: KeyNote): JoinEffect {
    const { self, boot, name, time } = this.#signer;
    const [path, data] = [ackFile(self), encodeText(ackText(note))];
    const { version } = this.#said;
    const tag = `join:key:${++this.#tries}`;
    this.#tag = tag;
    const first: Operation = version === 0
      ? { op: "create", path }
      : { op: "truncate", path, size: 0 };
    const id = sha256(encodeText(`${boot} ${self} ${tag} ${note.id} ${note.stage}`));
    const transaction: Transaction = {
      request: requestId(toHex(id.subarray(0, 8))),
      base: this.#applied,
      expect: [{ path, version }],
      operations: [first, { op: "write", path, offset: 0, data }],
      author: `join@${name()}`,
      reason: `key ${note.id}: ${note.stage}`,
      time: time(),
    };
    return { kind: "ask", request: { request: "config.propose", tag, transaction } };
  }
}

const EMPTY = new Uint8Array(0);
