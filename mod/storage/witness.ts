/**
 * The witness vote in the life of this node: when to claim it, holding it, giving it back. Which
 * disks make it is in `panel.ts`, the claim itself in `race.ts`.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, latest, type Millis, NEVER } from "../base/time.ts";
import type { MemberHealth, MemberState, WitnessRegister } from "../streams.ts";
import { claim, claimAt, ejectNode, judge, opponent, type Scales } from "./arbiter.ts";
import { verdictText } from "./arbiter.ts";
import type { StorageContext } from "./context.ts";
import type { Ballot } from "./layout.ts";
import type { Lun } from "./lun.ts";
import { type Panel, panelOf } from "./panel.ts";
import type { Procedure, Procedures } from "./procedure.ts";
import { race, type RaceEnd, shortText } from "./race.ts";
import type { Seat, SwapPlace } from "./register.ts";

/** The vote. */
export class Witness {
  readonly #context: StorageContext;
  readonly #procedures: Procedures;
  readonly #luns: readonly Lun[];
  readonly #lose: (lun: Lun) => void;
  #held = false;
  /** Disks whose claim stands, each with the issue time of its newest pulse under it. */
  readonly #won = new Map<string, Instant>();
  #ballot: Ballot | null = null;
  #epoch = 0;
  #heardAt: Instant = EPOCH;
  #register: WitnessRegister | null = null;
  #peerState: MemberState = "unknown";
  #silentSince: Instant = EPOCH;
  #claiming = false;
  readonly #clearing = new Set<Lun>();
  /** Disks from which the loser of this judgement was ejected, won or not. */
  readonly #cleared = new Set<Lun>();
  /** The node stops: it must not take the vote from the one that stays. */
  #retired = false;
  #notBefore: Instant = EPOCH;
  #oursKnown = 0;
  #theirs = 0;
  #said = "";

  /** `lose` is called where a race was lost on a disk of which that is not told otherwise. */
  constructor(
    parts: { readonly context: StorageContext; readonly procedures: Procedures },
    luns: readonly Lun[],
    lose: (lun: Lun) => void,
  ) {
    this.#context = parts.context;
    this.#procedures = parts.procedures;
    this.#luns = luns;
    this.#lose = lose;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The disks that judge; null where none of them was seen yet. */
  panel(): Panel | null {
    const labels = this.#luns.flatMap(({ uuid, group }) => uuid === null ? [] : [{ uuid, group }]);
    return panelOf(this.#context.spec.witness?.disk ?? null, labels);
  }

  /** True for a disk that judges. */
  isSeat(lun: Lun): boolean {
    return lun.uuid !== null && this.panel()?.order.includes(lun.uuid) === true;
  }

  /** Our registration was taken away from so many of the disks that judge that none is left to win. */
  get beaten(): boolean {
    const panel = this.panel();
    if (panel === null) return false;
    const taken = this.#seated(panel).filter((lun) => lun.absence === "ejected").length;
    return panel.order.length - taken < panel.needed;
  }

  /** A majority of those that judge have our key since then, or (of a pair) before all that runs. */
  isKept(lostAt: Instant): boolean {
    const panel = this.panel();
    if (panel === null) return false;
    const pair = opponent(this.#context) !== null;
    const kept = (lun: Lun) => lun.keptSince(lostAt) || (pair && lun.keptSince(null));
    return this.#seated(panel).filter(kept).length >= panel.needed;
  }

  /** Where the register is written now; null where too few disks answer. */
  place(held: boolean): SwapPlace | null {
    const panel = this.panel();
    if (panel === null) return null;
    const ours = held && this.#held;
    const seats = this.#seats(panel).filter(({ uuid }) => !ours || this.#won.has(uuid));
    if (seats.length < panel.needed) return null;
    const ballot = ours ? this.#ballot : null;
    return { seats, needed: panel.needed, isHeld: () => this.#held, ballot };
  }

  /** Health of a member as stream 1 sees it: only the other voter's counts. */
  onMember(health: MemberHealth): void {
    if (health.node !== opponent(this.#context)) return;
    if (health.state === "down" && this.#peerState !== "down") {
      this.#silentSince = this.#context.now();
      this.#notBefore = EPOCH;
      this.#said = "";
    }
    this.#peerState = health.state;
    this.#context.judging = health.state === "down";
    if (health.state !== "down") this.#cleared.clear();
    if (health.vitals !== null) this.#theirs = health.vitals.diskLocks;
    this.onLocks();
    this.#releaseUnneeded(health.node);
  }

  /** Our disk locks changed: the peer learns of it by our beats while it is online. */
  onLocks(): void {
    if (this.#peerState === "online") this.#oursKnown = this.#context.content.diskLocks;
  }

  /** The cluster changed: three voters need no witness, and another disk may be it. */
  onSpec(): void {
    if (opponent(this.#context) === null) {
      this.#context.judging = false;
      this.release(reason("storage.witness-released"));
    }
    this.#drop((uuid) => this.panel()?.order.includes(uuid) === true);
  }

  /** What a swap has just written. */
  onRegister(register: WitnessRegister): void {
    this.#register = register;
    const peer = opponent(this.#context);
    if (peer !== null) this.#releaseUnneeded(peer);
  }

  /** Commits need both nodes again. The vote stays until the peer is heard, or we would claim anew. */
  onShared(): void {
    const peer = opponent(this.#context);
    if (peer !== null) this.#releaseUnneeded(peer);
  }

  /** A pulse is on this disk under our registration. On a majority: the witness has heard us. */
  onPulsed(lun: Lun, issuedAt: Instant): void {
    const { uuid } = lun;
    const panel = this.panel();
    if (!this.#held || uuid === null || panel === null || !this.#won.has(uuid)) return;
    this.#won.set(uuid, issuedAt);
    const issues = [...this.#won.values()].sort((a, b) => b - a);
    const heardAt = issues[panel.needed - 1] ?? EPOCH;
    if (heardAt <= this.#heardAt) return;
    this.#heardAt = heardAt;
    this.#context.tell({ fact: "storage.witness-heard", issuedAt: heardAt });
  }

  /** What was won on this disk is worth nothing any more. */
  onLost(lun: Lun, because: Reason): void {
    this.#cleared.delete(lun);
    if (lun.uuid !== null) this.#drop((uuid) => uuid !== lun.uuid, because);
  }

  /** The node stops in order: it keeps the vote that it has, and claims it no more. */
  retire(): void {
    this.#retired = true;
  }

  /** Lets the vote go. */
  release(because: Reason): void {
    if (!this.#held) return;
    this.#held = false;
    this.#won.clear();
    this.#ballot = null;
    this.#context.tell({ fact: "storage.witness", held: false, register: null, because });
    this.#context.say("witness: vote given back", because);
  }

  /** Claims the vote where that is due; with it in hand, clears the other disks of the loser. */
  tick(): void {
    if (this.#held) {
      this.#sayStanding();
      this.#clearRest();
    }
    if (this.#context.now() < this.deadline()) return;
    const panel = this.panel();
    if (panel === null) return;
    const seats = this.#seats(panel);
    const [first] = seats;
    if (first === undefined || seats.length < panel.needed) {
      this.#notBefore = after(this.#context.now(), this.#context.timing.beatMs);
      return this.#failed(shortText(seats.length, panel));
    }
    this.#claiming = true;
    this.#procedures.start(first.index, this.#claim(panel, seats));
  }

  /** When a claim is due. */
  deadline(): Instant {
    const scales = this.#scales();
    const idle = this.#retired || this.#claiming;
    if (scales === null || this.#peerState !== "down" || idle) return NEVER;
    // One claim is enough: who registers anew owns nothing, and the register says who may commit.
    if (this.#held) return NEVER;
    const panel = this.panel();
    if (panel === null) return NEVER;
    const seated = this.#seated(panel);
    // Whoever lost one of them has lost the race, and begins no other before nothing runs here.
    if (seated.some(({ absence }) => absence === "ejected")) return NEVER;
    if (!seated.some(({ liveKey, reservation }) => liveKey !== null && reservation !== null)) {
      return NEVER;
    }
    const { headStartMs } = this.#context.timing;
    return latest(claimAt(scales, this.#silentSince, headStartMs), this.#notBefore);
  }

  /** Who would win if network and pulse were cut now, and why. */
  verdict(): string {
    const scales = this.#scales();
    if (scales === null) return "no judgement: the witness votes only between two voters";
    const panel = this.panel();
    if (panel === null) return "no judgement: the witness disk is not there";
    const name = this.#context.name(scales.self);
    const seated = this.#seated(panel);
    const live = seated.filter(({ liveKey }) => liveKey !== null);
    if (live.length < panel.needed) {
      if (panel.order.length > 1) return `${name} cannot go on: ${shortText(live.length, panel)}`;
      const path = seated[0]?.path ?? "the witness disk";
      return `${name} cannot go on: it is not registered on ${path}`;
    }
    const slow = live.find(({ aborts }) => !aborts);
    const text = verdictText(scales, { self: name, peer: this.#context.name(scales.peer) }) +
      (slow === undefined ? "" : slowText(slow.path, this.#context.timing.fenceWaitMs));
    if (panel.order.length === 1) return text;
    return `${text}; ${panel.needed} of ${panel.order.length} witness disks decide, ` +
      `${live.length} answer`;
  }

  /** The disks of the panel that this node has, in its order. */
  #seated({ order }: Panel): Lun[] {
    return order.flatMap((uuid) => this.#luns.find((lun) => lun.uuid === uuid) ?? []);
  }

  /** Those on which we are registered and that answer. */
  #seats(panel: Panel): Seat[] {
    return this.#seated(panel).flatMap((lun) => {
      const { liveKey: key, uuid } = lun;
      // One disk alone is asked in any case: there is no other to turn to.
      if (key === null || uuid === null || (panel.order.length > 1 && !lun.answers)) return [];
      return [seatOf(lun, uuid, key)];
    });
  }

  #lun(seat: Seat): Lun | undefined {
    return this.#luns.find(({ index }) => index === seat.index);
  }

  /** Only what passes `stays` is won still; with less than a majority the vote is gone. */
  #drop(
    stays: (uuid: string) => boolean,
    because = reason("storage.witness-released"),
  ): void {
    for (const uuid of [...this.#won.keys()]) if (!stays(uuid)) this.#won.delete(uuid);
    if (this.#held && this.#won.size < (this.panel()?.needed ?? 1)) this.release(because);
  }

  #scales(): Scales | null {
    const peer = opponent(this.#context);
    if (peer === null) return null;
    const panel = this.panel();
    const pulses = panel === null ? [] : this.#seated(panel).map(({ pulse }) => pulse);
    const ours = pulses.map((pulse) => pulse.locksKnownTo(peer)).find((each) => each !== null);
    const seen = pulses.map((pulse) => pulse.seen().get(peer)).find((each) => each?.moved === true);
    return {
      self: this.#context.self,
      peer,
      ours: ours ?? this.#oursKnown,
      theirs: seen?.slot.diskLocks ?? this.#theirs,
      held: this.#held,
    };
  }

  *#claim(panel: Panel, seats: readonly Seat[]): Procedure<void> {
    this.#sayOrder();
    const epochs = (above: number) => this.#epoch = Math.max(this.#epoch, above) + 1;
    const wanted = () => this.#peerState === "down" && !this.#retired;
    const end = yield* race(this.#context, { panel, seats, epochs, wanted });
    this.#claiming = false;
    this.#notBefore = after(this.#context.now(), this.#context.timing.beatMs);
    if (end.end === "failed") return this.#failed(end.why);
    if (end.end === "ejected") {
      this.#failed("the other node was first");
      const lun = this.#lun(end.seat);
      if (lun?.has(end.seat.key) === true) return lun.ejected(end.state, { raced: true });
      // It was seen before, and taken for one disk's loss: to who raced it is the judgement.
      if (lun?.absence === "ejected" && !this.beaten) this.#lose(lun);
      return;
    }
    const standing = end.won.filter(({ seat }) => seat.stands() && this.#isOfPanel(seat));
    if (standing.length < panel.needed) return this.#failed("the disk was lost in the meantime");
    this.#onWon({ ...end, won: standing });
    for (const { seat } of standing) this.#lun(seat)?.hurry();
  }

  #isOfPanel({ uuid }: Seat): boolean {
    return this.panel()?.order.includes(uuid) === true;
  }

  #onWon(end: Extract<RaceEnd, { end: "held" }>): void {
    const peer = opponent(this.#context);
    if (peer === null) return;
    const node = this.#context.name(peer);
    const plain = end.won.some(({ seat }) => !seat.aborts);
    const because = end.ejected
      ? reason(plain ? "storage.claimed-plain" : "storage.claimed", { node })
      : reason("storage.claim-alone");
    const { register, ballot } = end;
    this.#register = register;
    for (const { seat, state } of end.won) this.#lun(seat)?.observe(state, because);
    if (this.#held) return;
    this.#held = true;
    this.#ballot = ballot;
    this.#heardAt = EPOCH;
    this.#cleared.clear();
    for (const { seat } of end.won) {
      this.#won.set(seat.uuid, EPOCH);
      const lun = this.#lun(seat);
      if (lun !== undefined) this.#cleared.add(lun);
    }
    this.#sayStanding();
    this.#context.tell({ fact: "storage.witness", held: true, register, because });
  }

  /** Only the winner ejects the loser from the disks that do not judge, and from those not raced for. */
  #clearRest(): void {
    const peer = opponent(this.#context);
    if (peer === null || this.#peerState !== "down" || this.#luns.length < 2) return;
    for (const lun of this.#luns) {
      const key = lun.liveKey;
      if (key === null || this.#cleared.has(lun) || this.#clearing.has(lun)) continue;
      this.#clearing.add(lun);
      this.#procedures.start(lun.index, this.#clear(lun, seatOf(lun, lun.uuid ?? "", key), peer));
    }
  }

  *#clear(lun: Lun, seat: Seat, peer: NodeId): Procedure<void> {
    const judges = this.#isOfPanel(seat);
    const wanted = () => this.#held && this.#peerState === "down";
    const taken = judges ? yield* claim(this.#context, { ...seat, wanted }) : null;
    const gone = judges ? null : yield* ejectNode(this.#context, { ...seat, node: peer });
    const done = taken?.end === "held" || gone?.end === "gone";
    if (!done) yield { call: "pause", ms: this.#context.timing.beatMs };
    this.#clearing.delete(lun);
    if (!done || !this.#held || !seat.stands()) return;
    this.#cleared.add(lun);
    if (judges && this.#isOfPanel(seat)) this.#won.set(seat.uuid, EPOCH);
    if (taken?.end === "held") lun.observe(taken.state);
  }

  #sayStanding(): void {
    const set = this.#register?.set ?? [];
    const sole = set.length === 1 && set[0] === this.#context.self;
    this.#context.standing.onVote(this.#context.now(), sole);
  }

  #failed(why: string): void {
    if (this.#said === why) return;
    this.#said = why;
    this.#context.say(`claim lost: ${why}`, reason("storage.claim-lost", { why }));
  }

  #sayOrder(): void {
    const scales = this.#scales();
    if (scales === null || this.#said !== "" || judge(scales).first === scales.self) return;
    const { ours, theirs } = scales;
    const ms = this.#context.timing.headStartMs;
    const node = this.#context.name(scales.peer);
    const because = reason("storage.head-start", { node, ours, theirs, ms });
    this.#context.say(`head start of ${node} is over`, because);
  }

  /** The peer is back and no set was narrowed: nothing rests on the vote. */
  #releaseUnneeded(peer: NodeId): void {
    if (!this.#held || this.#peerState !== "online") return;
    if (this.#register?.set.includes(peer) !== true) return;
    this.release(reason("storage.witness-released"));
  }
}

function slowText(path: string, ms: Millis): string {
  return `, but what runs ends before that: ${path} has no PREEMPT AND ABORT, and the vote counts ` +
    `${ms} ms after a claim`;
}

function seatOf(lun: Lun, uuid: string, key: string): Seat {
  const { index, aborts, path } = lun;
  return { index, uuid, key, aborts, path, stands: () => lun.liveKey === key };
}
