/**
 * An administrator who lets a spare host in and out again, and hands the leadership about. What is
 * wanted is gone after until it is so, as a person would do it: whoever is to go is emptied first, and
 * what nobody could move away is vouched for once its host is off.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Fact, Request } from "../streams.ts";
import type { Admin } from "./admin.ts";
import { memberAt, type SimCluster, type SimNode } from "./cluster.ts";

/** How long an answer is waited for before it is asked again. */
const PATIENCE_MS = 3000;
/** How long resources may take to move away, and then to stop. */
const EMPTY_MS = 12_000;

/** What is ordered, at a time of the world. */
export interface MemberOrder {
  readonly at: number;
  /**
   * `transfer` is to the member at a place, or to the best one; `stop` is of the member at a place: it
   * stops in order, and its daemon is started again.
   */
  readonly order: "join" | "leave" | "transfer" | "stop";
  readonly to: number | null;
  /** Of a stop: absent, only the daemon stops. A host that goes down comes up again. */
  readonly how?: ShutdownHow;
}

/** See the module's note. */
export class Membership {
  readonly #cluster: SimCluster;
  readonly #admin: Admin;
  #wanted = false;
  #lastId: NodeId | null = null;
  #askedAt = -Infinity;
  #leaveSince: number | null = null;
  /** The life of the spare host that was told to stop, and whether it is empty. */
  #stopping: { readonly life: NodeRuntime; empty: boolean } | null = null;
  /** Lives of daemons that were told to stop, and how. */
  readonly #stops = new WeakMap<NodeRuntime, ShutdownHow>();
  #tags = 0;
  /** Stops of a leader that found nobody to hand over to, or that left no majority behind. */
  stranded = 0;

  constructor(cluster: SimCluster, admin: Admin) {
    this.#cluster = cluster;
    this.#admin = admin;
  }

  /** Carries an order out, or begins to. */
  obey({ order, to, how = "stop" }: MemberOrder): void {
    if (order === "transfer") return this.#transfer(to);
    if (order === "stop") return this.#stop(this.#cluster.node(to ?? 0), how);
    this.#wanted = order === "join";
    this.#leaveSince = null;
    this.#askedAt = -Infinity;
    this.nudge();
  }

  onFact(node: SimNode, fact: Fact): void {
    const { life } = node;
    const how = life === null ? undefined : this.#stops.get(life);
    if (fact.fact === "config.yielded" && how !== undefined) {
      // Not in the midst of the step that tells it.
      this.#cluster.world.after(0, () => {
        if (node.life !== life) return;
        if (this.#strands(node)) this.stranded++;
        if (how === "reboot" || how === "poweroff") node.host.powerCut();
        else node.host.crashDaemon();
      });
    }
    if (fact.fact !== "ha.empty" || node.life !== this.#stopping?.life) return;
    this.#stopping.empty = true;
  }

  /** Goes on with what is wanted. Called now and then. */
  nudge(): void {
    const [spare] = this.#cluster.spares;
    const runtime = this.#writable();
    if (spare === undefined || runtime === null) return;
    const { spec } = runtime;
    const member = spec.members.find(({ name }) => name === spare.name);
    const isNew = member !== undefined && member.id > (this.#lastId ?? 0);
    if (!this.#wanted) return this.#goOut(spare, runtime, { id: member?.id ?? null, isNew });
    if (isNew) {
      this.#lastId = member.id;
      this.#cluster.admit(spare, member.id, spec);
    } else if (member === undefined && this.#isTime()) {
      const { links, peer } = memberAt(this.#cluster.all.indexOf(spare));
      const change = { change: "add-learner", name: spare.name, links, peer } as const;
      this.#ask(runtime, { request: "config.change-spec", tag: this.#tag(), change });
    }
  }

  /** What is not as it is wanted; null where all is. */
  unrest(): string | null {
    const [spare] = this.#cluster.spares;
    const runtime = this.#writable();
    if (spare === undefined || runtime === null) return null;
    const member = runtime.spec.members.find(({ name }) => name === spare.name);
    if (!this.#wanted) return member === undefined ? null : `${spare.name} is a member still`;
    if (member?.role !== "voter") return `${spare.name} has no vote yet`;
    return spare.id === member.id ? null : `${spare.name} was not told of its number`;
  }

  /** The members as they are wanted: at the end each of them takes part. */
  present(): readonly SimNode[] {
    return this.#wanted ? this.#cluster.all : this.#cluster.nodes;
  }

  #transfer(to: number | null): void {
    const { all } = this.#cluster;
    const runtime = all.find((node) => node.runtime !== null)?.runtime;
    const target = to === null ? null : all[to]?.id ?? null;
    runtime?.request({ request: "config.transfer", tag: this.#tag(), to: target });
  }

  #stop({ runtime }: SimNode, how: ShutdownHow): void {
    if (runtime === null) return;
    this.#stops.set(runtime, how);
    runtime.request({ request: "ha.shutdown", tag: this.#tag(), how });
  }

  /** Whoever stops leads, and nobody follows it; or those who stay are no majority. */
  #strands(node: SimNode): boolean {
    const members = this.#cluster.all.filter(({ spec }) => spec !== null);
    const rest = members.filter((each) => each !== node && each.runtime !== null);
    const leads = node.runtime?.node.config.view().role === "leader";
    const follows = rest.some((each) => each.runtime?.node.config.view().leader === node.id);
    return (leads && !follows) || 2 * rest.length <= members.length;
  }

  #goOut(
    spare: SimNode,
    runtime: NodeRuntime,
    { id, isNew }: { readonly id: NodeId | null; readonly isNew: boolean },
  ): void {
    const { world } = this.#cluster;
    const referred = (node: NodeId | null) =>
      runtime.node.ha.view().resources.some((each) => each.node === node && node !== null);
    if (id === null) {
      // Out, but something may still be decided to run there: the host is switched off for that.
      if (!referred(this.#lastId) || !this.#isTime()) return;
      if (spare.spec !== null) this.#cluster.dismiss(spare);
      this.#askedAt = world.now;
      return this.#admin.order(`confirm-dead ${this.#lastId}`);
    }
    this.#leaveSince ??= world.now;
    const late = world.now - this.#leaveSince > EMPTY_MS;
    const empty = isNew || late || (!referred(id) && this.#isEmpty(spare));
    if (!this.#isTime()) return;
    if (empty) {
      const change = { change: "remove", node: id } as const;
      return this.#ask(runtime, { request: "config.change-spec", tag: this.#tag(), change });
    }
    this.#askedAt = world.now;
    if (referred(id)) return this.#admin.order(`maintenance ${spare.name} on`);
    const life = spare.runtime;
    if (life === null || this.#stopping?.life === life) return;
    this.#stopping = { life, empty: false };
    life.request({ request: "ha.shutdown", tag: this.#tag() });
  }

  #isEmpty(spare: SimNode): boolean {
    return this.#stopping?.empty === true && this.#stopping.life === spare.life;
  }

  #isTime(): boolean {
    return this.#cluster.world.now - this.#askedAt >= PATIENCE_MS;
  }

  #ask(runtime: NodeRuntime, request: Request): void {
    this.#askedAt = this.#cluster.world.now;
    runtime.request(request);
  }

  #tag(): string {
    return `members:${++this.#tags}`;
  }

  #writable(): NodeRuntime | null {
    const found = this.#cluster.nodes.find(({ runtime }) =>
      runtime?.board.position?.writable === true && runtime.board.view?.quorate === true
    );
    return found?.runtime ?? null;
  }
}
