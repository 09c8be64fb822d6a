/** The sealed channel: what hostile, damaged and repeated bytes can do to it, which is to end it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, Writer } from "../../mod/base/bytes.ts";
import {
  Channel,
  type ChannelOptions,
  type ChannelOutput,
  FRAME_BYTES_MAX,
  type KeyLookup,
  PEER_VERSION,
  STREAM_ALIVE,
} from "../../mod/config/channel.ts";
import { Handshake } from "../../mod/config/noise.ts";
import {
  CLUSTER,
  concatWrites,
  KEY,
  makePair,
  openPair,
  SECRETS,
  TICKET,
  who,
} from "./channels.ts";

const DATA = Uint8Array.of(1, 2, 3);

function faultOf(outputs: readonly ChannelOutput[]): string | undefined {
  const last = outputs.at(-1);
  return last?.kind === "close" ? last.why : undefined;
}

function frames(outputs: readonly ChannelOutput[]): Uint8Array[] {
  return outputs.flatMap((each) => each.kind === "frame" ? [each.bytes] : []);
}

Deno.test("Channel opens for both ends and carries frames, however the bytes are cut", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 });
  const payloads = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(cuts, payloads, (sizes, sent) => {
      const { initiator, responder } = openPair();
      const bytes = concat(...sent.map((each) => initiator.seal(2, each)));
      const got: Uint8Array[] = [];
      let at = 0;
      for (let turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        got.push(...frames(responder.receive(bytes.subarray(at, at + size))));
        at += size;
      }
      assert.deepEqual(got, sent);
    }),
    { numRuns: 30 },
  );
});

Deno.test("Channel tells each end who the other is", () => {
  const { initiator, responder } = makePair();
  const answer = responder.receive(concatWrites(initiator.start()));
  const opened = initiator.receive(concatWrites(answer));
  const proof = responder.receive(concatWrites(opened));
  const [there] = opened.filter((each) => each.kind === "open");
  const [here] = proof.filter((each) => each.kind === "open");
  assert.deepEqual(there, { kind: "open", mode: "member", id: CLUSTER, peer: who(2), psk: KEY });
  assert.deepEqual(here, { kind: "open", mode: "member", id: CLUSTER, peer: who(1), psk: KEY });
});

Deno.test("Channel does not open, and asks for nothing, on a handshake cut anywhere", () => {
  const hello = concatWrites(makePair().initiator.start());
  for (let length = 0; length < hello.length; length++) {
    assert.deepEqual(makePair().responder.receive(hello.subarray(0, length)), []);
  }
  const { initiator, responder } = makePair();
  const answer = concatWrites(responder.receive(concatWrites(initiator.start())));
  const proof = concatWrites(initiator.receive(answer));
  assert.deepEqual(responder.receive(proof.subarray(0, -1)), []);
  assert.equal(responder.isOpen, false);
});

Deno.test("Channel ends on any turned bit of the handshake, and neither end takes a frame", () => {
  const whole = makePair();
  const hello = concatWrites(whole.initiator.start());
  for (let bit = 0; bit < 8 * hello.length; bit++) {
    const { responder } = makePair();
    const outputs = responder.receive(turn(hello, bit));
    assert.ok(!outputs.some((each) => each.kind === "open" || each.kind === "write"), `bit ${bit}`);
    assert.ok(faultOf(outputs) !== undefined, `bit ${bit} of the hello`);
  }
  const answer = concatWrites(whole.responder.receive(hello));
  for (let bit = 0; bit < 8 * answer.length; bit++) {
    const { initiator } = makePair();
    initiator.start();
    const outputs = initiator.receive(turn(answer, bit));
    assert.ok(faultOf(outputs) !== undefined, `bit ${bit} of the answer`);
    assert.equal(initiator.isOpen, false);
  }
});

Deno.test("Channel ends on any turned bit of a frame, whatever follows", () => {
  const sample = openPair().initiator.seal(2, DATA);
  for (let bit = 0; bit < 8 * sample.length; bit++) {
    const { initiator, responder } = openPair();
    const bytes = concat(turn(initiator.seal(2, DATA), bit), initiator.seal(2, DATA));
    const outputs = responder.receive(bytes);
    assert.deepEqual(frames(outputs), [], `bit ${bit}`);
    // A length that was turned into a longer one waits for bytes that belong to what follows.
    const more = responder.receive(new Uint8Array(FRAME_BYTES_MAX + 64));
    assert.ok((faultOf(outputs) ?? faultOf(more)) !== undefined, `bit ${bit}`);
    assert.deepEqual(responder.receive(initiator.seal(2, DATA)), [], "closed is closed");
  }
});

Deno.test("Channel takes no frame twice, out of order, or back from where it came", () => {
  const replay = openPair();
  const frame = replay.initiator.seal(2, DATA);
  assert.equal(frames(replay.responder.receive(frame)).length, 1);
  assert.equal(faultOf(replay.responder.receive(frame)), "unsealed");

  const swapped = openPair();
  const [first, second] = [swapped.initiator.seal(2, DATA), swapped.initiator.seal(2, DATA)];
  assert.equal(faultOf(swapped.responder.receive(concat(second, first))), "unsealed");

  const mirror = openPair();
  assert.equal(faultOf(mirror.initiator.receive(mirror.initiator.seal(2, DATA))), "unsealed");

  const [one, other] = [openPair(1), openPair(2)];
  assert.equal(faultOf(other.responder.receive(one.initiator.seal(2, DATA))), "unsealed");
});

Deno.test("Channel answers a replayed hello and then waits in vain for the proof", () => {
  const first = makePair();
  const hello = concatWrites(first.initiator.start());
  const answer = first.responder.receive(hello);
  const proof = concatWrites(first.initiator.receive(concatWrites(answer)));
  const { responder } = makePair(3);
  assert.equal(responder.receive(hello).every((each) => each.kind === "write"), true);
  assert.equal(faultOf(responder.receive(proof)), "unsealed", "an old proof is of other keys");
  assert.equal(responder.isOpen, false);
});

Deno.test("Channel refuses foreign clusters, foreign keys and keys of the other mode", () => {
  const with_ = (options: Partial<Extract<ChannelOptions, { role: "initiator" }>>) => {
    const { initiator, responder } = makePair(1, options);
    return faultOf(responder.receive(concatWrites(initiator.start())));
  };
  assert.equal(with_({ id: "ff".repeat(16) }), "refused");
  assert.equal(with_({ psk: new Uint8Array(32) }), "unsealed");
  assert.equal(with_({ mode: "join", id: CLUSTER }), "refused", "a cluster is no ticket");
  assert.equal(with_({ mode: "member", id: TICKET.id, psk: TICKET.key }), "refused");
  assert.equal(with_({ self: who(0) }), "malformed", "a member has a number");
  assert.equal(
    with_({ mode: "join", id: TICKET.id, psk: TICKET.key }),
    "malformed",
    "a guest none",
  );
});

Deno.test("Channel binds mode and id into the handshake: the same key under another name is none", () => {
  const both: KeyLookup = () => [KEY];
  const { initiator } = makePair();
  const responder = new Channel({
    ...{ role: "responder", self: who(2), secret: SECRETS[1], lookup: both },
  });
  const hello = concatWrites(initiator.start());
  hello[5] = (hello[5] ?? 0) ^ 1;
  assert.equal(faultOf(responder.receive(hello)), "unsealed");
});

Deno.test("Channel refuses another version of either end by name", () => {
  const introduction = new Writer().u16(PEER_VERSION + 1).u16(1).bytes(new Uint8Array(8)).finish();
  const { initiator, responder } = makePair();
  const hello = concatWrites(initiator.start());
  const named = hello.subarray(4, 21);
  const prologue = concat(new TextEncoder().encode("pentad peer channel"), named);
  const newer = new Handshake({ psk: KEY, prologue, secret: SECRETS[0] }).write(introduction);
  assert.ok(newer !== null);
  const body = concat(named, newer);
  const bytes = concat(new Writer().u32(body.length).finish(), body);
  assert.equal(faultOf(responder.receive(bytes)), "version");

  const old = new Handshake({ psk: KEY, prologue, secret: SECRETS[1] });
  assert.ok(old.read(hello.subarray(21)) !== null);
  const answer = old.write(introduction);
  assert.ok(answer !== null);
  const framed = concat(new Writer().u32(answer.length).finish(), answer);
  assert.equal(faultOf(initiator.receive(framed)), "version");
});

Deno.test("Channel sets nothing aside for a length that cannot be right", () => {
  const header = (length: number) => new Writer().u32(length).finish();
  for (const length of [2 ** 32 - 1, FRAME_BYTES_MAX, 10_000]) {
    assert.equal(faultOf(makePair().responder.receive(header(length))), "oversized");
  }
  for (const length of [0, 1, 76]) {
    assert.equal(faultOf(makePair().responder.receive(header(length))), "malformed");
  }
  const { responder } = openPair();
  assert.equal(faultOf(responder.receive(header(FRAME_BYTES_MAX + 18))), "oversized");
  const small = openPair();
  assert.equal(faultOf(small.responder.receive(header(16))), "malformed");
  const whole = openPair();
  const biggest = whole.initiator.seal(2, new Uint8Array(FRAME_BYTES_MAX));
  assert.equal(frames(whole.responder.receive(biggest))[0]?.length, FRAME_BYTES_MAX);
});

Deno.test("Channel lets each mode use its own streams only, and signs of life carry nothing", () => {
  const guest = openPair(1, { mode: "join", id: TICKET.id, psk: TICKET.key, self: who(0) });
  assert.equal(faultOf(guest.responder.receive(guest.initiator.seal(2, DATA))), "wrong-stream");
  const again = openPair(1, { mode: "join", id: TICKET.id, psk: TICKET.key, self: who(0) });
  assert.equal(frames(again.responder.receive(again.initiator.seal(5, DATA))).length, 1);
  for (const stream of [1, 4, 5, 255]) {
    const { initiator, responder } = openPair();
    assert.equal(faultOf(responder.receive(initiator.seal(stream, DATA))), "wrong-stream");
  }
  const quiet = openPair();
  const nothing = new Uint8Array(0);
  assert.deepEqual(quiet.responder.receive(quiet.initiator.seal(STREAM_ALIVE, nothing)), []);
  assert.equal(
    faultOf(quiet.responder.receive(quiet.initiator.seal(STREAM_ALIVE, DATA))),
    "wrong-stream",
  );
});

function turn(bytes: Uint8Array, bit: number): Uint8Array {
  const turned = bytes.slice();
  turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return turned;
}
