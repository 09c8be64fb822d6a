/** Sessions and the acceptor: time, crowds, and a hundred thousand frames of nonsense. */
import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import { clusterId, nodeId } from "../../mod/base/id.ts";
import { PENDING_MAX } from "../../mod/config/acceptor.ts";
import { FRAME_BYTES_MAX, peerKey } from "../../mod/config/channel.ts";
import {
  ALIVE_MS,
  HANDSHAKE_MS,
  IDLE_MS,
  PeerSession,
  QUEUED_BYTES_MAX,
  type SessionEnd,
} from "../../mod/config/peer_session.ts";
import { PeerDriver } from "../../mod/config/tcp_driver.ts";
import {
  CLUSTER,
  concatWrites,
  HandClock,
  HandConnection,
  HandTcp,
  KEY,
  makePair,
  SECRETS,
  TICKET,
  who,
} from "./channels.ts";

const DATA = Uint8Array.of(1, 2, 3);

/** A listening session with the initiator's end in the test's hand. */
class Visit {
  readonly clock = new HandClock();
  readonly connection = new HandConnection();
  readonly frames: [number, Uint8Array][] = [];
  readonly ends: SessionEnd[] = [];
  readonly initiator = makePair().initiator;
  readonly session: PeerSession;

  constructor() {
    const lookup = (_mode: string, id: string) => id === CLUSTER ? [KEY] : [];
    this.session = new PeerSession(
      { role: "responder", self: who(2), secret: SECRETS[1], lookup },
      this.clock,
      {
        onOpen: () => {},
        onFrame: (stream, bytes) => this.frames.push([stream, bytes]),
        onClose: (why) => this.ends.push(why),
      },
    );
    this.session.attach(this.connection);
  }

  open(): this {
    this.session.onData(concatWrites(this.initiator.start()));
    const proof = this.initiator.receive(this.connection.written[0] ?? new Uint8Array(0));
    this.session.onData(concatWrites(proof));
    assert.ok(this.session.isOpen);
    return this;
  }
}

Deno.test("PeerSession ends a handshake that takes too long, however many bytes come", () => {
  const visit = new Visit();
  const hello = concatWrites(visit.initiator.start());
  visit.session.onData(hello.subarray(0, 10));
  visit.clock.pass(HANDSHAKE_MS - 1);
  visit.session.onData(hello.subarray(10, 11));
  assert.deepEqual(visit.ends, []);
  visit.clock.pass(1);
  assert.deepEqual(visit.ends, ["late"]);
  assert.ok(visit.connection.closed);
  assert.equal(visit.clock.pending, 0, "nothing is left that could fire");
});

Deno.test("PeerSession shows life while it has nothing to say, and ends when the other shows none", () => {
  const visit = new Visit().open();
  const before = visit.connection.written.length;
  visit.clock.pass(ALIVE_MS);
  assert.equal(visit.connection.written.length, before + 1);
  visit.session.onData(visit.initiator.seal(0, new Uint8Array(0)));
  visit.clock.pass(IDLE_MS - 1);
  assert.deepEqual(visit.ends, []);
  visit.clock.pass(1);
  assert.deepEqual(visit.ends, ["idle"]);
});

Deno.test("PeerSession drops frames behind too much that waits, and tells of its end once", () => {
  const visit = new Visit().open();
  visit.connection.waiting = QUEUED_BYTES_MAX + 1;
  assert.equal(visit.session.send(2, DATA), false);
  visit.connection.waiting = 0;
  assert.equal(visit.session.send(2, DATA), true);
  visit.session.close("ended");
  visit.session.onClose();
  visit.session.onData(visit.initiator.seal(2, DATA));
  assert.equal(visit.session.send(2, DATA), false);
  assert.deepEqual([visit.ends, visit.frames], [["ended"], []]);
});

Deno.test("PeerSession gives nothing of a damaged frame on, and nothing after it", () => {
  const visit = new Visit().open();
  const [first, second, third] = [1, 2, 3].map(() => visit.initiator.seal(2, DATA));
  assert.ok(first && second && third);
  visit.session.onData(first);
  second[second.length - 1] = (second[second.length - 1] ?? 0) ^ 1;
  visit.session.onData(second);
  visit.session.onData(third);
  assert.deepEqual([visit.frames.length, visit.ends], [1, ["unsealed"]]);
});

/** A node that listens, in a world of hand-made connections. */
function listening() {
  const [tcp, clock, prng] = [new HandTcp(), new HandClock(), new Prng(1)];
  const heard: string[] = [];
  const clusterKey = new Uint8Array(32).fill(3);
  const driver = new PeerDriver({
    ...{ tcp, clock, random: { bytes: (length) => prng.bytes(length) } },
    self: { ...who(2), node: nodeId(2) },
    ...{ cluster: clusterId(CLUSTER), clusterKey, listen: "x:1", members: new Map() },
    ticketKey: (id) => id === TICKET.id ? TICKET.key : null,
  }, {
    onFrame: (from, stream, bytes) => heard.push(`frame ${from} ${stream} ${bytes.length}`),
    onJoinFrame: () => heard.push("join"),
    onJoinClose: () => heard.push("join closed"),
    onPeer: (node, connected) => heard.push(`peer ${node} ${connected}`),
  });
  const ends = () => [...driver.counts().values()].reduce((sum, count) => sum + count, 0);
  return { tcp, clock, driver, heard, ends, clusterKey, psk: peerKey(clusterKey) };
}

Deno.test("PeerDriver: 100,000 random frames end their sessions, are counted, and do nothing else", () => {
  const { tcp, clock, driver, heard, ends } = listening();
  const prng = new Prng(7);
  const visitors: HandConnection[] = [];
  for (let at = 0; at < 100_000; at++) {
    const { events, connection } = tcp.come();
    const bytes = prng.bytes(prng.between(0, 120));
    // Half of them begin as a hello would: right length, known cluster or ticket.
    if (prng.chance(0.5) && bytes.length > 21) {
      bytes.set([0, 0, 0, 77, prng.between(0, 1)]);
      const id = prng.chance(0.5) ? CLUSTER : TICKET.id;
      bytes.set(Uint8Array.fromHex(id), 5);
    } else if (prng.chance(0.2) && bytes.length > 4) bytes.set([0, 0, 0, prng.between(0, 76)]);
    events.onData(bytes);
    visitors.push(connection);
    if (at % 1000 === 0) clock.pass(1);
  }
  const open = visitors.filter(({ closed }) => !closed).length;
  assert.ok(open <= PENDING_MAX, `${open} of them wait for more bytes`);
  assert.equal(ends(), visitors.length - open, "each end is counted");
  assert.ok(clock.pending <= PENDING_MAX, "timers go with their sessions");
  assert.deepEqual(heard, []);
  assert.ok(visitors.every(({ written }) => written.length === 0), "not one is answered");
  for (const why of ["refused", "unsealed", "malformed", "oversized", "crowded"] as const) {
    assert.ok((driver.counts().get(why) ?? 0) > 0, why);
  }
  clock.pass(HANDSHAKE_MS);
  assert.equal(ends(), visitors.length);
  assert.equal(clock.pending, 0);
});

Deno.test("PeerDriver: damaged frames of a member end that session and no other's", () => {
  const { tcp, heard, driver, psk } = listening();
  const enter = (node: number, number: number) => {
    const { events, connection } = tcp.come();
    const { initiator } = makePair(number, { psk, self: who(node) });
    events.onData(concatWrites(initiator.start()));
    events.onData(concatWrites(initiator.receive(connection.written[0] ?? DATA)));
    return { initiator, events, connection };
  };
  const [three, four] = [enter(3, 1), enter(4, 2)];
  assert.deepEqual(heard.splice(0), ["peer 3 true", "peer 4 true"]);
  const bad = three.initiator.seal(2, DATA);
  bad[9] = (bad[9] ?? 0) ^ 1;
  three.events.onData(bad);
  four.events.onData(four.initiator.seal(2, DATA));
  assert.deepEqual(heard.splice(0), ["peer 3 false", "frame 4 2 3"]);
  assert.equal(driver.counts().get("unsealed"), 1);

  // A newer connection of the same member takes the place of the older one.
  const again = enter(4, 3);
  assert.ok(four.connection.closed && !again.connection.closed);
  assert.equal(driver.counts().get("replaced"), 1);
  assert.deepEqual(heard.splice(0), []);
  assert.ok(enter(2, 4).connection.closed, "nobody else has our own number");
  assert.equal(driver.counts().get("own-number"), 1);
});

Deno.test("PeerDriver.setKeys() ends what was opened with a key that is given up, and lets in by both before", () => {
  const { tcp, heard, driver, psk: old, clusterKey } = listening();
  const next = new Uint8Array(32).fill(4);
  let number = 10;
  const begin = (node: number, psk: Uint8Array) => {
    const { events, connection } = tcp.come();
    const { initiator } = makePair(number++, { psk, self: who(node) });
    events.onData(concatWrites(initiator.start()));
    const answer = connection.written[0];
    const prove = () => events.onData(concatWrites(initiator.receive(answer ?? DATA)));
    return { connection, prove, answered: answer !== undefined };
  };
  const enter = (node: number, psk: Uint8Array) => {
    const visit = begin(node, psk);
    if (visit.answered) visit.prove();
    return visit;
  };
  assert.ok(!enter(3, peerKey(next)).answered, "nobody knows it yet");
  driver.setKeys({ clusterKey, otherKey: next });
  const three = enter(3, old);
  const four = enter(4, peerKey(next));
  assert.deepEqual(heard.splice(0), ["peer 3 true", "peer 4 true"]);
  // The key is given up between a hello and its proof.
  const late = begin(5, old);
  driver.setKeys({ clusterKey: next });
  assert.ok(three.connection.closed && !four.connection.closed);
  late.prove();
  assert.ok(late.connection.closed);
  assert.deepEqual(heard.splice(0), ["peer 3 false"]);
  assert.equal(driver.counts().get("rekeyed"), 2);
  assert.ok(!enter(3, old).answered, "and never again");
});

Deno.test("PeerDriver: what cannot be sent is counted, and is never too long for a frame", () => {
  const { driver } = listening();
  driver.send(nodeId(3), 2, new Uint8Array(FRAME_BYTES_MAX));
  driver.answerJoin(1, DATA);
  assert.equal(driver.counts().get("dropped-unconnected"), 2);
});
