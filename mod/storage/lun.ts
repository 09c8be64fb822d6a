/**
 * One shared disk in the life of this node: opening, ready, lost, unregistered; and the pulse cycle
 * that keeps it under watch. One procedure of its own at a time (`#busy`).
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, EPOCH, type Instant, NEVER } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { LastWords, StorageFact } from "../streams.ts";
import type { StorageContext } from "./context.ts";
import { enrol, type Enrolment, holdReservation, isState } from "./enrol.ts";
import { openDisk, readReservations, reopenAt } from "./enrol.ts";
import { BLOCK_BYTES, decodePulse, encodePulse, slotOffset } from "./layout.ts";
import { failureText, isConflict, type Procedure, type Procedures } from "./procedure.ts";
import { DiskPulse } from "./pulse.ts";
import { isForgotten, isProtected, parseKey, reservationDigest } from "./reservation.ts";

/** Cycles in a row that must miss our registration before it counts as gone. */
export const MISSES_MAX = 2;
/** Slots of one read: neighbours are read together up to 256 KiB. */
export const SLOTS_PER_READ = 64;

/** What the core wants to know of its disks. */
export interface LunListener {
  /** A pulse issued at `issuedAt` is on the disk, and the registration was still there after it. */
  onPulsed(lun: Lun, issuedAt: Instant): void;
  /** Our registration was taken away. */
  onEjected(lun: Lun): void;
  /** The disk does not answer, or its registrations were forgotten: nothing held there counts. */
  onInterrupted(lun: Lun, because: Reason): void;
  /** True where another disk of ours already has this uuid. */
  isDuplicate(lun: Lun, uuid: string): boolean;
}

/** One disk. */
export class Lun {
  readonly index: number;
  readonly path: string;
  readonly pulse: DiskPulse;
  readonly #context: StorageContext;
  readonly #procedures: Procedures;
  readonly #listener: LunListener;
  #state: "opening" | "ready" | "lost" | "unregistered" = "opening";
  #detail = "not opened yet";
  #kind: string | null = null;
  #uuid: string | null = null;
  #reservation: ReservationState | null = null;
  /** The key under which this life is registered, or was when the disk was lost. */
  #key: string | null = null;
  #generation: number;
  #misses = 0;
  /** One of the looks that missed our key found nobody registered at all. */
  #forgotten = false;
  #busy = false;
  /** This life lost its key and may not register again before nothing runs here. */
  #banned = false;
  #due: Instant = EPOCH;
  /** The last words that this disk is known to carry from us. */
  #words: LastWords = "none";

  constructor(
    place: { readonly index: number; readonly path: string; readonly generation: number },
    parts: {
      readonly context: StorageContext;
      readonly procedures: Procedures;
      readonly listener: LunListener;
    },
  ) {
    this.index = place.index;
    this.path = place.path;
    this.#generation = place.generation;
    this.#context = parts.context;
    this.#procedures = parts.procedures;
    this.#listener = parts.listener;
    this.pulse = new DiskPulse(parts.context.self, parts.context.boot);
  }

  get state(): "opening" | "ready" | "lost" | "unregistered" {
    return this.#state;
  }

  get detail(): string {
    return this.#detail;
  }

  get kind(): string | null {
    return this.#kind;
  }

  get uuid(): string | null {
    return this.#uuid;
  }

  /** As last read. */
  get reservation(): ReservationState | null {
    return this.#reservation;
  }

  get words(): LastWords {
    return this.#words;
  }

  /** Our key while our registration is believed to be alive, else null. */
  get liveKey(): string | null {
    return this.#state === "ready" && this.#misses === 0 ? this.#key : null;
  }

  deadline(): Instant {
    return this.#busy ? NEVER : this.#due;
  }

  /** Starts what is due. */
  tick(): void {
    if (this.#busy || this.#context.now() < this.#due) return;
    this.#run(
      this.#state === "ready" || this.#state === "unregistered" ? this.#cycle() : this.#open(),
    );
  }

  /** The next cycle is due at once: there is something new to write. */
  hurry(): void {
    if (this.#misses === 0) this.#due = earliest(this.#due, this.#context.now());
  }

  /** Nothing runs on this node any more, so a life that lost its key may register again. */
  forgive(): void {
    if (!this.#banned) return;
    this.#banned = false;
    this.#key = null;
    if (this.#state !== "unregistered") return;
    this.#state = "opening";
    this.#detail = "registers again";
    this.hurry();
  }

  /** Our key was seen to be gone, twice, by whoever looked. */
  ejected(state: ReservationState): void {
    if (this.#state !== "ready") return;
    this.observe(state);
    const because = reason("storage.registration-lost", { disk: this.path });
    this.#state = "unregistered";
    this.#banned = true;
    this.#detail = "our registration was taken away";
    this.#key = null;
    this.#misses = 0;
    this.#context.tell({
      fact: "storage.disk",
      disk: this.index,
      state: "unregistered",
      because,
    });
    this.#listener.onEjected(this);
  }

  /** Keeps what the target says about reservations, and says it aloud when it changed. */
  observe(state: ReservationState, because: Reason | null = null): void {
    const before = this.#reservation;
    this.#reservation = state;
    if (before !== null && reservationDigest(before) === reservationDigest(state)) return;
    const parts = state.holder === null ? null : parseKey(state.holder);
    const owner = parts === null ? "nobody" : this.#context.name(parts.node);
    const key = state.holder === null ? "none" : `0x${state.holder}`;
    this.#context.say(`scsi_res: key=${key}, owner=${owner}, keys=${state.keys.length}`, because);
  }

  *#open(): Procedure<void> {
    const opening = yield* openDisk(this.path, this.#context);
    if (opening.end === "failed") return this.#fail(opening.why);
    const { uuid } = opening.label;
    if (this.#listener.isDuplicate(this, uuid)) return this.#fail("it is named twice");
    if (this.#uuid !== null && this.#uuid !== uuid) this.#key = null;
    this.#kind = opening.kind;
    this.#uuid = uuid;
    if (!this.#banned) return yield* this.#enrol();
    this.#state = "unregistered";
    this.#due = this.#context.now();
  }

  *#enrol(): Procedure<void> {
    const end = yield* enrol(this.#context, { old: this.#key, generation: this.#generation });
    this.#settle(end);
  }

  #settle(end: Enrolment): void {
    if (end.end === "failed") return this.#fail(end.why);
    const again = this.#state === "ready";
    this.#state = "ready";
    this.#misses = 0;
    this.#due = this.#context.now();
    if (end.end === "ejected") return this.ejected(end.state);
    this.#key = end.key;
    this.#generation = parseKey(end.key)?.generation ?? this.#generation;
    this.#detail = `key 0x${end.key}`;
    this.observe(end.state);
    if (again) return;
    const because = reason("storage.ready", { disk: this.path });
    this.#context.tell({ fact: "storage.disk", disk: this.index, state: "ready", because });
  }

  *#cycle(): Procedure<void> {
    const { timing } = this.#context;
    const issuedAt = this.#context.now();
    this.#due = after(issuedAt, timing.beatMs);
    const words = this.#context.content.words;
    let refused = false;
    let landed = false;
    if (this.liveKey !== null && this.#uuid !== null) {
      const slot = this.pulse.compose(this.#context.content, issuedAt);
      const bytes = encodePulse(slot, this.#uuid);
      const result = yield { call: "write", offset: slotOffset(this.#context.self), bytes };
      refused = isConflict(result);
      landed = result.result === "done";
      if (!refused && !landed) return this.#fail(failureText(result));
    }
    for (const range of this.#ranges()) {
      const { offset, length } = range;
      const result = yield { call: "read", offset, length };
      if (result.result !== "bytes") return this.#fail(failureText(result));
      this.#readSlots(result.bytes, range.nodes, offset);
    }
    const state = yield* readReservations();
    if (!isState(state)) return this.#fail(failureText(state));
    yield* this.#judge(state, refused);
    if (landed && this.#state === "ready" && isProtected(state, this.#key)) {
      this.#words = words;
      this.#listener.onPulsed(this, issuedAt);
    }
  }

  /** Is our registration still what it was? */
  *#judge(state: ReservationState, refused: boolean): Procedure<void> {
    this.observe(state);
    const key = this.#key;
    if (this.#state !== "ready" || key === null) return;
    const there = state.keys.includes(key);
    if (there && !refused) {
      this.#misses = 0;
      if (!isProtected(state, key)) this.#settle(yield* holdReservation(key));
      return;
    }
    this.#forgotten = isForgotten(state) || (this.#misses > 0 && this.#forgotten);
    this.#misses += 1;
    this.#due = after(this.#context.now(), this.#context.timing.beatMs);
    if (this.#misses < MISSES_MAX) return;
    // Nobody is registered: the target forgot everyone. Refused although the key is there: it
    // belongs to another nexus of ours. Either way nobody won, and enrolling anew is safe.
    if (!there && !this.#forgotten) return this.ejected(state);
    if (!there) this.#key = null;
    const why = there ? "writes are refused under our key" : "the disk forgot all registrations";
    this.#listener.onInterrupted(this, reason("storage.disk-lost", { disk: this.path, why }));
    yield* this.#enrol();
  }

  #readSlots(bytes: Uint8Array, nodes: readonly NodeId[], offset: number): void {
    const { fenceWaitMs, deadMs } = this.#context.timing;
    for (const node of nodes) {
      const at = slotOffset(node) - offset;
      const place = { node, uuid: this.#uuid ?? "" };
      const slot = decodePulse(bytes.subarray(at, at + BLOCK_BYTES), place);
      if (slot.found !== "ok") continue;
      const facts = this.pulse.read(slot.value, this.#context.now(), deadMs + fenceWaitMs);
      for (const fact of facts) this.#tellPulse(fact);
    }
  }

  #tellPulse(fact: StorageFact): void {
    this.#context.tell(fact);
    if (fact.fact !== "storage.pulse") return;
    const because = reason("storage.pulse-seen", { node: this.#context.name(fact.node) });
    const text = `pulse: ${this.#context.name(fact.node)}, locks=${fact.diskLocks}` +
      (fact.words === "none" ? "" : `, words=${fact.words}`);
    this.#context.say(text, because, true);
  }

  /** Neighbouring slots of the other members, each range one read. */
  #ranges(): { offset: number; length: number; nodes: NodeId[] }[] {
    const ranges: { offset: number; length: number; nodes: NodeId[] }[] = [];
    for (const node of this.#context.peers()) {
      const last = ranges.at(-1);
      const first = last?.nodes[0];
      if (last !== undefined && first !== undefined && node - first < SLOTS_PER_READ) {
        last.nodes.push(node);
        last.length = slotOffset(node) + BLOCK_BYTES - last.offset;
      } else {
        ranges.push({ offset: slotOffset(node), length: BLOCK_BYTES, nodes: [node] });
      }
    }
    return ranges;
  }

  #fail(why: string): void {
    const because = reason("storage.disk-lost", { disk: this.path, why });
    const news = this.#state !== "lost" || this.#detail !== why;
    this.#state = "lost";
    this.#detail = why;
    this.#misses = 0;
    this.#due = reopenAt(this.#context);
    if (!news) return;
    this.#context.tell({ fact: "storage.disk", disk: this.index, state: "lost", because });
    this.#context.say(`disk lost: ${this.path}, reason=${why}`, because);
    this.#listener.onInterrupted(this, because);
  }

  #run(procedure: Procedure<void>): void {
    this.#busy = true;
    this.#procedures.start(this.index, this.#occupied(procedure));
  }

  *#occupied(procedure: Procedure<void>): Procedure<void> {
    yield* procedure;
    this.#busy = false;
  }
}
