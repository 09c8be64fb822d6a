import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { clusterId, nodeId } from "../../mod/base/id.ts";
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

class Gate {
  readonly core = new JoinCore({
    self: nodeId(1),
    spec: SPEC,
    clusterKey: new Uint8Array(32).fill(7),
  });
  readonly ticket: string;

  constructor(validMs = 60_000) {
    const secret = Uint8Array.from({ length: 48 }, (_, at) => at);
    const request: Request = { request: "join.invite", tag: "api:1", secret, validMs };
    const told = this.core.step({ kind: "request", request }, T0)
      .flatMap((effect) => effect.kind === "tell" ? [effect.fact] : []);
    assert.equal(told[0]?.fact, "join.ticket");
    assert.ok(told[0]?.fact === "join.ticket");
    const ticket = parseTicket(told[0].ticket);
    assert.ok(ticket !== null && ticket.cluster === SPEC.id);
    this.ticket = ticket.id;
  }

  hello(hello: Hello | Uint8Array, now = T0): JoinEffect[] {
    const bytes = hello instanceof Uint8Array ? hello : encodeHello(hello);
    return this.core.step({ kind: "session-frame", session: 5, ticket: this.ticket, bytes }, now);
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

Deno.test("tickets and join messages never throw on damaged text and bytes", () => {
  const ticket = printTicket({
    cluster: SPEC.id,
    id: "01".repeat(16),
    secret: "02".repeat(32),
    peers: ["[2001:db8::1]:5406"],
  });
  assert.deepEqual(parseTicket(` ${ticket}\n`)?.peers, ["[2001:db8::1]:5406"]);
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
