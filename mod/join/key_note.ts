/**
 * How far the renewal of the cluster's key is: a file of the replicated tree, and what each node says
 * of itself in a file beside it. Pure.
 *
 * `offer`: here is the next key, keep it and open with it too. `use`: everybody has it, seal with it.
 * `done`: everybody seals with it, forget any other. The next key stands in the file only while it is
 * not done, sealed under the one before.
 *
 * @module
 */
import { decodeText, encodeText, fromHex, toHex } from "../base/bytes.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import { type KeyRing, keysOf } from "../base/key_ring.ts";
import { deriveKey, KEY_BYTES, NONCE_BYTES, open, seal, TAG_BYTES } from "../base/seal.ts";

/** Private, as all below `priv`. */
export const KEY_FILE = "priv/cluster-key";
/** Longer files are none of ours. */
const NOTE_BYTES_MAX = 1024;
const SEALED_DIGITS = 2 * (NONCE_BYTES + KEY_BYTES + TAG_BYTES);
const ID_BYTES = 8;
const FORM = 1;

export type KeyStage = "offer" | "use" | "done";

/** The file's content. */
export interface KeyNote {
  readonly stage: KeyStage;
  /** Of the key that is offered, used, or alone: {@link keyId}. */
  readonly id: string;
  /** Nonce and sealed key in hex; "" where it is done. */
  readonly sealed: string;
}

/** Where a node says that it did what the note says. */
export function ackFile(node: number): string {
  return `${KEY_FILE}.${node}`;
}

/** What it says there. */
export function ackText({ id, stage }: KeyNote): string {
  return `${id} ${stage}\n`;
}

/** Names a key, and tells nothing of it: 16 hex digits. */
export function keyId(key: Uint8Array): string {
  return toHex(deriveKey(key, "pentad key id").subarray(0, ID_BYTES));
}

/** The content of the file as a note, or null. */
export function readNote(data: Uint8Array | null): KeyNote | null {
  if (data === null || data.length > NOTE_BYTES_MAX) return null;
  try {
    const { form, stage, id, sealed } = JSON.parse(decodeText(data) ?? "") as Record<
      string,
      unknown
    >;
    if (form !== FORM || typeof id !== "string" || !/^[0-9a-f]{16}$/.test(id)) return null;
    if (stage === "done") return { stage, id, sealed: "" };
    if (stage !== "offer" && stage !== "use") return null;
    if (typeof sealed !== "string" || sealed.length !== SEALED_DIGITS) return null;
    return fromHex(sealed) === null ? null : { stage, id, sealed };
  } catch {
    return null;
  }
}

export function printNote(note: KeyNote): Uint8Array {
  return encodeText(`${JSON.stringify({ form: FORM, ...note })}\n`);
}

/** The note that offers `next` to whoever has `now`. `nonce`: 12 bytes that were never used before. */
export function offerOf(next: Uint8Array, now: Uint8Array, nonce: Uint8Array): KeyNote {
  const id = keyId(next);
  const sealed = seal({ key: wrapKey(now), nonce, clear: encodeText(id) }, next);
  return { stage: "offer", id, sealed: toHex(nonce) + toHex(sealed) };
}

/** Nothing is under way: this key is alone. */
export function doneNote(id: string): KeyNote {
  return { stage: "done", id, sealed: "" };
}

/** What follows a note, once every member did what it says. */
export function noteAfter(note: KeyNote): KeyNote {
  return note.stage === "offer" ? { ...note, stage: "use" } : doneNote(note.id);
}

/** Members that have not said yet that they did what a note says. */
export function waitingFor(
  note: KeyNote,
  spec: ClusterSpec,
  read: (path: string) => Uint8Array | null,
): readonly string[] {
  const said = (id: number) => decodeText(read(ackFile(id)) ?? new Uint8Array(0));
  return spec.members.filter(({ id }) => said(id) !== ackText(note)).map(({ name }) => name);
}

/** The key in a note, if `under` is the one that it was sealed under. */
function openNote({ id, sealed }: KeyNote, under: Uint8Array): Uint8Array | null {
  const bytes = fromHex(sealed);
  if (bytes === null || bytes.length < NONCE_BYTES) return null;
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const key = wrapKey(under);
  const next = open({ key, nonce, clear: encodeText(id) }, bytes.subarray(NONCE_BYTES));
  return next !== null && next.length === KEY_BYTES && keyId(next) === id ? next : null;
}

/**
 * The keys that a node with `ring` should have by this note; null where none of its keys fits: it was
 * away while the key was renewed without it.
 */
export function ringFor(note: KeyNote, ring: KeyRing): KeyRing | null {
  const { id, stage } = note;
  const [first, second = null] = keysOf(ring);
  if (first === undefined) return null;
  // It moved on already.
  if (keyId(first) === id) return stage === "done" ? { clusterKey: first } : ring;
  const isNext = second !== null && keyId(second) === id;
  const [old, next] = isNext ? [first, second] : opened(note, ring);
  if (old === null || next === null) return null;
  if (stage === "offer") return { clusterKey: old, otherKey: next };
  if (stage === "use") return { clusterKey: next, otherKey: old };
  return { clusterKey: next };
}

function opened(
  note: KeyNote,
  ring: KeyRing,
): readonly [Uint8Array, Uint8Array] | readonly [null, null] {
  for (const old of keysOf(ring)) {
    const next = openNote(note, old);
    if (next !== null) return [old, next];
  }
  return [null, null];
}

function wrapKey(key: Uint8Array): Uint8Array {
  return deriveKey(key, "pentad key renewal");
}
