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
import { ejectNode } from "./arbiter.ts";
import { StorageContext } from "./context.ts";
import type { StorageEffect, StorageEvent, StorageOptions, StorageView } from "./events.ts";
import { Lun, type LunListener } from "./lun.ts";
import { type Procedure, Procedures } from "./procedure.ts";
import { swap } from "./register.ts";
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
  readonly #swaps: Swap[] = [];
  readonly #fencing = new Set<NodeId>();
  readonly #alive = new Set<NodeId>();
  #swapping = false;
  #guardUntil: Instant = EPOCH;
  #guardHeld = false;
  #stopping = false;
  /** The guard lapsed; what ran here is not known to be gone yet. */
  #lapsed = false;

  constructor(options: StorageOptions, now: Instant) {
    this.#context = new StorageContext(options.self, options.boot, options.spec);
    this.#context.begin(now);
    this.#procedures = new Procedures(this.#context);
    const prng = new Prng(options.seed);
    const parts = { context: this.#context, procedures: this.#procedures, listener: this };
    this.#luns = options.disks.map((path, index) =>
      new Lun({ index, path, generation: prng.between(1, GENERATION_MAX) }, parts)
    );
    this.#witness = new Witness(this.#context, this.#procedures, () => this.#arbiter());
  }

  step(event: StorageEvent, now: Instant): StorageEffect[] {
    this.#context.begin(now);
    const guardMarginMs = Math.max(0, Math.min(this.#guardUntil - now, 0xffffffff));
    this.#context.content = { ...this.#context.content, guardMarginMs };
    if (event.kind === "fact") this.#fact(event.fact);
    else if (event.kind === "request") this.#request(event.request);
    else if (event.kind === "disk") this.#procedures.answer(event.tag, event.result);
    this.#procedures.wake();
    for (const lun of this.#luns) lun.tick();
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
      disks: this.#luns.map(({ path, uuid, kind, state, detail, reservation }) => {
        return { path, uuid, kind, state, detail, reservation };
      }),
      witnessHeld: this.#witness.held,
      pulses,
      verdict: this.#witness.verdict(),
      words: words.size === 1 ? [...words][0] ?? "none" : "none",
    };
  }

  onPulsed(lun: Lun, issuedAt: Instant): void {
    if (lun === this.#arbiter()) this.#witness.onPulsed(issuedAt);
  }

  onEjected(lun: Lun): void {
    const because = reason("storage.registration-lost", { disk: lun.path });
    if (lun === this.#arbiter()) this.#witness.release(because);
    this.#context.say(`scsi_res: our key is gone from ${lun.path}`, because);
    this.#context.tell({ fact: "storage.lost", because });
  }

  onInterrupted(lun: Lun, because: Reason): void {
    if (lun === this.#arbiter()) this.#witness.release(because);
  }

  isDuplicate(lun: Lun, uuid: string): boolean {
    return this.#luns.some((other) => other.index < lun.index && other.uuid === uuid);
  }

  /** The disk that judges: the one that the spec names, else the lowest uuid. */
  #arbiter(): Lun | null {
    const named = this.#context.spec.witness?.disk;
    const known = this.#luns.filter(({ uuid }) =>
      uuid !== null && (named === undefined || uuid === named)
    );
    known.sort((a, b) => (a.uuid ?? "") < (b.uuid ?? "") ? -1 : 1);
    return known[0] ?? null;
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
        return this.#witness.onMember(fact.health);
      case "ha.vitals":
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
    }
  }

  /** Nothing runs here: the moment at which last words are true, and a lost key may come back. */
  #empty(): void {
    if (this.#stopping) this.#leave("clean-stop", "ha.clean-stop");
    else if (this.#lapsed) this.#leave("self-fenced", "ha.guard-lapsed");
    this.#lapsed = false;
    for (const lun of this.#luns) lun.forgive();
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
    else if (request.request === "storage.fence") this.#fence(request.node);
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
      const lun = this.#arbiter();
      const key = lun?.liveKey ?? null;
      if (lun === null || key === null || lun.uuid === null) {
        this.#context.tell({ fact: "storage.swapped", tag: ask.tag, ok: false, register: null });
        continue;
      }
      this.#swapping = true;
      const disk = { key, uuid: lun.uuid, isHeld: () => this.#witness.held };
      this.#procedures.start(lun.index, this.#swap(ask, disk));
    }
  }

  *#swap(ask: Swap, disk: Parameters<typeof swap>[1]): Procedure<void> {
    const end = yield* swap(ask, disk);
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

  #fence(node: NodeId): void {
    if (node === this.#context.self || this.#fencing.has(node) || this.#luns.length === 0) return;
    const keys = this.#luns.map((lun) => lun.liveKey);
    const missing = this.#luns.find((lun) => lun.liveKey === null);
    if (missing !== undefined) return this.#fenceFailed(node, `${missing.path} is not ready`);
    this.#fencing.add(node);
    const left = { disks: this.#luns.length, why: "" };
    this.#luns.forEach((lun, index) => {
      const ask = { key: keys[index] ?? "", node };
      this.#procedures.start(lun.index, this.#eject(lun, ask, left));
    });
  }

  *#eject(
    lun: Lun,
    ask: { readonly key: string; readonly node: NodeId },
    left: { disks: number; why: string },
  ): Procedure<void> {
    const why = yield* ejectNode(this.#context, ask);
    if (why !== null) left.why = `${lun.path}: ${why}`;
    left.disks -= 1;
    if (left.disks > 0) return;
    this.#fencing.delete(ask.node);
    if (left.why !== "") return this.#fenceFailed(ask.node, left.why);
    const name = this.#context.name(ask.node);
    const disk = this.#luns.map(({ path }) => path).join(", ");
    const because = reason("storage.fenced", { node: name, disk });
    this.#context.tell({ fact: "storage.fenced", node: ask.node, because });
    this.#context.say(`scsi_res: ${name} is ejected from ${disk}`, because);
  }

  #fenceFailed(node: NodeId, why: string): void {
    this.#context.say(`${this.#context.name(node)} is not ejected: ${why}`, null);
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
