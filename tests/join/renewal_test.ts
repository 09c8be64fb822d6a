/** What a node's keys should be at each stage of their renewal, from every state that it may be in. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText } from "../../mod/base/bytes.ts";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { type KeyRing, sameRing } from "../../mod/base/key_ring.ts";
import { instant } from "../../mod/base/time.ts";
import {
  ackFile,
  doneNote,
  KEY_FILE,
  keyId,
  type KeyNote,
  noteAfter,
  offerOf,
  printNote,
  readNote,
  ringFor,
} from "../../mod/join/mod.ts";
import { Renewal } from "../../mod/join/renewal.ts";
import type { JoinEffect } from "../../mod/join/mod.ts";
import type { Change } from "../../mod/streams.ts";

const [OLD, NEW, OTHER] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const OFFER = offerOf(NEW, OLD, new Uint8Array(12));
const USE = noteAfter(OFFER);
const DONE = noteAfter(USE);
const T0 = instant(0);

Deno.test("ringFor() says what to seal and to open with, from every state that a node may be in", () => {
  const ring = (clusterKey: Uint8Array, otherKey: Uint8Array | null = null) => ({
    clusterKey,
    otherKey,
  });
  const table: readonly (readonly [string, KeyNote, KeyRing, KeyRing | null])[] = [
    ["it is offered", OFFER, ring(OLD), ring(OLD, NEW)],
    ["offered and known", OFFER, ring(OLD, NEW), ring(OLD, NEW)],
    ["offered to who is further", OFFER, ring(NEW, OLD), ring(NEW, OLD)],
    ["used after the offer", USE, ring(OLD, NEW), ring(NEW, OLD)],
    ["used, and it was let in with the old one", USE, ring(OLD), ring(NEW, OLD)],
    ["used, and it was let in with the new one", USE, ring(NEW), ring(NEW)],
    ["done after use", DONE, ring(NEW, OLD), ring(NEW)],
    ["done, and it was away since the offer", DONE, ring(OLD, NEW), ring(NEW)],
    ["done, and it is", DONE, ring(NEW), ring(NEW)],
    ["the offer was taken back", doneNote(keyId(OLD)), ring(OLD, NEW), ring(OLD)],
    ["done without it", DONE, ring(OLD), null],
    ["offered under a key that it has not", OFFER, ring(OTHER), null],
    ["a new offer amid an old renewal", OFFER, ring(OTHER, OLD), ring(OLD, NEW)],
  ];
  for (const [what, note, has, wanted] of table) {
    const got = ringFor(note, has);
    assert.ok(got === null ? wanted === null : wanted !== null && sameRing(got, wanted), what);
    // Doing it twice is doing it once.
    if (got !== null) assert.ok(sameRing(ringFor(note, got) ?? ring(OTHER), got), what);
  }
});

Deno.test("two nodes at most one stage apart always open what the other seals", () => {
  const stages = [null, OFFER, USE, DONE];
  const states = stages.map((note): KeyRing =>
    note === null
      ? { clusterKey: OLD }
      : note === DONE
      ? { clusterKey: NEW }
      : ringFor(note, { clusterKey: OLD }) ?? assert.fail()
  );
  for (let at = 0; at + 1 < states.length; at++) {
    const pair = [states[at], states[at + 1]] as const;
    for (const [a, b] of [pair, [pair[1], pair[0]]] as const) {
      assert.ok(a !== undefined && b !== undefined);
      const opens = [b.clusterKey, b.otherKey ?? b.clusterKey].map(keyId);
      assert.ok(opens.includes(keyId(a.clusterKey)), `${at}`);
    }
  }
});

Deno.test("a note survives its text, and damaged ones are none and never throw", () => {
  for (const note of [OFFER, USE, DONE]) assert.deepEqual(readNote(printNote(note)), note);
  assert.ok(!printNote(DONE).toString().includes(OFFER.sealed), "nothing is left of the key");
  for (const bad of ["", "{", "null", "[]", '{"form":2}', '{"form":1,"stage":"offer","id":"x"}']) {
    assert.equal(readNote(encodeText(bad)), null);
  }
  assert.equal(readNote(new Uint8Array(2000).fill(0x20)), null);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    readNote(bytes);
  }));
  const whole = printNote(OFFER);
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
    const damaged = whole.slice();
    damaged[at % damaged.length] = byte;
    const note = readNote(damaged);
    const ring = note && ringFor(note, { clusterKey: OLD });
    // Whatever was turned: no other key than the offered one comes of it.
    const got = ring === null ? [] : [ring.clusterKey, ring.otherKey ?? OLD].map(keyId);
    assert.ok(got.every((id) => [keyId(OLD), keyId(NEW)].includes(id)));
  }));
});

class Node {
  readonly renewal = new Renewal({ clusterKey: OLD, otherKey: null }, {
    ...{ self: nodeId(7), boot: bootId("0123456789abcdef") },
    ...{ name: () => "nodeG", time: () => 1 },
  });

  applied(note: KeyNote, now = T0): JoinEffect[] {
    return this.file(KEY_FILE, printNote(note), now);
  }

  file(path: string, data: Uint8Array, now = T0): JoinEffect[] {
    const change: Change = { path, kind: "file", version: 5, data, writer: nodeId(1) };
    const fact = { fact: "config.applied", index: 5, whole: false, changes: [change] } as const;
    return this.renewal.onApplied(fact, now);
  }
}

function kinds(effects: readonly JoinEffect[]): string[] {
  return effects.map((effect) => effect.kind === "tell" ? effect.fact.fact : effect.kind);
}

Deno.test("Renewal stores first, then uses, then says so; and what failed is tried again", () => {
  const node = new Node();
  assert.deepEqual(kinds(node.applied(OFFER)), ["store-keys"]);
  assert.ok(sameRing(node.renewal.ring, { clusterKey: OLD }), "not before it is durable");
  assert.deepEqual(kinds(node.renewal.onStored(false, T0)), []);
  assert.equal(node.renewal.deadline(), 1000);
  assert.deepEqual(kinds(node.renewal.onTick(instant(999))), []);
  assert.deepEqual(kinds(node.renewal.onTick(instant(1000))), ["store-keys"]);
  const stored = node.renewal.onStored(true, instant(1001));
  assert.deepEqual(kinds(stored), ["join.keys", "say", "ask"]);
  assert.ok(!JSON.stringify(stored.slice(1)).includes("0202020202"), "no key is said");

  const word = stored.at(-1);
  assert.ok(word?.kind === "ask" && word.request.request === "config.propose");
  const { tag, transaction } = word.request;
  assert.deepEqual(transaction.expect, [{ path: ackFile(7), version: 0 }]);
  const problem = { code: "config.no-quorum", why: "" } as const;
  assert.ok(node.renewal.onOutcome(tag, { ok: false, problem }, instant(1002)));
  assert.deepEqual(kinds(node.renewal.onTick(instant(2002))), ["ask"]);
  assert.deepEqual(kinds(node.file(ackFile(7), encodeText(`${OFFER.id} offer\n`))), []);
  assert.equal(node.renewal.deadline(), Infinity, "nothing is left to do");
  assert.deepEqual(kinds(node.applied(USE)), ["store-keys"]);
});

Deno.test("Renewal says once that the key was renewed without this node, and keeps what it has", () => {
  const node = new Node();
  assert.deepEqual(kinds(node.applied(DONE)), ["say"]);
  assert.deepEqual(kinds(node.applied(DONE)), []);
  assert.ok(sameRing(node.renewal.ring, { clusterKey: OLD }));
});
