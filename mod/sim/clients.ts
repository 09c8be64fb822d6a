/**
 * Clients of the configuration: each makes a path of its own and perhaps removes it again, repeating
 * a request with its id until somebody gives a final answer. At the end every acknowledged change
 * must be there, and none twice: a creation applied once more would bring a removed path back.
 *
 * @module
 */
import { requestId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import type { Fact, Outcome } from "../streams.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** How long a client waits for an answer before it asks another node. */
const PATIENCE_MS = 6000;
/** How long a path rests before it is removed. */
const REST_MS_MAX = 4000;
/** How many of the paths stay. */
const KEPT_RATIO = 0.3;

/** `create` and `remove` are under way; `lost`: nobody can tell any more what became of it. */
type Phase = "create" | "created" | "remove" | "removed" | "lost";

interface Job {
  readonly path: string;
  phase: Phase;
  /** Request id of the step under way. */
  request: string;
  /** Applied index where the step began; 0 before its first try. */
  base: number;
  /** Whom it waits for, with which tag, and since when. */
  node: SimNode | null;
  tag: string;
  since: number;
}

/** See the module's note. */
export class Clients {
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #prng: Prng;
  readonly #jobs: Job[] = [];
  readonly #waiting = new Map<string, Job>();
  #onNext: (() => void)[] = [];
  #tags = 0;
  /** Changes that were acknowledged. */
  acknowledged = 0;
  /** What was acknowledged before may be lost, by a person's word. */
  #forgiving = false;

  constructor(cluster: SimCluster, checks: Checks) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#prng = cluster.world.prng("clients");
  }

  /** Begins one client's work. */
  begin(): void {
    const job: Job = {
      path: `c${this.#jobs.length}`,
      phase: "create",
      ...{ request: this.#id(), base: 0, node: null, tag: "", since: 0 },
    };
    this.#jobs.push(job);
    this.#ask(job);
  }

  /** Whoever waits for a dead node, or for too long, asks another. Called now and then. */
  nudge(): void {
    for (const job of this.#jobs) {
      if (job.phase !== "create" && job.phase !== "remove") continue;
      const late = this.#cluster.world.now - job.since > PATIENCE_MS;
      if (job.node === null || job.node.runtime === null || late) this.#ask(job);
    }
  }

  onFact(node: SimNode, fact: Fact): void {
    if (fact.fact !== "config.outcome") return;
    const key = `${node.id} ${fact.tag}`;
    const job = this.#waiting.get(key);
    if (job === undefined) return;
    this.#waiting.delete(key);
    if (job.tag === fact.tag && job.node === node) this.#onAnswer(job, fact.outcome);
  }

  /** Runs once, at the moment at which the next change is acknowledged. */
  onAcknowledged(run: () => void): void {
    this.#onNext.push(run);
  }

  /** Forgets who waits for an acknowledgement. */
  calm(): void {
    this.#onNext = [];
  }

  /** How many wait for a final answer. */
  open(): number {
    return this.#jobs.filter(({ phase }) => phase === "create" || phase === "remove").length;
  }

  /** From here on only what this node holds counts, and what is acknowledged from now on. */
  forgive({ runtime }: SimNode): void {
    this.#forgiving = true;
    for (const job of this.#jobs) {
      const there = (runtime?.node.config.stat(job.path) ?? null) !== null;
      const wrong = (job.phase === "created" && !there) || (job.phase === "removed" && there);
      if (wrong) job.phase = "lost";
    }
  }

  /** At the end: what these nodes must hold. */
  verify(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      for (const { path, phase } of this.#jobs) {
        if (phase !== "created" && phase !== "removed") continue;
        const there = (node.runtime?.node.config.stat(path) ?? null) !== null;
        if (there === (phase === "created")) continue;
        const what = `${node.name}: "${path}" ${there ? "came back" : "is missing"}`;
        this.#checks.fail("nothing acknowledged is lost or applied twice", what);
      }
    }
  }

  #ask(job: Job): void {
    const node = this.#prng.pick(this.#cluster.all.filter((each) => each.runtime !== null));
    job.node = node ?? null;
    job.since = this.#cluster.world.now;
    if (node === undefined || node.runtime === null) return;
    job.tag = `sim:${++this.#tags}`;
    this.#waiting.set(`${node.id} ${job.tag}`, job);
    // A retry keeps the base of the first try, or it would look younger than it is.
    if (job.base === 0) job.base = Math.max(1, node.runtime.node.config.view().applied);
    const { path, base, tag } = job;
    node.runtime.request({
      request: "config.propose",
      tag,
      transaction: {
        request: requestId(job.request),
        base,
        expect: [],
        operations: [{ op: job.phase === "create" ? "create" : "remove", path }],
        ...{ author: "sim", reason: "", time: 0 },
      },
    });
  }

  #onAnswer(job: Job, outcome: Outcome): void {
    job.node = null;
    if (outcome.ok) {
      this.acknowledged++;
      // Not in the midst of the step that tells it, but before anything else happens.
      for (const run of this.#onNext.splice(0)) this.#cluster.world.after(0, run);
      job.phase = job.phase === "create" ? "created" : "removed";
      if (job.phase === "removed" || this.#prng.chance(KEPT_RATIO)) return;
      this.#cluster.world.after(this.#prng.between(1, REST_MS_MAX), () => {
        if (job.phase !== "created") return;
        Object.assign(job, { phase: "remove", request: this.#id(), base: 0 });
        this.#ask(job);
      });
      return;
    }
    const { code, why } = outcome.problem;
    if (code === "config.expired-request") job.phase = "lost";
    else if (code === "config.exists" || code === "config.not-found") {
      // What it stood on may be among what was lost.
      if (!this.#forgiving) {
        this.#checks.fail("a retry is applied once", `${job.phase} ${job.path}: ${code} ${why}`);
      }
      job.phase = "lost";
    }
  }

  #id(): string {
    const half = () => this.#prng.u32().toString(16).padStart(8, "0");
    return half() + half();
  }
}
