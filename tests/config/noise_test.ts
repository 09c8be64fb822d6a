import assert from "node:assert/strict";
import { concat } from "../../mod/base/bytes.ts";
import { Handshake, MESSAGE_OVERHEAD_BYTES } from "../../mod/config/noise.ts";
import { KEY, SECRETS } from "./channels.ts";

const PROLOGUE = Uint8Array.of(1, 2, 3);
const TEXT = Uint8Array.of(9, 8, 7);

function ends(psk = KEY, prologue = PROLOGUE) {
  return {
    initiator: new Handshake({ psk: KEY, prologue: PROLOGUE, secret: SECRETS[0] }),
    responder: new Handshake({ psk, prologue, secret: SECRETS[1] }),
  };
}

Deno.test("Handshake carries a payload each way and leaves both ends with the same two keys", () => {
  const { initiator, responder } = ends();
  const first = initiator.write(TEXT);
  assert.ok(first !== null && first.length === MESSAGE_OVERHEAD_BYTES + TEXT.length);
  assert.deepEqual(responder.read(first), TEXT);
  const second = responder.write(PROLOGUE);
  assert.ok(second !== null);
  assert.deepEqual(initiator.read(second), PROLOGUE);
  const [one, other] = [initiator.split(), responder.split()];
  const there = one.toResponder.seal(TEXT);
  assert.deepEqual(other.toResponder.open(there), TEXT);
  const back = other.toInitiator.seal(TEXT);
  assert.deepEqual(one.toInitiator.open(back), TEXT);
  assert.notDeepEqual(there, back, "one key for each direction");
  assert.notDeepEqual(one.toResponder.seal(TEXT), there, "no nonce twice");
  assert.equal(other.toResponder.open(there), null, "no frame twice");
});

Deno.test("Handshake needs the same key and the same prologue at both ends", () => {
  for (const { initiator, responder } of [ends(SECRETS[0]), ends(KEY, TEXT)]) {
    const first = initiator.write(TEXT);
    assert.ok(first !== null);
    assert.equal(responder.read(first), null);
  }
});

Deno.test("Handshake does not agree on a secret with a public key of small order", () => {
  // Points whose product with any secret is zero (RFC 7748 section 6.1): 0 and 1.
  for (const low of [0, 1]) {
    const { initiator, responder } = ends();
    const first = initiator.write(TEXT);
    assert.ok(first !== null && responder.read(first) !== null);
    const point = new Uint8Array(32);
    point[0] = low;
    assert.equal(initiator.read(concat(point, new Uint8Array(16))), null);
  }
});

Deno.test("Handshake reads nothing that is too short", () => {
  for (let length = 0; length < MESSAGE_OVERHEAD_BYTES; length++) {
    assert.equal(ends().responder.read(new Uint8Array(length)), null);
  }
});

Deno.test("Handshake leaves no two sessions the same keys, though they begin with the same one", () => {
  const [mine, theirs] = [SECRETS[0], SECRETS[1]];
  assert.ok(mine !== undefined && theirs !== undefined);
  const flipped = mine.map((byte) => byte ^ 0x40);
  const sessions = [[mine, theirs], [flipped, theirs], [mine, flipped]] as const;
  const begin = ([one, other]: typeof sessions[number]) => {
    const initiator = new Handshake({ psk: KEY, prologue: PROLOGUE, secret: one });
    const responder = new Handshake({ psk: KEY, prologue: PROLOGUE, secret: other });
    assert.ok(responder.read(initiator.write(TEXT) ?? TEXT) !== null);
    assert.ok(initiator.read(responder.write(TEXT) ?? TEXT) !== null);
    return { there: initiator.split(), here: responder.split() };
  };
  for (const one of sessions) {
    for (const other of sessions) {
      const sealed = begin(one).there.toResponder.seal(TEXT);
      const opened = begin(other).here.toResponder.open(sealed);
      assert.deepEqual(opened, one === other ? TEXT : null);
    }
  }
});
