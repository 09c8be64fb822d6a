/**
 * The DC: takes the lock, makes plans, and writes each as one transaction that expects the lock's
 * version (its epoch) and the status it started from. One transaction is under way at a time.
 *
 * Whatever an older manager may still have under way fails by these expectations: that is how an
 * order of an older epoch is refused.
 *
 * @module
 */
import { equalBytes } from "../base/bytes.ts";
import { memberOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, EPOCH, formatMillis, type Instant } from "../base/time.ts";
import type { Fact, Outcome, Phases, Position } from "../streams.ts";
import { parseCommand } from "./commands.ts";
import type { HaContext } from "./context.ts";
import type { HaFiles } from "./files.ts";
import { Guardless } from "./guardless.ts";
import { plan } from "./plan.ts";
import { proofReason } from "./node_plan.ts";
import { spoken } from "./resource.ts";
import type { Plan, Situation, Takeover } from "./situation.ts";
import { isSameStatus, printStatus } from "./status.ts";
import { type Clerk, decisionOf, lockOf, unlockOf } from "./transactions.ts";

/** Lines of one file that are told to be no orders, and how much of each. */
const TOLD_MAX = 8;
const LINE_MAX = 100;

/** What the core tells the manager about the cluster. */
export type Knowledge = Omit<
  Situation,
  | "self"
  | "spec"
  | "timing"
  | "status"
  | "statusVersion"
  | "definitions"
  | "rules"
  | "machines"
  | "scheduling"
  | "mode"
  | "commands"
  | "out"
  | "goneFor"
  | "guardless"
>;

interface Flight {
  readonly tag: string;
  readonly kind: "lock" | "decision";
  readonly plan: Plan | null;
  readonly since: Instant;
}

interface Claim extends Takeover {
  readonly lastHeard: Instant;
  readonly downAt: Instant;
  readonly provenAt: Instant;
  readonly claimedAt: Instant;
}

/** See the module's note. */
export class Manager {
  readonly #context: HaContext;
  readonly #files: HaFiles;
  readonly #clerk: Clerk;
  readonly #claims = new Map<ResourceId, Claim>();
  readonly #downAt = new Map<NodeId, Instant>();
  readonly #guardless = new Guardless();
  /** When the plan was made that found it dead. */
  readonly #provenAt = new Map<NodeId, Instant>();
  #epoch = 0;
  #flight: Flight | null = null;
  /** Index that must be applied here before the next plan. */
  #settled = 0;
  #retryAt: Instant = EPOCH;
  #flights = 0;

  constructor(context: HaContext, files: HaFiles, clerk: Clerk) {
    this.#context = context;
    this.#files = files;
    this.#clerk = clerk;
  }

  /** This node holds the lock, and took it in this life. */
  get isDc(): boolean {
    const { lock } = this.#files;
    return lock !== null && lock.holder === this.#context.self && lock.epoch === this.#epoch;
  }

  /** A member's state changed. */
  onMember({ health }: Extract<Fact, { fact: "heartbeat.member" }>): void {
    this.#guardless.note(health, this.#context.now);
    if (health.state !== "down") {
      this.#downAt.delete(health.node);
      this.#provenAt.delete(health.node);
    } else if (!this.#downAt.has(health.node)) this.#downAt.set(health.node, this.#context.now);
  }

  /** Takes the lock or makes the next plan, where it is on us and nothing is under way. */
  manage(knowledge: Knowledge, position: Position | null): void {
    const { now } = this.#context;
    if (this.#flight !== null || now < this.#retryAt || this.#files.index < this.#settled) return;
    if (this.#files.damaged) return;
    if (this.isDc) return this.#plan(knowledge);
    // The holder that was restarted takes it anew, wherever the Raft leader is now: to the leader it
    // looks alive, and nobody else would.
    const ours = this.#files.lock?.holder === this.#context.self;
    const leads = position?.leader === this.#context.self && position.writable;
    if (ours || (leads && this.#isLockFree(knowledge))) this.#takeLock();
  }

  /** Gives the lock back: this node stops. */
  resign(): void {
    if (!this.isDc) return;
    const transaction = unlockOf(this.#clerk, this.#epoch);
    this.#epoch = 0;
    this.#context.ask({ request: "config.propose", tag: "ha:unlock", transaction });
  }

  /** Is this the tag of what is under way? */
  awaits(tag: string): boolean {
    return this.#flight?.tag === tag;
  }

  onOutcome(tag: string, outcome: Outcome, knowledge: Knowledge): void {
    const flight = this.#flight;
    if (flight?.tag !== tag) return;
    this.#flight = null;
    if (!outcome.ok) {
      this.#retryAt = after(this.#context.now, this.#context.timing.beatMs);
      return;
    }
    this.#settled = outcome.index;
    if (flight.kind === "lock") this.#epoch = outcome.index;
    else if (flight.plan !== null) this.#decided(flight, flight.plan, knowledge);
  }

  /** A resource is reported to run: the end of its takeover, if it had one. */
  onRunning(id: ResourceId, node: NodeId): void {
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    this.#claims.delete(id);
    if (claim.to !== node) return;
    const { from, to, proof, lastHeard, downAt, provenAt, claimedAt } = claim;
    const phases: Phases = {
      detectMs: downAt - lastHeard,
      fenceMs: provenAt - downAt,
      claimMs: claimedAt - provenAt,
      startMs: this.#context.now - claimedAt,
    };
    const names = { from: this.#context.name(from), to: this.#context.name(to) };
    const because = reason("ha.takeover", {
      id,
      from: names.from,
      node: names.to,
      to: names.to,
      why: "node_fail",
    });
    this.#context.tell({ fact: "ha.takeover", id, from, to, proof, phases, because });
    const { detectMs, fenceMs, claimMs, startMs } = phases;
    this.#context.say(
      `takeover: ${spoken(id)}, reason=node_fail, from=${names.from}, to=${names.to}, ` +
        `proof=${proof}, detect=${seconds(detectMs)} fence=${seconds(fenceMs)} ` +
        `claim=${seconds(claimMs)} start=${seconds(startMs)}`,
      because,
    );
  }

  #isLockFree({ health, present }: Knowledge): boolean {
    const { lock } = this.#files;
    if (lock === null || lock.holder === this.#context.self) return true;
    if (memberOf(this.#context.spec, lock.holder) === undefined) return true;
    if (present(lock.holder)?.departure === "over") return true;
    const state = health(lock.holder)?.state ?? "unknown";
    return state === "down" || state === "isolated";
  }

  #takeLock(): void {
    this.#fly("lock", null, lockOf(this.#clerk, this.#files));
  }

  #plan(knowledge: Knowledge): void {
    const { spec, self, timing } = this.#context;
    const { status, statusVersion, definitions, rules, machines, mode, out } = this.#files;
    const lines = this.#files.commands;
    const { scheduling } = this.#files.datacenter;
    const former = this.#files.former(spec);
    const read = lines.map((line) => ({ line, command: parseCommand(line, spec, former) }));
    const commands = read.flatMap(({ command }) => command ?? []);
    const unread = read.filter(({ command }) => command === null).map(({ line }) => line);
    const decided = { status, statusVersion, definitions, rules, scheduling, commands };
    const goneFor = (node: NodeId) => this.#context.goneFor(node);
    const guardless = (node: NodeId) => this.#guardless.for(node, this.#context.now);
    const known = { ...knowledge, goneFor, guardless };
    const whole = { ...known, ...decided, self, spec, timing, machines, mode, out };
    const next = plan(whole);
    for (const [node, disks] of next.eject) {
      this.#context.ask({ request: "storage.fence", node, disks });
    }
    // Whoever reports by a status knows every mode that was decided before it.
    const turned = next.mode !== mode;
    // Most plans change nothing; and reasons that were cut are not written anew.
    const bytes = isSameStatus(next.status, status) ? null : printStatus(next.status);
    const same = !turned && (bytes === null || equalBytes(bytes, printStatus(status)));
    if (same && lines.length === 0) return;
    const transaction = decisionOf(this.#clerk, this.#files, {
      epoch: this.#epoch,
      bytes: same ? null : bytes ?? printStatus(next.status),
      mode: turned ? next.mode : null,
      out: next.out.size === out.size ? null : next.out,
      moves: machines.moves(spec, status, next.status),
    });
    this.#fly(
      "decision",
      { ...next, said: [...next.said, ...unread.flatMap(droppedLine)] },
      transaction,
    );
  }

  #fly(
    kind: Flight["kind"],
    next: Plan | null,
    transaction: ReturnType<typeof lockOf>,
  ): void {
    const tag = `ha:dc:${++this.#flights}`;
    this.#flight = { tag, kind, plan: next, since: this.#context.now };
    this.#context.ask({ request: "config.propose", tag, transaction });
  }

  #decided({ since }: Flight, { said, takeovers, status }: Plan, knowledge: Knowledge): void {
    const { now } = this.#context;
    for (const [node, { state }] of status.nodes) {
      if (state === "dead" && !this.#provenAt.has(node)) this.#provenAt.set(node, since);
    }
    for (const { text, because } of said) this.#context.say(text, because);
    for (const takeover of takeovers) {
      const lastHeard = knowledge.health(takeover.from)?.lastHeard ?? since;
      const downAt = this.#downAt.get(takeover.from) ?? since;
      const isOld = status.nodes.get(takeover.from)?.proof === takeover.proof;
      this.#claims.set(takeover.id, {
        ...takeover,
        lastHeard,
        downAt,
        // One that nobody could take at once waited for a place, not for a proof.
        provenAt: isOld ? this.#provenAt.get(takeover.from) ?? since : since,
        claimedAt: now,
      });
      const known = { spec: this.#context.spec, health: knowledge.health };
      const why = proofReason(known, takeover.from, takeover.proof);
      this.#context.say(`takeover: ${spoken(takeover.id)}, reason=node_fail`, why);
    }
    for (const [id, claim] of this.#claims) {
      if (status.services.get(id)?.node !== claim.to) this.#claims.delete(id);
    }
  }
}

/** Somebody wrote it by hand, or meant a node that is no member any more. */
function droppedLine(line: string, at: number): Plan["said"] {
  if (at >= TOLD_MAX) return [];
  const because = reason("ha.order-dropped", {
    order: line.slice(0, LINE_MAX),
    why: "it is none, or names no member",
  });
  return [{ text: "an order is dropped", because }];
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)}s` : formatMillis(ms);
}
