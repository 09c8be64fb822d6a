/**
 * Stream 4: the shared disks. Routes events to the disks (`lun.ts`), the vote (`witness.ts`) and
 * the procedures, and turns requests into procedures.
 *
 * @module
 */
import type { Core } from "../base/core.ts";
import type { NodeId } from "../base/id.ts";
import { Prng } from "../base/prng.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, EPOCH, type Instant, latest, NEVER } from "../base/time.ts";
import type { Fact, Request } from "../streams.ts";
import { StorageContext } from "./context.ts";
import type { StorageEffect, StorageEvent, StorageOptions, StorageView } from "./events.ts";
import { Fences } from "./fence.ts";
import type { PulseSlot } from "./layout.ts";
import { Lun, type LunListener } from "./lun.ts";
import { Mailbox } from "./mailbox.ts";
import { type Procedure, Procedures } from "./procedure.ts";
import { swap, type SwapPlace } from "./register.ts";
import { GENERATION_MAX } from "./reservation.ts";
import { Witness } from "./witness.ts";

/** Swaps that may wait for one another; more are refused at once. */
export const SWAPS_MAX = 16;

type Swap = Extract<Request, { request: "storage.swap" }>;

/** The state machine of stream 4. */
export class StorageCore implements Core<StorageEvent, StorageEffect>, LunListener {
  readonly #context: StorageContext;
  readonly #procedures: Procedures;
  readonly #luns: readonly Lun[];
  readonly #witness: Witness;
  readonly #mail: Mailbox;
  readonly #swaps: Swap[] = [];
  readonly #fences: Fences;
  readonly #alive = new Set<NodeId>();
  #swapping = false;
  #guardUntil: Instant = EPOCH;
  #guardHeld = false;
  #stopping = false;
  /** The guard lapsed; what ran here is not known to be gone yet. */
  #lapsed = false;

  constructor(options: StorageOptions, now: Instant) {
    this.#context = new StorageContext(options);
    this.#context.begin(now);
    this.#procedures = new Procedures(this.#context);
    const prng = new Prng(options.seed);
    const parts = { context: this.#context, procedures: this.#procedures, listener: this };
    this.#luns = options.disks.map((path, index) =>
      new Lun({ index, path, generation: prng.between(1, GENERATION_MAX) }, parts)
    );
    const lose = ({ path }: Lun) => this.#lose(reason("storage.registration-lost", { disk: path }));
    this.#witness = new Witness(parts, this.#luns, lose);
    this.#mail = new Mailbox(this.#context);
    this.#fences = new Fences(this.#context, this.#procedures, this.#luns);
  }

  step(event: StorageEvent, now: Instant): StorageEffect[] {
    this.#context.begin(now);
    const guardMarginMs = Math.max(0, Math.min(this.#guardUntil - now, 0xffffffff));
    this.#context.content = { ...this.#context.content, guardMarginMs };
    if (event.kind === "fact") this.#fact(event.fact);
    else if (event.kind === "request") this.#request(event.request);
    else if (event.kind === "disk") this.#procedures.answer(event.tag, event.result);
    this.#procedures.wake();
    for (const lun of this.#luns) {
      lun.reconsider();
      lun.tick();
    }
    this.#witness.tick();
    this.#nextSwap();
    this.#watchSilence();
    return this.#context.take();
  }

  deadline(): Instant {
    const luns = this.#luns.map((lun) => lun.deadline());
    const due = earliest(NEVER, this.#procedures.deadline(), this.#witness.deadline(), ...luns);
    return latest(due, this.#context.now());
  }

  /** For status and `storage show`. */
  view(): StorageView {
    const now = this.#context.now();
    const pulses = this.#context.peers().flatMap((node) => {
      const slots = this.#luns.flatMap((lun) => lun.pulse.seen().get(node) ?? []);
      const newest = slots.filter(({ moved }) => moved).sort((a, b) => b.since - a.since)[0];
      if (newest === undefined) return [];
      return [{ node, seq: newest.slot.seq, ageMs: now - newest.since }];
    });
    const words = new Set(this.#luns.map((lun) => lun.words));
    return {
      disks: this.#luns.map((lun) => {
        const { path, uuid, kind, state, detail, group, reservation } = lun;
        const role = this.#witness.isSeat(lun) ? "witness" : "data";
        const heard = [...lun.pulse.seen()].filter(([, { moved }]) => moved)
          .map(([node, { since }]) => ({ node, ageMs: now - since }));
        const last = lun.test;
        const test = last && { ...last.test, ageMs: now - last.at, former: last.former };
        return { path, uuid, kind, role, state, detail, group, heard, reservation, test };
      }),
      degraded: this.#degraded(),
      witnessHeld: this.#witness.held,
      pulses,
      verdict: this.#witness.verdict(),
      words: words.size === 1 ? [...words][0] ?? "none" : "none",
    };
  }

  onPulsed(lun: Lun, issuedAt: Instant): void {
    this.#witness.onPulsed(lun, issuedAt);
  }

  onSlot(slot: PulseSlot): void {
    const because = this.#mail.read(slot);
    if (because !== null) this.#lose(because);
  }

  onEjected(lun: Lun, raced: boolean): void {
    const because = reason("storage.registration-lost", { disk: lun.path });
    this.#witness.onLost(lun, because);
    this.#context.say(`scsi_res: our key is gone from ${lun.path}`, because);
    // One of several disks that judge is not the judgement, but for who raced and was too late.
    if (this.#witness.isSeat(lun) && !this.#witness.beaten && !raced) return;
    this.#lose(because);
  }

  /** Whatever runs here must end; only the word that it has lets this life register again. */
  #lose(because: Reason): void {
    this.#context.standing.onLapse();
    this.#context.tell({ fact: "storage.lost", because });
  }

  onInterrupted(lun: Lun, because: Reason): void {
    this.#witness.onLost(lun, because);
  }

  isKept(lostAt: Instant): boolean {
    return this.#witness.isKept(lostAt);
  }

  isDuplicate(lun: Lun, uuid: string): boolean {
    return this.#luns.some((other) => other.index < lun.index && other.uuid === uuid);
  }

  /** What is not as it should be, though nothing is decided by it: one sentence each. */
  #degraded(): string[] {
    const said = this.#luns.filter(({ state }) => state !== "ready")
      .map(({ path, state, detail }) => `${path} is ${state}: ${detail}`);
    for (const { path, test } of this.#luns) {
      if (test?.test.verdict === "cannot-fence") {
        said.push(`${path} cannot fence: it takes the writes of who is not registered`);
      }
    }
    const panel = this.#witness.panel();
    if (panel === null || this.#context.spec.witness === null) return said;
    const missing = panel.order.filter((uuid) => !this.#luns.some((lun) => lun.uuid === uuid));
    return [...said, ...missing.map((uuid) => `the witness disk ${uuid} is not there`)];
  }

  #fact(fact: Fact): void {
    switch (fact.fact) {
      case "config.spec": {
        this.#context.setSpec(fact.spec);
        const members = new Set(this.#context.peers());
        for (const lun of this.#luns) lun.pulse.keep(members);
        return this.#witness.onSpec();
      }
      case "config.shared":
        return this.#witness.onShared();
      case "heartbeat.member":
        this.#mail.onMember(fact.health);
        if (fact.health.state !== "down") this.#fences.heard(fact.health.node);
        return this.#witness.onMember(fact.health);
      case "heartbeat.proof":
        return this.#context.standing.onProof(fact.provenAt);
      case "ha.clear":
        return this.#context.standing.onEmpty(this.#context.now());
      case "ha.vitals":
        this.#context.standing.onResources(fact.vitals.resources);
        this.#context.content = {
          ...this.#context.content,
          diskLocks: fact.vitals.diskLocks,
        };
        return this.#witness.onLocks();
      case "ha.guard":
        return this.#guard(fact.state === "held", fact.until);
      case "ha.empty":
        if (fact.boot === this.#context.boot) this.#empty();
        return;
    }
  }

  #guard(held: boolean, until: Instant): void {
    this.#guardUntil = held ? until : EPOCH;
    if (held) {
      this.#lapsed = false;
      this.#guardHeld = true;
      if (this.#context.content.words === "self-fenced") this.#leave("none", "");
    } else if (this.#guardHeld) {
      this.#guardHeld = false;
      this.#lapsed = true;
      this.#context.standing.onLapse();
    }
  }

  /** Nothing runs here: the moment at which last words are true, and a lost key may come back. */
  #empty(): void {
    if (this.#stopping) this.#leave("clean-stop", "ha.clean-stop");
    else if (this.#lapsed) this.#leave("self-fenced", "ha.guard-lapsed");
    this.#lapsed = false;
    this.#context.standing.onEmpty(this.#context.now());
  }

  #leave(words: "none" | "clean-stop" | "self-fenced", cause: string): void {
    if (this.#context.content.words === words) return;
    this.#context.content = { ...this.#context.content, words, cause };
    for (const lun of this.#luns) lun.hurry();
  }

  #request(request: Request): void {
    if (request.request === "ha.shutdown") {
      this.#stopping = true;
      this.#witness.retire();
    } else if (request.request === "storage.swap") this.#enqueue(request);
    else if (request.request === "storage.fence") {
      if (request.node !== this.#context.self) this.#mail.pill(request.node);
      this.#fences.fence(request.node, request.disks);
    }
  }

  #enqueue(ask: Swap): void {
    if (this.#swaps.length < SWAPS_MAX) this.#swaps.push(ask);
    else this.#context.tell({ fact: "storage.swapped", tag: ask.tag, ok: false, register: null });
  }

  /** One swap at a time. */
  #nextSwap(): void {
    while (!this.#swapping) {
      const ask = this.#swaps.shift();
      if (ask === undefined) return;
      const place = this.#witness.place(ask.held);
      const first = place?.seats[0];
      if (place === null || first === undefined) {
        this.#context.tell({ fact: "storage.swapped", tag: ask.tag, ok: false, register: null });
        continue;
      }
      this.#swapping = true;
      this.#procedures.start(first.index, this.#swap(ask, place));
    }
  }

  *#swap(ask: Swap, place: SwapPlace): Procedure<void> {
    const end = yield* swap(ask, place);
    this.#swapping = false;
    const { ok, register, why } = end;
    this.#context.tell({ fact: "storage.swapped", tag: ask.tag, ok, register });
    // Nobody expects a version below 0: it was only to be read.
    if (!ok && ask.expect < 0) return;
    if (!ok) return this.#context.say(`register: not written, ${why}`, null);
    const set = ask.register.set.map((id) => this.#context.name(id)).join("+");
    this.#context.say(`register: version=${ask.register.version}, set=${set}`, null);
    this.#witness.onRegister(ask.register);
  }

  /** Says once when a pulse that moved stands still. */
  #watchSilence(): void {
    const { deadMs } = this.#context.timing;
    for (const node of this.#context.peers()) {
      const moved = latest(...this.#luns.map((lun) => lun.pulse.movedAt(node)));
      if (moved === EPOCH) continue;
      if (after(moved, deadMs) > this.#context.now()) this.#alive.add(node);
      else if (this.#alive.delete(node)) {
        const name = this.#context.name(node);
        const ms = Math.round(this.#context.now() - moved);
        const because = reason("storage.pulse-silent", { node: name, ms });
        this.#context.say(`pulse of ${name} stands still for ${ms} ms`, because);
      }
    }
  }
}
