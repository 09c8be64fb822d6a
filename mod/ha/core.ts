/**
 * Stream 3: what should run where, and why; and whether this node may own anything at all. Read
 * `DESIGN.md` of this folder first.
 *
 * Each step begins with the guard: if it has lapsed, everything is killed before anything else is
 * thought about. It ends with the watchdog: only a turn that came this far pets it.
 *
 * @module
 */
import { memberOf } from "../base/cluster.ts";
import { numberWord } from "./commands.ts";
import type { Core } from "../base/core.ts";
import { bootId, type NodeId, requestId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, type Instant } from "../base/time.ts";
import type { Fact, MemberHealth, Position, Request } from "../streams.ts";
import { Agent, isTold } from "./agent.ts";
import { Arming } from "./arming.ts";
import { ResourceBoard } from "./board.ts";
import { isOfConcern } from "./concern.ts";
import { HaContext } from "./context.ts";
import type { Words } from "./death.ts";
import { Departure } from "./departure.ts";
import { Duty } from "./duty.ts";
import { Ejections } from "./ejections.ts";
import type { HaEffect, HaEvent, HaOptions } from "./events.ts";
import { HaFiles } from "./files.ts";
import { Guard } from "./guard.ts";
import { Herald } from "./herald.ts";
import { type Knowledge, Manager } from "./manager.ts";
import { type Clerk, orderOf } from "./transactions.ts";
import { type HaView, viewOf } from "./view.ts";

/** The state machine of stream 3. */
export class HaCore implements Core<HaEvent, HaEffect> {
  readonly #context: HaContext;
  readonly #files = new HaFiles();
  readonly #guard = new Guard();
  readonly #arming: Arming;
  readonly #duty: Duty;
  readonly #agent: Agent;
  readonly #manager: Manager;
  readonly #board: ResourceBoard;
  readonly #herald: Herald;
  readonly #clerk: Clerk;
  readonly #knowledge: Knowledge;
  readonly #healths = new Map<NodeId, MemberHealth>();
  readonly #words = new Map<NodeId, Words>();
  readonly #ejected = new Ejections();
  #position: Position | null = null;
  #quorate = false;
  #roundAt: Instant;
  #sampling = false;
  #killTag: number | null = null;
  /** Tenure in which a read barrier has shown that our decisions are not stale. */
  #barrierTenure = 0;
  #barrierTag: string | null = null;
  #barriers = 0;
  readonly #departure: Departure;
  /** In this maintenance the leadership was handed over, or tried to be: once is enough. */
  #handedOver = false;
  #dc = "";

  constructor(options: HaOptions, now: Instant) {
    const { self, boot, spec, wallAtStart, startedAt } = options;
    this.#context = new HaContext(self, boot, { spec, now });
    this.#roundAt = now;
    this.#arming = new Arming(this.#context);
    const watched = { files: this.#files, guard: this.#guard, arming: this.#arming };
    this.#duty = new Duty(this.#context, watched);
    this.#agent = new Agent(this.#context);
    this.#board = new ResourceBoard(this.#context);
    let ids = 0;
    this.#clerk = {
      // A life's own random number and a counter: no other life draws the same.
      nextId: () => {
        const low = (Number.parseInt(boot.slice(8), 16) + ++ids) % 2 ** 32;
        return requestId(boot.slice(0, 8) + low.toString(16).padStart(8, "0"));
      },
      author: () => `ha@${this.#context.name(self)}`,
      base: () => this.#position?.applied ?? 0,
      time: () => Math.floor(wallAtStart + (this.#context.now - startedAt) / 1000),
    };
    this.#manager = new Manager(this.#context, this.#files, this.#clerk);
    this.#departure = new Departure(this.#context, this.#files, this.#clerk);
    const health = (node: NodeId) => this.#healths.get(node) ?? null;
    this.#herald = new Herald(this.#context, {
      ...watched,
      agent: this.#agent,
      departure: this.#departure,
      health,
    });
    const present = (node: NodeId) => this.#herald.present(node);
    this.#knowledge = {
      present,
      health,
      news: (node) => this.#herald.news(node),
      vitals: (node) => node === self ? this.#herald.vitals : health(node)?.vitals ?? null,
      report: (node) => {
        const report = present(node);
        return report !== null && report.status >= this.#files.statusVersion ? report : null;
      },
      words: (node) => this.#words.get(node) ?? null,
      storageFenced: (node, luns) => this.#ejected.covers(node, luns),
      steady: (id) => this.#board.isSteady(id),
    };
  }

  step(event: HaEvent, now: Instant): HaEffect[] {
    this.#context.now = now;
    if (this.#guard.check(now) === "lapsed") {
      const ms = Math.round(now - this.#guard.provenAt);
      this.#onLapse(reason("ha.guard-lapsed", { ms }));
    }
    const known = { position: this.#position, awaits: (tag: string) => this.#manager.awaits(tag) };
    const idle = event.kind === "fact" && !isOfConcern(event.fact, known);
    this.#consume(event);
    if (idle && now < this.#roundAt) return this.#context.take();
    if (now >= this.#roundAt) this.#round();
    if (this.#duty.tend(this.#isFresh && !this.#departure.draining)) this.#onHeld();
    this.#departure.tend(this.#agent.ready && this.#agent.empty, this.#agent.sends);
    this.#drainIfAsked();
    this.#agent.tend(this.#permit());
    // What stops here may take its time, and the others must not wait for it with what they lose.
    const manages = this.#quorate && !this.#herald.leaving;
    if (manages) this.#manager.manage(this.#knowledge, this.#position);
    this.#herald.report(false);
    this.#board.refresh(this.#files, this.#knowledge.present, {
      vitals: () => this.#herald.vitalsText(),
      onRunning: (id, node) => this.#manager.onRunning(id, node),
      isNews: this.#isFresh || this.#guard.suspended,
    });
    this.#arming.pet(this.#guard.held);
    return this.#context.take();
  }

  deadline(): Instant {
    return earliest(
      this.#roundAt,
      this.#guard.deadline(),
      this.#agent.deadline(),
      this.#arming.deadline(this.#guard.held),
      this.#departure.deadline(),
    );
  }

  view(): HaView {
    return viewOf({
      files: this.#files,
      guard: this.#guard,
      arming: this.#arming,
      board: this.#board,
    });
  }

  #consume(event: HaEvent): void {
    const { definitions } = this.#files;
    switch (event.kind) {
      case "tick":
        return;
      case "fact":
        return this.#onFact(event.fact);
      case "request":
        return this.#onRequest(event.request);
      case "frame":
        return this.#onFrame(event.from, event.bytes);
      case "sampled":
        this.#sampling = false;
        return this.#herald.tellVitals(event);
      case "done":
        if (event.tag === this.#killTag) return this.#onKilled(event.failure);
        return this.#fence(this.#agent.onDone(event, definitions));
      case "monitored":
        return this.#agent.onMonitored(event.tag, event.health, definitions);
      case "listed":
        if (event.running.length === 0 && !this.#agent.ready) {
          this.#context.tell({ fact: "ha.clear" });
        }
        return this.#agent.onListed(event.running);
      case "exited":
        return this.#agent.onExited(event.id, event.how, definitions);
      case "watchdog":
        this.#arming.onOpened(event.identity);
        return this.#herald.tellVitals();
    }
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "heartbeat.view":
        this.#quorate = fact.view.quorate;
        return;
      case "heartbeat.member":
        this.#healths.set(fact.health.node, fact.health);
        if (fact.health.state !== "down") this.#ejected.forget(fact.health.node);
        return this.#manager.onMember(fact);
      case "heartbeat.proof":
        return this.#onProof(fact.provenAt);
      case "config.spec":
        this.#context.spec = fact.spec;
        return;
      case "config.position":
        this.#position = fact.position;
        return;
      case "config.applied":
        this.#files.apply(fact.changes, fact.index, fact.whole);
        this.#ejected.keepFenced(this.#files.status);
        return this.#tellDc(fact.whole);
      case "config.outcome":
        return this.#manager.onOutcome(fact.tag, fact.outcome, this.#knowledge);
      case "config.barrier":
        if (fact.tag !== this.#barrierTag) return;
        this.#barrierTag = null;
        if (fact.ok && this.#guard.held) this.#barrierTenure = this.#guard.tenure;
        return;
      case "storage.pulse": {
        const { node, words, boot, seenAt: at } = fact;
        if (words === "none") this.#words.delete(node);
        else this.#words.set(node, { words, boot, at });
        return;
      }
      case "storage.lost":
        if (this.#guard.lapse(this.#context.now) === "lapsed") {
          this.#onLapse(reason("ha.guard-storage-lost"));
        } else this.#killAll();
        return;
      case "storage.fenced":
        this.#ejected.add(fact.node, fact.disks);
        return this.#ejected.keepFenced(this.#files.status);
      default:
        return;
    }
  }

  #onRequest(request: Request): void {
    if (request.request === "ha.shutdown") {
      this.#departure.begin(request.how ?? "stop");
      // Asked once more: what came after the first time did not end well.
      if (this.#herald.leaving) this.#context.tell({ fact: "ha.empty", boot: this.#context.boot });
    } else if (request.request === "ha.confirm-dead") {
      const known = memberOf(this.#context.spec, request.node)?.name;
      const line = `confirm-dead ${known ?? numberWord(request.node)}`;
      const transaction = orderOf(this.#clerk, this.#files, line);
      this.#context.ask({ request: "config.propose", tag: request.tag, transaction });
    }
  }

  #onFrame(from: NodeId, bytes: Uint8Array): void {
    const report = this.#herald.onFrame(from, bytes);
    if (report?.departure !== "over") return;
    const words = { words: "clean-stop", boot: bootId(report.boot) } as const;
    this.#words.set(from, { ...words, at: this.#context.now });
  }

  // ------------------------------------------------------------------------------- the guard

  #onProof(provenAt: Instant): void {
    const { now, timing } = this.#context;
    const turn = this.#guard.prove(provenAt, timing.leaseMs, now);
    if (turn === "began") this.#onHeld();
    else if (turn === "advanced") this.#tellHeld();
  }

  #tellHeld(): Reason {
    const { until, provenAt } = this.#guard;
    this.#context.do({ kind: "guard-until", until });
    const because = reason("ha.guard-held", { ms: Math.round(this.#context.now - provenAt) });
    this.#context.tell({ fact: "ha.guard", state: "held", until, because });
    return because;
  }

  /** A tenure begins. */
  #onHeld(): void {
    this.#context.say("guard held", this.#tellHeld());
    if (!this.#departure.draining) this.#arming.open();
    this.#askBarrier();
  }

  #onLapse(because: Reason): void {
    this.#context.say("guard lapsed", because);
    // The kill goes out first: nothing that is told may come before it.
    this.#killAll();
    if (this.#agent.ready && this.#agent.empty) this.#arming.close();
    const { until } = this.#guard;
    this.#context.tell({ fact: "ha.guard", state: "lapsed", until, because });
    this.#barrierTag = null;
    this.#herald.tellVitals();
  }

  /** A stop failed. Without a watchdog a kill proves nothing to anybody, and costs the others. */
  #fence(because: Reason | null): void {
    if (because === null || !this.#arming.armed || this.#files.mode === "disarmed") return;
    if (this.#guard.lapse(this.#context.now) === "lapsed") this.#onLapse(because);
  }

  #killAll(): void {
    if (this.#killTag !== null) return;
    this.#killTag = this.#context.tag();
    this.#context.do({ kind: "kill-all", tag: this.#killTag });
  }

  #onKilled(failure: string | null): void {
    this.#killTag = null;
    if (failure !== null) {
      // Tried again each round; until then the watchdog is not petted and the node owns nothing.
      if (!isTold(this.#guard.failed())) return;
      return this.#context.say(`killed resources remain: ${failure}`, reason("ha.guard-stuck"));
    }
    this.#agent.onKilled();
    this.#guard.clean();
    if (!this.#guard.held) this.#arming.close();
    this.#context.tell({ fact: "ha.empty", boot: this.#context.boot });
    this.#herald.tellVitals();
  }

  #askBarrier(): void {
    this.#barrierTag = `ha:barrier:${this.#guard.tenure}:${++this.#barriers}`;
    this.#context.ask({ request: "config.barrier", tag: this.#barrierTag });
  }

  // ------------------------------------------------------------------------------- the agent

  /** What is applied here is at least as new as all that was committed before this tenure. */
  get #isFresh(): boolean {
    return this.#guard.held && this.#agent.ready && !this.#files.damaged &&
      this.#barrierTenure === this.#guard.tenure;
  }

  #permit() {
    const { status, definitions, mode, out, outDamaged } = this.#files;
    const self = status.nodes.get(this.#context.self);
    const hold = mode === "disarmed";
    const fresh = this.#isFresh && !hold;
    // Without a watchdog nothing may run before the manager knows that waiting proves nothing here.
    const armed = this.#arming.armed || (this.#arming.known && self?.armed === false);
    // Whoever was put out may run it, by decisions of which nothing is known here.
    const unique = out.size === 0 && !outDamaged;
    return {
      start: fresh && armed && unique && self?.state === "online" && !this.#departure.draining,
      stop: fresh && self !== undefined && self.state !== "fence",
      drain: this.#departure.draining && this.#agent.ready,
      hold,
      status,
      definitions,
      machines: this.#files.machines,
      maxWorkers: this.#files.datacenter.maxWorkers,
      news: this.#knowledge.news,
    };
  }

  #round(): void {
    const { now, timing } = this.#context;
    this.#roundAt = after(now, timing.haRoundMs);
    if (!this.#agent.ready) this.#context.do({ kind: "list" });
    if (!this.#sampling) {
      this.#sampling = true;
      this.#context.do({ kind: "sample" });
    }
    if (this.#guard.dirty) this.#killAll();
    const asked = this.#barrierTag !== null || this.#barrierTenure === this.#guard.tenure;
    if (this.#guard.held && !asked) this.#askBarrier();
    this.#handOver();
    this.#herald.report(true);
  }

  /** A node in maintenance is about to be worked on: it should not lead, once it is empty. */
  #handOver(): void {
    const { self } = this.#context;
    const maintained = this.#files.status.nodes.get(self)?.maintenance === true;
    if (!maintained) this.#handedOver = false;
    const leads = this.#position?.leader === self && this.#position.writable;
    if (!maintained || this.#handedOver || !leads || !this.#agent.empty) return;
    this.#handedOver = true;
    this.#context.ask({ request: "config.transfer", tag: "ha:transfer", to: null });
  }

  /** Once nothing runs here any more, the node says so and gives up what it holds. */
  #drainIfAsked(): void {
    const busy = !this.#agent.ready || !this.#agent.empty || this.#guard.dirty;
    if (!this.#departure.draining || this.#herald.leaving || busy) return;
    this.#herald.leaving = true;
    this.#manager.resign();
    this.#arming.close();
    this.#herald.report(true);
    this.#context.tell({ fact: "ha.empty", boot: this.#context.boot });
  }

  /** `old`: it is what the database held at start, and no news. */
  #tellDc(old: boolean): void {
    const { lock } = this.#files;
    const now = lock === null ? "" : `${lock.holder} ${lock.epoch}`;
    if (now === this.#dc) return;
    this.#dc = now;
    const [node, epoch] = [lock?.holder ?? null, lock?.epoch ?? 0];
    const name = node === null ? "nobody" : this.#context.name(node);
    const because = reason(node === null ? "ha.lost-dc" : "ha.elected-dc", { node: name, epoch });
    this.#context.tell({ fact: "ha.dc", node, epoch, because });
    if (!old) this.#context.say(`dc=${name}, epoch=${epoch}`, because);
  }
}
