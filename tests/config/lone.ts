/** One ConfigCore whose peers are played by the test: frames in by hand, frames out to read. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId, requestId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import {
  CONFIG_LIMITS,
  ConfigCore,
  type ConfigEffect,
  type ConfigEvent,
  type ConfigLimits,
} from "../../mod/config/mod.ts";
import { decodeMessage, encodeMessage, type Entry } from "../../mod/config/wire.ts";
import { encodeEntry, type Message, type MessageOf } from "../../mod/config/wire.ts";
import { crc32 } from "../../mod/base/checksum.ts";
import type { Fact, Operation, Outcome, Request, Transaction } from "../../mod/streams.ts";
import { FakeDatabase, specOf } from "./cluster.ts";

/** A transaction with everything that a test does not care about. */
export function transactionOf(
  number: number,
  operations: readonly Operation[],
  rest: Partial<Transaction> = {},
): Transaction {
  return {
    request: requestId(number.toString(16).padStart(16, "0")),
    ...{ base: 0, expect: [], author: "test", reason: "", time: 1 },
    operations,
    ...rest,
  };
}

/** An entry as an append carries it. */
export function entryOfTerm(term: number, entry: Entry = { kind: "noop" }) {
  return { term, body: encodeEntry(entry) };
}

/** Node 1; every persist is durable as soon as its step is over. */
export class Lone {
  readonly database = new FakeDatabase();
  readonly core: ConfigCore;
  readonly sent: { to: number; message: Message }[] = [];
  readonly asked: Request[] = [];
  readonly facts: Fact[] = [];
  readonly outcomes = new Map<string, Outcome>();
  /** Codes of all reasons that were said. */
  readonly codes = new Set<string>();
  now = 1000;

  constructor(
    spec: ClusterSpec = specOf(3, false),
    limits: ConfigLimits = CONFIG_LIMITS,
    seed = 1,
  ) {
    const stored = this.database.content;
    const options = { self: nodeId(1), spec, stored, seed, limits };
    this.core = new ConfigCore(options, instant(this.now));
    this.step({ kind: "tick" });
  }

  step(event: ConfigEvent): ConfigEffect[] {
    const effects = this.core.step(event, instant(this.now));
    let upTo = 0;
    for (const effect of effects) {
      if (effect.kind === "persist") {
        this.database.write(effect.batch);
        upTo = effect.number;
      } else if (effect.kind === "frame") {
        const message = decodeMessage(effect.bytes);
        assert.ok(message !== null, "what is sent can be read");
        this.sent.push({ to: effect.to, message });
      } else if (effect.kind === "say") this.codes.add(effect.saying.because?.code ?? "");
      else if (effect.kind === "ask") this.asked.push(effect.request);
      else if (effect.kind === "tell") {
        this.facts.push(effect.fact);
        const { fact } = effect;
        if (fact.fact === "config.outcome") this.outcomes.set(fact.tag, fact.outcome);
      }
    }
    if (upTo > 0) this.step({ kind: "persisted", upTo });
    return effects;
  }

  hear(from: number, message: Message): void {
    this.step({ kind: "frame", from: nodeId(from), bytes: encodeMessage(message) });
  }

  pass(ms: number): void {
    this.now += ms;
    this.step({ kind: "tick" });
  }

  /** Until a leader's next heartbeat. */
  passBeat(): void {
    this.pass(timingOf("fast").raftBeatMs);
  }

  request(request: Request): void {
    this.step({ kind: "request", request });
  }

  propose(tag: string, transaction: Transaction): void {
    this.request({ request: "config.propose", tag, transaction });
  }

  /** The newest message of a kind that went to a node. */
  last<K extends Message["kind"]>(to: number, kind: K): MessageOf<K> | undefined {
    const found = this.sent.filter((each) => each.to === to && each.message.kind === kind).at(-1);
    return found?.message as MessageOf<K> | undefined;
  }

  /** CRC chain of our own log at an index. */
  chain(index: number): number {
    const bodies = this.database.content.entries.slice(0, index);
    return bodies.reduce((crc, { body }) => crc32(body, crc), 0);
  }

  /** Node `from` says that it holds everything up to an index. */
  acknowledge(from: number, index: number, round = 0): void {
    const { term } = this.core.view();
    const chain = this.chain(index);
    const rest = { chain, applied: 0, state: 0, content: 0, round, diverged: false };
    this.hear(from, { kind: "append-reply", term, ok: true, index, ...rest });
  }

  /** Elected by node `from`; its own first entry is committed. */
  lead(from: number): void {
    this.pass(1000);
    const term = this.core.view().term + 1;
    this.hear(from, { kind: "vote-reply", term, pre: true, granted: true });
    this.hear(from, { kind: "vote-reply", term, pre: false, granted: true });
    assert.equal(this.core.view().role, "leader");
    this.acknowledge(from, this.core.view().lastIndex);
    assert.equal(this.core.view().committed, this.core.view().lastIndex);
  }
}
