/**
 * One shared disk in the life of this node: opening, ready, lost, unregistered; and the pulse cycle
 * that keeps it under watch. One procedure of its own at a time (`#busy`).
 *
 * @module
 */
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, EPOCH, type Instant, NEVER } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { LastWords } from "../streams.ts";
import type { StorageContext } from "./context.ts";
import { enrol, type Enrolment, holdReservation, openDisk, reopenAt } from "./enrol.ts";
import { Kept } from "./kept.ts";
import { encodePulse, type PulseSlot, slotOffset } from "./layout.ts";
import type { Procedure, Procedures } from "./procedure.ts";
import { failureText, isConflict, isState, readReservations } from "./procedure.ts";
import { DiskPulse, slotRanges } from "./pulse.ts";
import { SelfTest } from "./self_test.ts";
import { readSlots } from "./slots.ts";
import { isLossOfAll, isProtected, parseKey } from "./reservation.ts";
import { reservationDigest, reservationText } from "./reservation.ts";
import { type Absence, absenceReason } from "./standing.ts";

/** Cycles in a row that must miss our registration before it counts as gone. */
export const MISSES_MAX = 2;
/** A cycle that is no older than so many beats shows that the disk answers. */
export const ANSWER_BEATS_MAX = 3;

/** What the core wants to know of its disks. */
export interface LunListener {
  /** A pulse issued at `issuedAt` is on the disk, and the registration was still there after it. */
  onPulsed(lun: Lun, issuedAt: Instant): void;
  /** Our registration was taken away; `raced`: while we wanted to take the other's. */
  onEjected(lun: Lun, raced: boolean): void;
  /** A majority of the disks that judge have had our key since before `lostAt`. */
  isKept(lostAt: Instant): boolean;
  /** A sound slot of another node was read. */
  onSlot(slot: PulseSlot): void;
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
  #group: readonly string[] = [];
  #sizeBytes = 0;
  #reservation: ReservationState | null = null;
  /** The last look in which our key was there, and when that was. */
  #sound: { readonly state: ReservationState; readonly at: Instant } | null = null;
  /** The key under which this life is registered, or was when the disk was lost. */
  #key: string | null = null;
  #generation: number;
  #aborts = false;
  readonly #test: SelfTest;
  #misses = 0;
  /** One of the looks that missed our key showed that the target lost them all. */
  #forgotten = false;
  #busy = false;
  /** Why no key of ours is there, while none may be registered. */
  #absence: Absence | null = null;
  /** When another node took our key from this life. */
  #lostAt: Instant = EPOCH;
  readonly #kept = new Kept();
  /** The core was told that our key was taken away. */
  #mourned = false;
  #due: Instant = EPOCH;
  #answeredAt: Instant = EPOCH;
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
    this.#test = new SelfTest(place.path);
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

  /** Who is ejected there can do nothing more: the target ends its commands, and refuses new ones. */
  get aborts(): boolean {
    return this.#aborts && !this.#test.isOpen;
  }

  /** The last self-test. */
  get test(): SelfTest["last"] {
    return this.#test.last;
  }

  /** Disks that judge together with this one, as its label has it; empty where it is alone. */
  get group(): readonly string[] {
    return this.#group;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Why this node is not registered there, while it may not be. */
  get absence(): Absence | null {
    return this.#absence;
  }

  /** This is the key that we registered, whether or not it is missed already. */
  has(key: string): boolean {
    return this.#state === "ready" && this.#key === key;
  }

  /** Our key has been there without a break since then, or (null) since before all that runs here. */
  keptSince(at: Instant | null): boolean {
    return this.liveKey !== null && this.#kept.since(at);
  }

  /** It went through a whole cycle not long ago. */
  get answers(): boolean {
    return this.#context.now() - this.#answeredAt <= ANSWER_BEATS_MAX * this.#context.timing.beatMs;
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
    return this.#busy ? NEVER : earliest(this.#due, this.#testDue);
  }

  /** Starts what is due. */
  tick(): void {
    if (this.#busy || this.#context.now() < this.deadline()) return;
    const key = this.liveKey;
    if (key !== null && this.#context.now() < this.#due) return this.#run(this.#selfTest(key));
    const cycles = this.#state === "ready" || this.#state === "unregistered";
    this.#run(cycles ? this.#cycle() : this.#open());
  }

  /** Not in a judgement, in which each call counts. */
  get #testDue(): Instant {
    const idle = this.liveKey !== null && !this.#context.judging;
    return idle ? this.#test.deadline : NEVER;
  }

  *#selfTest(key: string): Procedure<void> {
    this.#aborts = (yield* this.#test.run(this.#context, key)) ?? this.#aborts;
  }

  /** The next cycle is due at once: there is something new to write. */
  hurry(): void {
    if (this.#misses === 0) this.#due = earliest(this.#due, this.#context.now());
  }

  /** Where no key of ours may be registered: may it be now? */
  reconsider(): void {
    const absence = this.#absence;
    if (absence === null || this.#state !== "unregistered") return;
    if (absence === "ejected" && !this.#mourned && this.#context.standing.busy) {
      // A former life was ejected, and what it ran runs here still.
      this.#mourned = true;
      this.#listener.onEjected(this, false);
    }
    const lostAt = this.#lostAt;
    const kept = this.#listener.isKept(lostAt);
    if (!this.#context.mayRegister({ absence, lostAt, kept })) return;
    this.#state = "opening";
    this.#detail = "registers again";
    this.hurry();
  }

  /** Our key was seen to be gone, twice, by whoever looked. */
  ejected(state: ReservationState, { raced = false } = {}): void {
    if (this.#state !== "ready") return;
    this.observe(state);
    this.#wait("ejected");
    this.#lostAt = this.#context.now();
    this.#mourned = true;
    this.#listener.onEjected(this, raced);
  }

  /** Not registered: reads go on, writes do not, until `standing.ts` allows a registration. */
  #wait(absence: Absence): void {
    const { detail, because } = absenceReason(absence, this.path);
    const news = this.#state !== "unregistered" || this.#absence !== absence;
    this.#state = "unregistered";
    this.#absence = absence;
    this.#detail = detail;
    this.#key = null;
    this.#misses = 0;
    this.#due = after(this.#context.now(), this.#context.timing.beatMs);
    if (!news) return;
    this.#context.tell({ fact: "storage.disk", disk: this.index, state: "unregistered", because });
    if (absence !== "ejected") {
      this.#context.say(`${this.path}: ${detail}`, because, absence === "new");
    }
  }

  /** Keeps what the target says about reservations, and says it aloud when it changed. */
  observe(state: ReservationState, because: Reason | null = null): void {
    const before = this.#reservation;
    this.#reservation = state;
    if (before !== null && reservationDigest(before) === reservationDigest(state)) return;
    const text = reservationText(state, (node) => this.#context.name(node));
    this.#context.say(`scsi_res: ${text}`, because);
  }

  *#open(): Procedure<void> {
    const opening = yield* openDisk(this.path, this.#context);
    if (opening.end === "failed") return this.#fail(opening.why);
    const { uuid, group } = opening.label;
    if (this.#listener.isDuplicate(this, uuid)) return this.#fail("it is named twice");
    if (this.#uuid !== null && this.#uuid !== uuid) {
      this.#key = null;
      this.#absence = null;
      this.#sound = null;
    }
    this.#kind = opening.kind;
    this.#uuid = uuid;
    this.#test.recall(this.#context, uuid);
    this.#group = group;
    this.#sizeBytes = opening.sizeBytes;
    yield* this.#enrol(uuid);
  }

  *#enrol(uuid: string): Procedure<void> {
    const ask = {
      old: this.#key,
      gone: this.#absence,
      loss: () => ({ lostAt: this.#lostAt, kept: this.#listener.isKept(this.#lostAt) }),
      before: this.#sound?.state ?? null,
      generation: this.#generation,
      uuid,
    };
    this.#settle(yield* enrol(this.#context, ask));
  }

  #settle(end: Enrolment): void {
    if (end.end === "failed") return this.#fail(end.why);
    if (end.end === "waits") {
      if (end.absence !== "new") this.observe(end.state);
      return this.#wait(end.absence);
    }
    const again = this.#state === "ready";
    this.#state = "ready";
    this.#misses = 0;
    this.#due = this.#context.now();
    if (end.end === "ejected") return this.ejected(end.state);
    this.#absence = null;
    this.#lostAt = EPOCH;
    this.#mourned = false;
    const at = this.#context.now();
    const isNew = this.#key === null || !end.kept;
    if (isNew) this.#kept.begin(end, this.#sound?.at ?? null, this.#context);
    this.#key = end.key;
    this.#sound = { state: end.state, at };
    this.#generation = parseKey(end.key)?.generation ?? this.#generation;
    this.#aborts = end.aborts ?? this.#aborts;
    this.#detail = `key 0x${end.key}${this.#aborts ? "" : ", no PREEMPT AND ABORT"}`;
    this.observe(end.state);
    if (again) return;
    this.#test.begin(this.#context, end.refusal);
    const disk = this.path;
    if (!this.#aborts) this.#context.say(`${disk}: no ABORT`, reason("storage.no-abort", { disk }));
    const because = reason("storage.ready", { disk });
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
    const onSlot = (slot: PulseSlot) => this.#listener.onSlot(slot);
    const reader = { uuid: this.#uuid ?? "", pulse: this.pulse, onSlot };
    for (const range of slotRanges(this.#context.peers())) {
      const result = yield { call: "read", offset: range.offset, length: range.length };
      if (result.result !== "bytes") return this.#fail(failureText(result));
      readSlots(this.#context, reader, { bytes: result.bytes, range });
    }
    const state = yield* readReservations();
    if (!isState(state)) return this.#fail(failureText(state));
    this.#answeredAt = this.#context.now();
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
      this.#sound = { state, at: this.#context.now() };
      if (!isProtected(state, key)) this.#settle(yield* holdReservation(key));
      return;
    }
    const lately = this.#context.now() - ANSWER_BEATS_MAX * this.#context.timing.beatMs;
    const recent = this.#sound !== null && this.#sound.at >= lately;
    const all = isLossOfAll(this.#sound?.state ?? null, state, { recent, own: key });
    this.#forgotten = all || (this.#misses > 0 && this.#forgotten);
    this.#misses += 1;
    this.#due = after(this.#context.now(), this.#context.timing.beatMs);
    if (this.#misses < MISSES_MAX) return;
    if (!there && !this.#forgotten) return this.ejected(state);
    // The target forgot everyone: nobody won. Refused although the key is there: it belongs to
    // another nexus of ours, and is replaced by one that does not.
    if (!there) this.#absence = "forgotten";
    const because = there
      ? reason("storage.disk-lost", { disk: this.path, why: "writes are refused under our key" })
      : reason("storage.forgotten", { disk: this.path });
    this.#listener.onInterrupted(this, because);
    if (!there) {
      this.#key = null;
      this.#context.say(`scsi_res: ${this.path} lost every registration`, because);
    }
    yield* this.#enrol(this.#uuid ?? "");
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
