/**
 * One simulated run about shared disks: nodes, network and disks fail at random, resources write to
 * the disks, and what must never be true is checked; then all is mended, and the cluster must come
 * to rest with every node registered on every disk.
 *
 * @module
 */
import { type ResourceId, resourceId } from "../base/id.ts";
import { Admin } from "./admin.ts";
import { Checks, type Violation } from "./checks.ts";
import { SimCluster, type SimNode } from "./cluster.ts";
import { strike } from "./faults.ts";
import { slotOffset } from "../storage/mod.ts";
import { type Area, BLOCK_BYTES } from "./disk.ts";
import type { DiskFault, JudgementPlan } from "./judgement_plan.ts";
import { WitnessMoves } from "./witness_moves.ts";
import { Writers } from "./writers.ts";

/** How long a healed cluster may take to come to rest. */
const LIVENESS_MS = 60_000;
const LOOK_MS = 500;

/** How a run ended. */
export interface JudgementResult {
  readonly violations: readonly Violation[];
  readonly trace: number;
  readonly simulatedMs: number;
  readonly takeovers: number;
  /** Of those, the ones that an ejection was the proof for. */
  readonly byStorage: number;
  /** How often a node got the vote, and had a registration taken away. */
  readonly votes: number;
  readonly losses: number;
  /** How often a target was seen to have forgotten everybody. */
  readonly forgotten: number;
  readonly pills: number;
  /** How often a node was ejected without ABORT, or waited for what that leaves open. */
  readonly unproven: number;
  readonly written: number;
  readonly refused: number;
  /** What befell nodes, network and disks, by kind; of flaws of blocks those that were met. */
  readonly struck: Readonly<Record<string, number>>;
}

/** Plays a plan. */
export function playJudgement(
  plan: JudgementPlan,
  hear: (line: string) => void = quiet,
): JudgementResult {
  return new JudgementRun(plan, hear).play();
}

function quiet(): void {
  // Nobody wants to read the conversation.
}

class JudgementRun {
  readonly #plan: JudgementPlan;
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #writers: Writers;
  readonly #admin: Admin;
  readonly #witness: WitnessMoves;
  readonly #ids: readonly ResourceId[];
  /** Who holds the vote, and who held it before and has not said that it is gone. */
  readonly #counts = {
    takeovers: 0,
    byStorage: 0,
    votes: 0,
    losses: 0,
    forgotten: 0,
    pills: 0,
    unproven: 0,
  };
  readonly #met: Record<string, number> = {};

  constructor(plan: JudgementPlan, hear: (line: string) => void) {
    this.#plan = plan;
    const { seed, world: options } = plan;
    const shape = { ...plan.shape, aborts: plan.aborts };
    const line = (node: SimNode, stream: string, text: string) =>
      hear(`${(this.#cluster.world.now / 1000).toFixed(3)} ${node.name} ${stream} ${text}`);
    const counts = this.#counts;
    this.#cluster = new SimCluster(seed, {
      shape,
      options,
      events: {
        onFact: (node, fact) => {
          this.#checks.onFact(node, fact);
          if (fact.fact === "storage.witness" && fact.held) counts.votes++;
          if (fact.fact === "storage.lost") counts.losses++;
          if (fact.fact !== "ha.takeover") return;
          counts.takeovers++;
          if (fact.proof === "storage") counts.byStorage++;
        },
        onSaying: (node, { stream, text, routine, because }) => {
          if (because?.code === "storage.forgotten") counts.forgotten++;
          if (because?.code === "storage.pill-read") counts.pills++;
          if (because?.code === "storage.no-abort") counts.unproven++;
          if (!routine) line(node, stream, text);
        },
        onLife: (node, what) => line(node, "host", what),
      },
    });
    this.#checks = new Checks(this.#cluster);
    this.#admin = new Admin(this.#cluster);
    this.#witness = new WitnessMoves(this.#cluster);
    this.#ids = plan.resources.map((_, at) => resourceId(`exec:r${at}`));
    const disks = new Map(plan.resources.map((resource, at) => {
      const places = resource.disks.length === 0 ? this.#allDisks() : resource.disks;
      const paths = places.map((place) => this.#cluster.disks[place]?.path ?? "");
      return [this.#ids[at] ?? resourceId("exec:none"), paths] as const;
    }));
    this.#writers = new Writers(this.#cluster, this.#checks, disks);
    for (const [at, { storage }] of plan.resources.entries()) {
      if (storage) this.#checks.writers.add(this.#ids[at] ?? resourceId("exec:none"));
    }
    this.#cluster.site.plant.onChange((id, host, runs) =>
      line(this.#cluster.node(host), "plant", `${id} ${runs ? "runs" : "is gone"}`)
    );
  }

  play(): JudgementResult {
    const { world } = this.#cluster;
    const { faults, diskFaults, moves, safetyMs } = this.#plan;
    this.#cluster.bootAll();
    world.after(0, () => this.#define());
    const struck = { resources: this.#ids, onAcknowledged: (run: () => void) => run() };
    for (const fault of faults) {
      this.#count(fault.fault);
      world.at(fault.at, () => strike(this.#cluster, fault, struck));
    }
    for (const fault of diskFaults) world.at(fault.at, () => this.#strike(fault));
    for (const move of moves) world.at(move.at, () => this.#witness.order(move));
    this.#runUntil(safetyMs);
    this.#heal();
    const end = safetyMs + LIVENESS_MS;
    while (world.now < end && this.#unrest() !== null) this.#runUntil(world.now + LOOK_MS);
    const unrest = this.#unrest();
    if (unrest !== null) this.#checks.fail("a healed cluster comes to rest", unrest);
    const { written, refused } = this.#writers;
    const { violations } = this.#checks;
    return {
      ...{ violations, trace: world.trace, simulatedMs: world.now, written, refused },
      ...this.#counts,
      struck: this.#struck(),
    };
  }

  #count(what: string, times = 1): void {
    this.#met[what] = (this.#met[what] ?? 0) + times;
  }

  #struck(): Record<string, number> {
    for (const { path } of this.#cluster.disks) {
      const disk = this.#cluster.site.disks.disk(path);
      for (const [what, times] of Object.entries(disk?.met ?? {})) {
        this.#count(`block ${what}`, times);
      }
    }
    return this.#met;
  }

  #runUntil(time: number): void {
    const { world } = this.#cluster;
    while (world.now < time && this.#checks.violations.length === 0) {
      world.runUntil(Math.min(time, world.now + LOOK_MS));
      this.#witness.nudge();
    }
  }

  #allDisks(): number[] {
    return this.#cluster.disks.map((_, at) => at);
  }

  #define(): void {
    for (const [at, id] of this.#ids.entries()) {
      const { storage = false, disks = [] } = this.#plan.resources[at] ?? {};
      const uuids = disks.map((place) => this.#cluster.disks[place]?.uuid ?? "");
      this.#admin.set(id, {
        ...{ max_restart: "2", max_relocate: "2", recover_on: storage ? "storage" : "death" },
        ...(uuids.length > 0 ? { luns: uuids.join(",") } : {}),
      });
    }
    this.#admin.apply();
  }

  #strike({ fault, disk, node, ms }: DiskFault): void {
    const { site, all, world } = this.#cluster;
    const path = this.#cluster.disks[disk]?.path ?? "";
    const struck = node === null ? all : [this.#cluster.node(node)];
    const target = site.disks.disk(path);
    this.#count(`disk ${fault}`);
    switch (fault) {
      case "reset":
      case "clear":
        return target?.reservations.wipe({ power: fault === "reset" });
      case "misdirected":
      case "duplicated":
      case "torn":
        return target?.flaw(fault, this.#slots, site.disks.prng);
      case "stale":
        target?.stale(this.#slots, new Set(struck.map(({ host }) => host.index)));
        world.after(ms, () => target?.stale(null));
        return;
    }
    for (const { host } of struck) {
      site.disks.setPath(host.index, path, fault);
      world.after(ms, () => site.disks.setPath(host.index, path, "ok"));
    }
  }

  /** Where the pulses are. */
  get #slots(): Area {
    const ids = this.#cluster.all.map(({ id }) => id);
    return {
      from: slotOffset(Math.min(...ids)),
      to: slotOffset(Math.max(...ids)) + BLOCK_BYTES,
    };
  }

  /** Everything is mended and turned on. */
  #heal(): void {
    const { site, all } = this.#cluster;
    for (const { path } of this.#cluster.disks) site.disks.disk(path)?.stale(null);
    site.network.heal();
    site.disks.heal();
    for (const { host } of all) {
      host.powerOn();
      for (const id of this.#ids) site.plant.sicken(id, host.index, null);
    }
  }

  /** What is not as it must be at the end; null where all is. */
  #unrest(): string | null {
    if (this.#checks.violations.length > 0) return null;
    for (const { name, runtime } of this.#cluster.all) {
      if (runtime === null) return `${name} does not run`;
      if (runtime.board.view?.quorate !== true) return `${name} has no quorum`;
      if (runtime.board.position?.writable !== true) return `${name} cannot write`;
      if (!runtime.node.ha.view().guard.held) return `${name} holds no guard`;
      const [worst] = runtime.node.storage.view().degraded;
      if (worst !== undefined) return `${name}: ${worst}`;
    }
    const unmoved = this.#witness.unrest();
    if (unmoved !== null) return unmoved;
    const shown = this.#cluster.node(0).runtime?.node.ha.view().resources ?? [];
    for (const id of this.#ids) {
      const runs = this.#cluster.site.plant.running().get(id)?.size ?? 0;
      const known = shown.find((each) => each.id === id);
      // One that failed everywhere was given up, which is an answer.
      if (runs !== 1 && known?.state !== "error") return `${id} runs on ${runs} nodes`;
    }
    return null;
  }
}
