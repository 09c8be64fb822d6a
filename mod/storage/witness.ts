/**
 * The witness vote in the life of this node: when to claim it, holding it, giving it back. The
 * claim itself is in `arbiter.ts`.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, latest, NEVER } from "../base/time.ts";
import type { MemberHealth, MemberState, WitnessRegister } from "../streams.ts";
import { claim, claimAt, type ClaimEnd, judge, opponent, type Scales } from "./arbiter.ts";
import { verdictText } from "./arbiter.ts";
import type { StorageContext } from "./context.ts";
import type { Lun } from "./lun.ts";
import type { Procedure, Procedures } from "./procedure.ts";

/** The vote. */
export class Witness {
  readonly #context: StorageContext;
  readonly #procedures: Procedures;
  readonly #arbiter: () => Lun | null;
  #held = false;
  #register: WitnessRegister | null = null;
  #peerState: MemberState = "unknown";
  #silentSince: Instant = EPOCH;
  #claiming = false;
  /** The node stops: it must not take the vote from the one that stays. */
  #retired = false;
  #notBefore: Instant = EPOCH;
  #oursKnown = 0;
  #theirs = 0;
  #said = "";

  constructor(context: StorageContext, procedures: Procedures, arbiter: () => Lun | null) {
    this.#context = context;
    this.#procedures = procedures;
    this.#arbiter = arbiter;
  }

  get held(): boolean {
    return this.#held;
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
    if (health.vitals !== null) this.#theirs = health.vitals.diskLocks;
    this.onLocks();
    this.#releaseUnneeded(health.node);
  }

  /** Our disk locks changed: the peer learns of it by our beats while it is online. */
  onLocks(): void {
    if (this.#peerState === "online") this.#oursKnown = this.#context.content.diskLocks;
  }

  /** The cluster changed: three voters need no witness. */
  onSpec(): void {
    if (opponent(this.#context) === null) this.release(reason("storage.witness-released"));
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

  /** A pulse is on the arbiter disk under our registration: the witness has heard us. */
  onPulsed(issuedAt: Instant): void {
    if (this.#held) this.#context.tell({ fact: "storage.witness-heard", issuedAt });
  }

  /** The node stops in order: it keeps the vote that it has, and claims it no more. */
  retire(): void {
    this.#retired = true;
  }

  /** Lets the vote go. */
  release(because: Reason): void {
    if (!this.#held) return;
    this.#held = false;
    this.#context.tell({ fact: "storage.witness", held: false, register: null, because });
    this.#context.say("witness: vote given back", because);
  }

  /** Claims the vote where that is due. */
  tick(): void {
    if (this.#context.now() < this.deadline()) return;
    const lun = this.#arbiter();
    const key = lun?.liveKey ?? null;
    if (lun === null || key === null || lun.uuid === null) return;
    this.#claiming = true;
    this.#procedures.start(lun.index, this.#claim(lun, { key, uuid: lun.uuid }));
  }

  /** When a claim is due. */
  deadline(): Instant {
    const scales = this.#scales();
    const lun = this.#arbiter();
    const idle = this.#retired || this.#claiming;
    if (scales === null || this.#peerState !== "down" || idle) return NEVER;
    if (lun === null || lun.liveKey === null || lun.reservation === null) return NEVER;
    // One claim is enough: who registers anew owns nothing, and the register says who may commit.
    if (this.#held) return NEVER;
    const { headStartMs } = this.#context.timing;
    return latest(claimAt(scales, this.#silentSince, headStartMs), this.#notBefore);
  }

  /** Who would win if network and pulse were cut now, and why. */
  verdict(): string {
    const scales = this.#scales();
    if (scales === null) return "no judgement: the witness votes only between two voters";
    const lun = this.#arbiter();
    if (lun === null) return "no judgement: the witness disk is not there";
    const name = this.#context.name(scales.self);
    if (lun.liveKey === null) return `${name} cannot go on: it is not registered on ${lun.path}`;
    return verdictText(scales, { self: name, peer: this.#context.name(scales.peer) });
  }

  #scales(): Scales | null {
    const peer = opponent(this.#context);
    if (peer === null) return null;
    const pulse = this.#arbiter()?.pulse;
    const seen = pulse?.seen().get(peer);
    return {
      self: this.#context.self,
      peer,
      ours: pulse?.locksKnownTo(peer) ?? this.#oursKnown,
      theirs: seen?.moved === true ? seen.slot.diskLocks : this.#theirs,
      held: this.#held,
    };
  }

  *#claim(lun: Lun, disk: { readonly key: string; readonly uuid: string }): Procedure<void> {
    this.#sayOrder();
    const end = yield* claim(this.#context, disk);
    this.#claiming = false;
    this.#notBefore = after(this.#context.now(), this.#context.timing.beatMs);
    const standing = lun.state === "ready" && lun.liveKey === disk.key && lun === this.#arbiter();
    if (end.end === "failed") return this.#failed(end.why);
    if (!standing) return this.#failed("the disk was lost in the meantime");
    if (end.end === "ejected") {
      this.#failed("the other node was first");
      return lun.ejected(end.state);
    }
    this.#won(lun, end);
    lun.hurry();
  }

  #won(lun: Lun, end: Extract<ClaimEnd, { end: "held" }>): void {
    const peer = opponent(this.#context);
    if (peer === null) return;
    const node = this.#context.name(peer);
    const because = end.ejected
      ? reason("storage.claimed", { node })
      : reason("storage.claim-alone");
    this.#register = end.register;
    lun.observe(end.state, because);
    if (this.#held) return;
    this.#held = true;
    const register = end.register;
    this.#context.tell({ fact: "storage.witness", held: true, register, because });
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
