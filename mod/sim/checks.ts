/**
 * What must never be true, checked as things happen: against what the nodes say, and against the
 * physical truth that no node can see.
 *
 * @module
 */
import { formatCrc } from "../base/checksum.ts";
import { memberOf, voters } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Instant, type Millis } from "../base/time.ts";
import { timingOf } from "../base/timing.ts";
import type { Fact } from "../streams.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** Host clocks and world time are converted to and fro. */
const ROUNDING_MS = 0.01;

/** A broken promise. */
export interface Violation {
  /** World time, milliseconds. */
  readonly at: number;
  readonly rule: string;
  readonly what: string;
}

/** Watches one cluster. */
export class Checks {
  readonly violations: Violation[] = [];
  /** Resources of which it is enough that nobody but the last one started can write. */
  readonly writers = new Set<ResourceId>();
  readonly #cluster: SimCluster;
  readonly #leaders = new Map<number, NodeId>();
  /** Log index → CRC chain of the committed log there; tree CRC there. */
  readonly #chains = new Map<number, number>();
  readonly #crcs = new Map<number, number>();
  readonly #contents = new Map<number, number>();
  /** Nodes whose content the story changed: that others differ from them is what is wanted. */
  readonly #drifted = new Set<SimNode>();
  /** World time at which the newest beat was sent that one host got from another: `to from`. */
  readonly #got = new Map<string, Millis>();
  readonly #provenAt = new Map<NodeId, Instant>();
  /** The node that went on alone by a person's word: whoever it does not know is another cluster. */
  #era: SimNode | null = null;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    const { plant } = cluster.site;
    plant.onChange((id, host, runs) => runs && this.#onStart(id, host));
    plant.onPast = (id, host) => {
      this.fail("memory of the past is not run", `${id} on host ${host}`);
    };
    cluster.site.udp.onReceive = ({ from, to }, sentAt) => {
      const key = `${to} ${from}`;
      this.#got.set(key, Math.max(this.#got.get(key) ?? 0, sentAt));
    };
    for (const node of cluster.all) node.host.watchdog.onPet = () => this.#onPet(node);
  }

  /** World time at which the newest beat of a node was sent that any other host got. */
  lastHeard({ host }: SimNode): Millis {
    const others = this.#cluster.all.filter((each) => each.host !== host);
    const got = others.map((each) =>
      this.#got.get(`${each.host.index} ${host.index}`) ?? -Infinity
    );
    return Math.max(...got);
  }

  /** Each fact that a node tells. */
  onFact(node: SimNode, fact: Fact): void {
    if (fact.fact === "config.position") this.#onPosition(node, fact.position);
    else if (fact.fact === "ha.takeover") this.#onTakeover(node, fact);
    else if (fact.fact === "heartbeat.proof") this.#onProof(node, fact.provenAt);
    else if (fact.fact === "ha.guard" && fact.state === "held") this.#onGuard(node, fact.until);
    else if (fact.fact === "config.diverged" && this.#drifted.size === 0) {
      this.fail("replicas are equal", `${node.name} says that node ${fact.node} diverged`);
    }
  }

  /** A majority must really have got what was sent at that time; the disk's proofs are not seen here. */
  #onProof(node: SimNode, provenAt: Instant): void {
    this.#provenAt.set(node.id, provenAt);
    const spec = node.runtime?.spec ?? this.#cluster.spec;
    if (spec.witness !== null || this.#cluster.disks.length > 0) return;
    const ids = voters(spec).map(({ id }) => id);
    const sentAt = node.host.clock.worldTime(provenAt);
    const heard = this.#cluster.all.filter(({ id, host }) => {
      if (!ids.includes(id)) return false;
      const got = this.#got.get(`${host.index} ${node.host.index}`) ?? -Infinity;
      return host === node.host || got >= sentAt - ROUNDING_MS;
    });
    if (2 * heard.length > ids.length) return;
    this.fail("a proof is true", `${node.name}: a majority got nothing sent at ${sentAt} or later`);
  }

  #onGuard(node: SimNode, until: Instant): void {
    const { leaseMs } = timingOf(this.#cluster.spec.profile);
    const provenAt = this.#provenAt.get(node.id) ?? -Infinity;
    if (until <= provenAt + leaseMs + ROUNDING_MS) return;
    this.fail("the guard ends a lease after the proven beat", `${node.name} holds it longer`);
  }

  fail(rule: string, what: string): void {
    this.violations.push({ at: this.#cluster.world.now, rule, what });
  }

  /** A person lets this node go on alone: what only others had committed may be lost. */
  allowLoss(node: SimNode): void {
    this.#era = node;
    this.#chains.clear();
    this.#crcs.clear();
    this.#contents.clear();
    this.#leaders.clear();
  }

  /** Something wrong is in a node's database on purpose. */
  allowDrift(node: SimNode): void {
    this.#drifted.add(node);
  }

  #onPosition(
    node: SimNode,
    { term, committed, applied, crc32 }: Extract<Fact, { fact: "config.position" }>["position"],
  ): void {
    const view = node.runtime?.node.config.view();
    const era = this.#era?.runtime?.spec ?? null;
    if (view === undefined || (era !== null && memberOf(era, node.id) === undefined)) return;
    if (view.role === "leader" && view.term === term) {
      const other = this.#leaders.get(term) ?? node.id;
      this.#leaders.set(term, other);
      if (other !== node.id) {
        this.fail("one leader per term", `nodes ${other} and ${node.id} lead term ${term}`);
      }
    }
    if (view.recovering !== null && (view.role === "leader" || view.role === "candidate")) {
      this.fail("who recovers does not stand", `${node.name} is ${view.role} of term ${term}`);
    }
    if (view.committed === committed) {
      this.#same(this.#chains, "committed logs are equal", {
        node,
        index: committed,
        crc: view.committedChain,
      });
    }
    this.#same(this.#crcs, "replicas are equal", { node, index: applied, crc: crc32 });
    if (view.applied !== applied || this.#drifted.has(node)) return;
    this.#same(this.#contents, "contents are equal", { node, index: applied, crc: view.content });
  }

  #same(
    known: Map<number, number>,
    rule: string,
    { node, index, crc }: { node: SimNode; index: number; crc: number },
  ): void {
    const before = known.get(index);
    if (before === undefined) known.set(index, crc);
    else if (before !== crc) {
      const what = `${node.name} has ${formatCrc(crc)} at ${index}, before it was`;
      this.fail(rule, `${what} ${formatCrc(before)}`);
    }
  }

  /** The promise itself. */
  #onStart(id: ResourceId, host: number): void {
    const hosts = this.#cluster.site.plant.running().get(id) ?? new Set();
    if (hosts.size <= 1 || this.writers.has(id)) return;
    const names = [...hosts].map((each) => this.#cluster.node(each).name).join(" and ");
    this.fail("runs once", `${id} runs on ${names}, started on ${this.#cluster.node(host).name}`);
  }

  /** Whoever is taken over from must have lost the right to own anything, by its own clock. */
  #onTakeover(node: SimNode, { id, from, proof }: Extract<Fact, { fact: "ha.takeover" }>): void {
    const dead = this.#cluster.all.find((each) => each.id === from);
    const { keeper, clock, powered } = dead?.host ?? {};
    const until = keeper?.guard ?? null;
    if (!powered || until === null || clock === undefined || until <= clock.now()) return;
    if (proof === "clean-stop" || proof === "confirmed" || proof === "storage") return;
    // It may be back: then it is in a new tenure, and what it was given is known to it.
    const runs = this.#cluster.site.plant.running().get(id);
    if (runs?.has(dead?.host.index ?? -1)) {
      this.fail("no start before proof of death", `${node.name} took ${id} from ${dead?.name}`);
    }
  }

  /** A pet is a promise that the guard is held. */
  #onPet(node: SimNode): void {
    const { keeper, clock } = node.host;
    if (keeper.guard === null || keeper.guard <= clock.now()) {
      this.fail("no pet after a lapse", `${node.name} petted its watchdog`);
    }
  }
}
