import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { bootId, clusterId, nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { problem } from "../../mod/base/problem.ts";
import { instant } from "../../mod/base/time.ts";
import {
  type Answer,
  decodeAnswer,
  decodeHello,
  encodeAnswer,
  encodeHello,
  type Hello,
  JOIN_VERSION,
  JoinCore,
  type JoinEffect,
  parseTicket,
  printTicket,
} from "../../mod/join/mod.ts";
import { Channel } from "../../mod/config/channel.ts";
import type { Outcome, Request } from "../../mod/streams.ts";

const SPEC: ClusterSpec = {
  id: clusterId("ab".repeat(16)),
  name: "prod",
  profile: "fast",
  members: [{
    id: nodeId(1),
    name: "nodeA",
    role: "voter",
    votes: 1,
    links: ["127.0.0.1:5405"],
    peer: "127.0.0.1:5406",
  }],
  witness: null,
};
const HELLO: Hello = {
  version: JOIN_VERSION,
  name: "nodeB",
  links: ["127.0.0.2:5405"],
  peer: "127.0.0.2:5406",
};
const T0 = instant(1000);

/** Codes of all reasons that were given. */
function codes(effects: readonly JoinEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind === "say") return effect.saying.because?.code ?? [];
    return effect.kind === "tell" && "because" in effect.fact ? effect.fact.because.code : [];
  });
}

class Gate {
  readonly core = new JoinCore({
    self: nodeId(1),
    boot: bootId("0123456789abcdef"),
    spec: SPEC,
    clusterKey: new Uint8Array(32).fill(7),
    ...{ wallAtStart: 1_700_000_000, startedAt: T0 },
  });
  readonly ticket: string;

  constructor(validMs = 60_000) {
    const secret = Uint8Array.from({ length: 48 }, (_, at) => at);
    const request: Request = { request: "join.invite", tag: "api:1", secret, validMs };
    const effects = this.core.step({ kind: "request", request }, T0);
    assert.ok(codes(effects).includes("join.invited"));
    const told = effects.flatMap((effect) => effect.kind === "tell" ? [effect.fact] : []);
    assert.equal(told[0]?.fact, "join.ticket");
    assert.ok(told[0]?.fact === "join.ticket");
    const ticket = parseTicket(told[0].ticket);
    assert.ok(ticket !== null && ticket.cluster === SPEC.id);
    this.ticket = ticket.id;
  }

  hello(hello: Hello | Uint8Array, now = T0, session = 5): JoinEffect[] {
    const bytes = hello instanceof Uint8Array ? hello : encodeHello(hello);
    return this.core.step({ kind: "session-frame", session, ticket: this.ticket, bytes }, now);
  }

  invite(at: number, validMs: number): Request {
    const secret = new Uint8Array(48).fill(at);
    return { request: "join.invite", tag: `api:${at}`, secret, validMs };
  }

  outcome(tag: string, outcome: Outcome): JoinEffect[] {
    return this.core.step({ kind: "fact", fact: { fact: "config.outcome", tag, outcome } }, T0);
  }

  grow(hello: Hello): void {
    const member = { ...hello, id: nodeId(2), role: "learner" as const, votes: 1 };
    const spec = { ...SPEC, members: [...SPEC.members, member] };
    this.core.step({ kind: "fact", fact: { fact: "config.spec", spec, index: 3 } }, T0);
  }
}

function answers(effects: readonly JoinEffect[]): Answer[] {
  return effects.flatMap((effect) => {
    const answer = effect.kind === "session-frame" ? decodeAnswer(effect.bytes) : null;
    return answer === null ? [] : [answer];
  });
}

function asked(effects: readonly JoinEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.kind === "ask" && "tag" in effect.request ? [effect.request.tag] : []
  );
}

function refusal(effects: readonly JoinEffect[]): string | undefined {
  const answer = answers(effects)[0];
  return answer?.kind === "refused" ? answer.problem.code : undefined;
}

Deno.test("JoinCore.step() welcomes a machine once its learner is committed, and again if it asks again", () => {
  const gate = new Gate();
  const [tag] = asked(gate.hello(HELLO));
  assert.ok(tag !== undefined);
  gate.grow(HELLO);
  for (const effects of [gate.outcome(tag, { ok: true, index: 3, crc32: 0 }), gate.hello(HELLO)]) {
    const answer = answers(effects)[0];
    assert.ok(answer?.kind === "welcome");
    assert.ok(codes(effects).includes("join.learner"));
    assert.equal(answer.node, 2);
    assert.deepEqual(answer.clusterKey, new Uint8Array(32).fill(7));
  }
});

Deno.test("JoinCore.step() lets nobody in twice on one ticket", () => {
  const gate = new Gate();
  assert.equal(asked(gate.hello(HELLO)).length, 1);
  const other: Hello = { ...HELLO, name: "nodeC", links: ["127.0.0.3:1"], peer: "127.0.0.3:2" };
  const effects = gate.hello(other);
  assert.deepEqual(asked(effects), []);
  assert.equal(refusal(effects), "join.bad-ticket");
});

Deno.test("JoinCore.step() refuses expired tickets, names and addresses in use, other versions, nonsense", () => {
  const expired = new Gate(10);
  assert.equal(refusal(expired.hello(HELLO, instant(1010))), "join.bad-ticket");
  assert.equal(expired.core.keyOf(expired.ticket, instant(1010)), null);
  const table: [Partial<Hello>, string][] = [
    [{ name: "nodeA" }, "join.refused"],
    [{ name: "no name" }, "join.refused"],
    [{ peer: "127.0.0.1:5406" }, "join.refused"],
    [{ links: ["127.0.0.1:5405"] }, "join.refused"],
    [{ links: [] }, "join.refused"],
    [{ version: 99 }, "join.refused"],
    [{ peer: "127.0.0.2" }, "join.refused"],
    [{ peer: "300.1.1.1:1" }, "join.refused"],
    [{ links: ["127.0.0.2:5405", "no port"] }, "join.refused"],
  ];
  for (const [change, code] of table) {
    const effects = new Gate().hello({ ...HELLO, ...change });
    assert.equal(refusal(effects), code, JSON.stringify(change));
    assert.deepEqual(asked(effects), []);
  }
  assert.equal(refusal(new Gate().hello(new Uint8Array([1, 2, 3]))), "join.refused");
});

Deno.test("JoinCore.step() gives a ticket back when the cluster refused, but not when nobody can tell", () => {
  const other: Hello = { ...HELLO, name: "nodeC" };
  for (
    const [code, reusable] of [["config.no-quorum", true], [
      "config.unknown-outcome",
      false,
    ]] as const
  ) {
    const gate = new Gate();
    const [tag] = asked(gate.hello(HELLO));
    assert.ok(tag !== undefined);
    const refused = gate.outcome(tag, { ok: false, problem: problem(code, "why") });
    assert.equal(refusal(refused), code);
    assert.equal(asked(gate.hello(other)).length, reusable ? 1 : 0);
  }
});

Deno.test("JoinCore.step() asks once for a machine that says its hello twice, and answers where it is", () => {
  const gate = new Gate();
  const [tag] = asked(gate.hello(HELLO));
  assert.ok(tag !== undefined);
  assert.deepEqual(gate.hello(HELLO, T0, 6), [], "its learner is on the way");
  gate.grow(HELLO);
  const [effect] = gate.outcome(tag, { ok: true, index: 3, crc32: 0 });
  assert.ok(effect?.kind === "session-frame" && effect.session === 6);
  assert.equal(decodeAnswer(effect.bytes)?.kind, "welcome");
});

Deno.test("JoinCore.step() frees no ticket whose machine is a member, whatever a later hello is told", () => {
  const gate = new Gate();
  const [tag] = asked(gate.hello(HELLO));
  assert.ok(tag !== undefined);
  gate.grow(HELLO);
  // Another way of the same change: the first was told as refused though it had been done before.
  gate.outcome(tag, { ok: false, problem: problem("join.refused", "two members share a name") });
  const other: Hello = { ...HELLO, name: "nodeC", links: ["127.0.0.3:1"], peer: "127.0.0.3:2" };
  assert.equal(refusal(gate.hello(other)), "join.bad-ticket");
  assert.equal(answers(gate.hello(HELLO))[0]?.kind, "welcome");
});

Deno.test("JoinCore.step() forgets a session that closed, and welcomes the machine when it comes again", () => {
  const gate = new Gate();
  const [tag] = asked(gate.hello(HELLO));
  assert.ok(tag !== undefined);
  gate.core.step({ kind: "session-closed", session: 5 }, T0);
  assert.deepEqual(gate.outcome(tag, { ok: true, index: 3, crc32: 0 }), []);
  gate.grow(HELLO);
  assert.equal(answers(gate.hello(HELLO))[0]?.kind, "welcome");
});

Deno.test("JoinCore.step() ties a ticket to a machine that went away while its change is on its way", () => {
  const other: Hello = { ...HELLO, name: "nodeC", links: ["127.0.0.3:1"], peer: "127.0.0.3:2" };
  for (const ok of [true, false]) {
    const gate = new Gate();
    const [tag = ""] = asked(gate.hello(HELLO));
    gate.core.step({ kind: "session-closed", session: 5 }, T0);
    assert.deepEqual(
      gate.hello(HELLO),
      [],
      "it is asked for already, and the answer will come here",
    );
    assert.equal(refusal(gate.hello(other)), "join.bad-ticket");
    if (ok) gate.grow(HELLO);
    const busy = problem("config.membership-busy", "another change is not committed yet");
    const outcome = ok ? { ok, index: 3, crc32: 0 } : { ok, problem: busy };
    assert.equal(answers(gate.outcome(tag, outcome))[0]?.kind, ok ? "welcome" : "refused");
    assert.equal(asked(gate.hello(other)).length, ok ? 0 : 1, "refused, it is as good as new");
  }
});

Deno.test("JoinCore.tickets() tells what became of each, and nothing that lets anybody in", () => {
  const gate = new Gate();
  const state = (now = T0) => gate.core.tickets(now)[0];
  const id = gate.ticket.slice(0, 8);
  assert.deepEqual(state(), { id, state: "open", node: null, leftMs: 60_000 });
  const [tag] = asked(gate.hello(HELLO));
  assert.ok(tag !== undefined);
  assert.deepEqual([state()?.state, state()?.node], ["pending", "nodeB"]);
  gate.grow(HELLO);
  gate.outcome(tag, { ok: true, index: 3, crc32: 0 });
  assert.deepEqual([state()?.state, state()?.node], ["used", "nodeB"]);
  assert.equal(state(instant(61_000)), undefined, "its time is over");
  const told = JSON.stringify(gate.core.tickets(T0));
  assert.ok(!told.includes(gate.ticket.slice(8)));
});

Deno.test("JoinCore.step() revokes a ticket in each of its states, and no other", () => {
  const revoke = (gate: Gate, id: string) =>
    gate.core.step({ kind: "request", request: { request: "join.revoke", tag: "api:9", id } }, T0);
  const revoked = (effects: readonly JoinEffect[]) =>
    effects.flatMap((effect) =>
      effect.kind === "tell" && effect.fact.fact === "join.revoked"
        ? effect.fact.tickets.map(({ state }) => state)
        : []
    );
  for (const until of ["open", "pending", "refused", "used"] as const) {
    const gate = new Gate();
    gate.core.step({ kind: "request", request: gate.invite(0xee, 90_000) }, T0);
    const [tag] = until === "open" ? [] : asked(gate.hello(HELLO));
    if (until === "refused") {
      gate.core.step({ kind: "session-closed", session: 5 }, T0);
    }
    if (until === "used") {
      gate.grow(HELLO);
      gate.outcome(tag ?? "", { ok: true, index: 3, crc32: 0 });
    }
    assert.deepEqual(revoked(revoke(gate, "00000000")), []);
    const effects = revoke(gate, gate.ticket.slice(0, 8));
    const state = until === "refused" ? "pending" : until;
    assert.deepEqual(revoked(effects), [state]);
    assert.deepEqual(
      answers(effects).map(({ kind }) => kind),
      until === "pending" ? ["refused"] : [],
    );
    assert.equal(gate.core.keyOf(gate.ticket, T0), null, "no session opens with it");
    assert.equal(refusal(gate.hello(HELLO)), "join.bad-ticket", "nor does an open one go on");
    // The change that was asked for is committed all the same: the key stays where it is.
    if (tag !== undefined) {
      gate.grow(HELLO);
      assert.deepEqual(gate.outcome(tag, { ok: true, index: 3, crc32: 0 }), []);
    }
    assert.deepEqual(gate.core.tickets(T0).map(({ id }) => id), ["eeeeeeee"]);
  }
});

Deno.test("JoinCore.step() gives every asker a ticket; of too many the one that ends soonest goes", () => {
  const gate = new Gate(1000);
  let told = 0;
  for (let at = 1; at <= 100; at++) {
    const request = gate.invite(at, 60_000 + at);
    const effects = gate.core.step({ kind: "request", request }, T0);
    if (effects.some((effect) => effect.kind === "tell")) told++;
  }
  assert.equal(told, 100, "nobody waits for an answer that never comes");
  const open = Array.from({ length: 100 }, (_, at) => (at + 1).toString(16).padStart(2, "0"))
    .filter((byte) => gate.core.keyOf(byte.repeat(16), T0) !== null);
  assert.equal(open.length, 64);
  assert.equal(open.at(-1), "64", "the newest is among them");
  assert.equal(gate.core.keyOf(gate.ticket, T0), null);
});

Deno.test("JoinCore.keyOf() knows a ticket up to its last instant and no other", () => {
  const gate = new Gate(50);
  assert.notEqual(gate.core.keyOf(gate.ticket, instant(1049)), null);
  assert.equal(gate.core.keyOf(gate.ticket, instant(1050)), null);
  assert.equal(gate.core.keyOf("ff".repeat(16), T0), null);
  assert.equal(gate.core.deadline(), 1050);
  gate.core.step({ kind: "tick" }, instant(1050));
  assert.equal(gate.core.deadline(), Infinity, "an expired one is forgotten");
});

Deno.test("a session opens with the ticket's own key and with no other", () => {
  const gate = new Gate();
  const key = gate.core.keyOf(gate.ticket, T0);
  assert.ok(key !== null);
  const boot = bootId("0".repeat(16));
  const open = (psk: Uint8Array): string => {
    const member = new Channel({
      ...{ role: "responder", self: { node: 1, boot }, secret: new Uint8Array(32).fill(1) },
      lookup: (mode, id) =>
        [mode === "join" ? gate.core.keyOf(id, T0) : null].filter((each) => each !== null),
    });
    const guest = new Channel({
      ...{ role: "initiator", mode: "join", id: gate.ticket, psk, self: { node: 0, boot } },
      secret: new Uint8Array(32).fill(2),
    });
    const [hello] = guest.start();
    assert.ok(hello?.kind === "write");
    const [answer] = member.receive(hello.bytes);
    return answer?.kind === "close" ? answer.why : answer?.kind ?? "nothing";
  };
  assert.equal(open(key), "write");
  assert.equal(open(key.map((byte) => byte ^ 1)), "unsealed");
});

Deno.test("JoinCore.step(): 20,000 damaged hellos bring nobody in and are all answered", () => {
  const gate = new Gate();
  const prng = new Prng(5);
  const whole = encodeHello(HELLO);
  for (let at = 0; at < 20_000; at++) {
    const bytes = prng.chance(0.5) ? prng.bytes(prng.between(0, 80)) : whole.slice();
    // The version is wrong, or the end is: whatever else is turned, it is no hello of ours.
    if (bytes.length >= 2) bytes[0] = 0xff;
    if (bytes.length > 4) bytes[prng.between(2, bytes.length - 1)] = prng.between(0, 255);
    const effects = gate.hello(bytes.subarray(0, prng.between(0, bytes.length)));
    assert.deepEqual(asked(effects), []);
    assert.equal(refusal(effects), "join.refused");
  }
  assert.equal(asked(gate.hello(HELLO)).length, 1, "the ticket is still good");
});

Deno.test("tickets and join messages never throw on damaged text and bytes", () => {
  const ticket = printTicket({
    cluster: SPEC.id,
    id: "01".repeat(16),
    secret: "02".repeat(32),
    peers: ["[2001:db8::1]:5406"],
  });
  assert.deepEqual(parseTicket(` ${ticket}\n`)?.peers, ["[2001:db8::1]:5406"]);
  const far = Array.from({ length: 8 }, (_, at) => `${String(at).repeat(249)}:65535`);
  const longest = printTicket({
    cluster: SPEC.id,
    id: "1".repeat(32),
    secret: "2".repeat(64),
    peers: far,
  });
  assert.deepEqual(parseTicket(longest)?.peers, far);
  for (let cut = 0; cut < ticket.length; cut++) {
    assert.equal(parseTicket(ticket.slice(0, cut)), null);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    parseTicket(`pentad-ticket-${text}`);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    decodeHello(bytes);
    decodeAnswer(bytes);
  }));
  const welcome = encodeAnswer({
    kind: "welcome",
    node: nodeId(2),
    clusterKey: new Uint8Array(32),
    spec: SPEC,
  });
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
    const damaged = welcome.slice();
    damaged[at % damaged.length] = byte;
    decodeAnswer(damaged);
  }));
});

Deno.test("decodeAnswer() takes an unknown code for a refusal, whatever objects inherit", () => {
  for (const code of ["toString", "constructor", "__proto__", "join.of-tomorrow", ""]) {
    const answer = { kind: "refused", problem: { code, why: "because" } } as unknown as Answer;
    const problem = { code: "join.refused", why: "because" };
    assert.deepEqual(decodeAnswer(encodeAnswer(answer)), { kind: "refused", problem });
  }
});
