/**
 * Clients that get in each other's way: each reads a number from a file, and writes the next one on
 * condition that the file is still the version that it read. Whatever the cluster goes through, at
 * the end the number is how many such writes were acknowledged: a condition that is not kept loses a
 * write, a retry that is applied twice makes one too many.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import { type RequestId, requestId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import type { Fact, Outcome, Transaction } from "../streams.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** How long a client waits for an answer before it asks another node. */
const PATIENCE_MS = 6000;
/** Between an answer and the next try; on top of the time between two nudges. */
const PAUSE_MS_MAX = 200;
const FILES = ["n0", "n1"] as const;

interface Contender {
  readonly path: string;
  /** The write under way, which a retry repeats word for word; null between two. */
  transaction: Transaction | null;
  node: SimNode | null;
  tag: string;
  /** When it asked last; between two writes: when it begins the next. */
  since: number;
  /** It makes no new write. */
  resting: boolean;
}

/** See the module's note. */
export class Contenders {
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #prng: Prng;
  readonly #all: Contender[];
  readonly #waiting = new Map<string, Contender>();
  readonly #counted = new Map<string, number>();
  #tags = 0;

  constructor(cluster: SimCluster, checks: Checks, count: number) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#prng = cluster.world.prng("contenders");
    this.#all = Array.from({ length: count }, (_, at) => ({
      path: FILES[at % FILES.length] ?? "n0",
      ...{ transaction: null, node: null, tag: "", since: 0, resting: false },
    }));
  }

  /** Whoever has nothing under way begins; whoever waits in vain asks another node. */
  nudge(): void {
    for (const each of this.#all) {
      const late = this.#cluster.world.now - each.since > PATIENCE_MS;
      if (each.transaction === null) {
        if (this.#cluster.world.now >= each.since) this.#begin(each);
      } else if (each.node === null || each.node.runtime === null || late) this.#ask(each);
    }
  }

  /** From now on nobody begins anything new. */
  calm(): void {
    for (const each of this.#all) each.resting = true;
  }

  /** How many wait for a final answer. */
  open(): number {
    return this.#all.filter(({ transaction }) => transaction !== null).length;
  }

  onFact(node: SimNode, fact: Fact): void {
    if (fact.fact !== "config.outcome") return;
    const key = `${node.id} ${fact.tag}`;
    const each = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (each?.tag === fact.tag && each.node === node) this.#onAnswer(each, fact.outcome);
  }

  /** At the end: every node holds the number of acknowledged writes. */
  verify(): void {
    for (const node of this.#cluster.nodes) {
      for (const path of FILES) {
        const { number } = numberAt(node, path);
        const counted = this.#counted.get(path) ?? 0;
        if (number === counted) continue;
        const what = `${node.name}: "${path}" is ${number}, acknowledged were ${counted} writes`;
        this.#checks.fail("a condition is judged where the write is applied", what);
      }
    }
  }

  #begin(each: Contender): void {
    const node = this.#anyone();
    if (each.resting || node === undefined) return;
    const { path } = each;
    const { number, version } = numberAt(node, path);
    const data = encodeText(String(number + 1));
    each.transaction = {
      request: this.#id(),
      base: Math.max(1, node.runtime?.node.config.view().applied ?? 1),
      expect: [{ path, version }],
      operations: [
        version === 0 ? { op: "create", path } : { op: "truncate", path, size: 0 },
        { op: "write", path, offset: 0, data },
      ],
      ...{ author: "sim", reason: "", time: 0 },
    };
    this.#ask(each);
  }

  #ask(each: Contender): void {
    const node = this.#anyone();
    each.node = node ?? null;
    each.since = this.#cluster.world.now;
    if (node === undefined || each.transaction === null) return;
    each.tag = `count:${++this.#tags}`;
    this.#waiting.set(`${node.id} ${each.tag}`, each);
    const { tag, transaction } = each;
    node.runtime?.request({ request: "config.propose", tag, transaction });
  }

  #onAnswer(each: Contender, outcome: Outcome): void {
    each.node = null;
    // No final word: the same request again, until there is one.
    const final = outcome.ok || outcome.problem.code === "config.version-mismatch" ||
      outcome.problem.code === "config.exists";
    if (!final) return;
    if (outcome.ok) this.#counted.set(each.path, (this.#counted.get(each.path) ?? 0) + 1);
    each.transaction = null;
    each.since = this.#cluster.world.now + this.#prng.between(1, PAUSE_MS_MAX);
  }

  #anyone(): SimNode | undefined {
    return this.#prng.pick(this.#cluster.all.filter((each) => each.runtime !== null));
  }

  #id(): RequestId {
    const half = () => this.#prng.u32().toString(16).padStart(8, "0");
    return requestId(half() + half());
  }
}

function numberAt(node: SimNode, path: string): { number: number; version: number } {
  const config = node.runtime?.node.config;
  const bytes = config?.read(path) ?? null;
  const version = config?.stat(path)?.version ?? 0;
  return { number: bytes === null ? 0 : Number(decodeText(bytes)), version };
}
