/**
 * Clients whose every operation is written down with the times at which it was asked for and
 * answered, so that a checker can look for an order that explains them all (tests/linear). They read
 * with a barrier before (`read=quorum`), write, write or remove on condition, and list.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import { requestId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import type { Fact, Operation, Outcome, Transaction } from "../streams.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** How long a client waits for an answer before it asks another node. */
const PATIENCE_MS = 6000;
/** Between an answer and the next operation. */
const PAUSE_MS_MAX = 1200;
/** Nothing new is begun so long after the first: a history is short enough to be searched. */
const WINDOW_MS = 12_000;
/** Files that are registers, and names that come and go. */
const FILES = ["x0", "x1"] as const;
const NAMES = ["l0", "l1", "l2"] as const;
/** Under this key stand the operations on names. */
export const NAMES_KEY = "names";

/** What was asked. A value is written once only, so it names its write; null: the file is absent. */
export type RecordedInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: string }
  | { readonly op: "swap"; readonly expect: string | null; readonly value: string }
  | { readonly op: "remove"; readonly expect: string }
  | { readonly op: "list" }
  | { readonly op: "make" | "unmake"; readonly name: string };

/** What was answered. */
export type RecordedOutput =
  | { readonly value: string | null }
  | { readonly names: readonly string[] }
  | { readonly done: boolean };

/** One operation on the file of that name, or on {@link NAMES_KEY}. Times are the world's. */
export interface Recorded {
  readonly key: string;
  readonly input: RecordedInput;
  /** Null where nobody can tell any more what became of it. */
  readonly output: RecordedOutput | null;
  readonly called: number;
  /** Infinity where the output is null. */
  readonly returned: number;
}

interface Session {
  key: string;
  input: RecordedInput | null;
  called: number;
  /** Null for what only reads. */
  transaction: Transaction | null;
  node: SimNode | null;
  tag: string;
  /** When it asked last; between two operations: when it begins the next. */
  since: number;
}

/** See the module's note. */
export class Registers {
  readonly history: Recorded[] = [];
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  readonly #sessions: readonly Session[];
  readonly #waiting = new Map<string, Session>();
  #end: number;
  #tags = 0;
  #values = 0;

  /** So many clients, who begin at a time. */
  constructor(cluster: SimCluster, count: number, from: number) {
    this.#cluster = cluster;
    this.#prng = cluster.world.prng("registers");
    this.#end = from + WINDOW_MS;
    this.#sessions = Array.from({ length: count }, () => ({
      ...{ key: "", input: null, called: 0, transaction: null, node: null, tag: "", since: from },
    }));
  }

  /** Whoever has nothing under way begins; whoever waits in vain asks another node. */
  nudge(): void {
    const { now } = this.#cluster.world;
    for (const each of this.#sessions) {
      const late = now - each.since > PATIENCE_MS;
      if (each.input === null) {
        if (now >= each.since && now < this.#end) this.#begin(each);
      } else if (each.node === null || each.node.runtime === null || late) this.#again(each);
    }
  }

  /** From now on nobody begins anything new. */
  calm(): void {
    this.#end = -Infinity;
  }

  /** How many wait for a final answer. */
  open(): number {
    return this.#sessions.filter(({ input }) => input !== null).length;
  }

  onFact(node: SimNode, fact: Fact): void {
    if (fact.fact !== "config.outcome" && fact.fact !== "config.barrier") return;
    const key = `${node.id} ${fact.tag}`;
    const each = this.#waiting.get(key);
    if (each === undefined) return;
    this.#waiting.delete(key);
    if (each.tag !== fact.tag || each.node !== node) return;
    each.node = null;
    if (fact.fact === "config.outcome") return this.#onOutcome(each, fact.outcome);
    // A read that nobody vouches for is none.
    if (fact.ok) this.#done(each, this.#look(node, each.key));
  }

  #begin(each: Session): void {
    const node = this.#anyone();
    if (node === undefined) return;
    each.called = this.#cluster.world.now;
    each.transaction = null;
    const kind = this.#prng.between(0, 5);
    if (this.#prng.chance(0.3)) this.#drawNames(each, node, kind);
    else this.#drawFile(each, node, kind);
    this.#ask(each, node);
  }

  #drawFile(each: Session, node: SimNode, kind: number): void {
    const path = this.#prng.pick(FILES) ?? FILES[0];
    const { config } = node.runtime?.node ?? {};
    const version = config?.stat(path)?.version ?? 0;
    const bytes = config?.read(path) ?? null;
    const before = bytes === null ? null : decodeText(bytes);
    each.key = path;
    if (kind < 2) return void (each.input = { op: "read" });
    if (kind === 2 && before !== null) {
      each.input = { op: "remove", expect: before };
      return this.#propose(each, node, [{ op: "remove", path }], [{ path, version }]);
    }
    const value = `v${++this.#values}`;
    const data = encodeText(value);
    const write: Operation[] = [
      before === null ? { op: "create", path } : { op: "truncate", path, size: 0 },
      { op: "write", path, offset: 0, data },
    ];
    const blind = kind === 5;
    each.input = blind ? { op: "write", value } : { op: "swap", expect: before, value };
    this.#propose(each, node, write, blind ? [] : [{ path, version }]);
  }

  #drawNames(each: Session, node: SimNode, kind: number): void {
    const name = this.#prng.pick(NAMES) ?? NAMES[0];
    each.key = NAMES_KEY;
    if (kind < 2) return void (each.input = { op: "list" });
    each.input = { op: kind < 4 ? "make" : "unmake", name };
    this.#propose(each, node, [{ op: kind < 4 ? "create" : "remove", path: name }], []);
  }

  #propose(
    each: Session,
    node: SimNode,
    operations: readonly Operation[],
    expect: Transaction["expect"],
  ): void {
    const half = () => this.#prng.u32().toString(16).padStart(8, "0");
    each.transaction = {
      request: requestId(half() + half()),
      base: Math.max(1, node.runtime?.node.config.view().applied ?? 1),
      ...{ expect, operations, author: "sim", reason: "", time: 0 },
    };
  }

  #again(each: Session): void {
    const node = this.#anyone();
    each.node = null;
    if (node !== undefined) this.#ask(each, node);
  }

  #ask(each: Session, node: SimNode): void {
    each.node = node;
    each.since = this.#cluster.world.now;
    each.tag = `linear:${++this.#tags}`;
    this.#waiting.set(`${node.id} ${each.tag}`, each);
    const { tag, transaction } = each;
    node.runtime?.request(
      transaction === null
        ? { request: "config.barrier", tag }
        : { request: "config.propose", tag, transaction },
    );
  }

  #onOutcome(each: Session, outcome: Outcome): void {
    if (outcome.ok) return this.#done(each, { done: true });
    const { code } = outcome.problem;
    // Nobody remembers it: it may have been done, or not.
    if (code === "config.expired-request") return this.#done(each, null);
    const refused = code === "config.version-mismatch" || code === "config.exists" ||
      code === "config.not-found";
    // No final word: the same request again, until there is one.
    if (!refused) return;
    // What was to be written whatever is there did not find the file as it was looked at.
    if (each.input?.op === "write") this.#rest(each);
    else this.#done(each, { done: false });
  }

  #done(each: Session, output: RecordedOutput | null): void {
    const { key, input, called } = each;
    const returned = output === null ? Infinity : this.#cluster.world.now;
    if (input !== null) this.history.push({ key, input, output, called, returned });
    this.#rest(each);
  }

  #rest(each: Session): void {
    each.input = null;
    each.since = this.#cluster.world.now + this.#prng.between(1, PAUSE_MS_MAX);
  }

  #look(node: SimNode, key: string): RecordedOutput {
    const config = node.runtime?.node.config;
    if (key === NAMES_KEY) {
      return { names: NAMES.filter((name) => (config?.stat(name) ?? null) !== null) };
    }
    const bytes = config?.read(key) ?? null;
    return { value: bytes === null ? null : decodeText(bytes) };
  }

  #anyone(): SimNode | undefined {
    return this.#prng.pick(this.#cluster.all.filter((each) => each.runtime !== null));
  }
}
