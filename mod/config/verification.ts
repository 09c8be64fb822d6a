/**
 * When what this node holds is read back and checked: soon after start, each hour, when another
 * replica differs and nobody can say which is wrong, and when a person asks. The database does it in
 * slices beside its commits; this decides what follows.
 *
 * What is damaged on the disk is whole in memory still: it was read from there when it was sound, and
 * its content hash is the one that peers agree with. So all of it is written anew from memory, in one
 * transaction, before a crash would make it a loss. A replica that is in doubt does not: its
 * damage tells that it is the wrong one (`doubt.ts`). So does memory that fails its own hash.
 *
 * @module
 */
import { reason } from "../base/reason.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import { rowsOf, type Verified, type VerifyReport, vitalDamage } from "../base/verify_report.ts";
import type { Tag } from "../streams.ts";
import { condemn } from "./doubt.ts";
import type { Raft } from "./raft.ts";
import type { Replica } from "./replica.ts";
import { storedSpecOf } from "./specs.ts";

/** The first one begins so long after start: the node takes its place first. */
export const VERIFY_FIRST_MS = 30_000;
/** From the end of one to the beginning of the next. */
export const VERIFY_EACH_MS = 60 * 60 * 1000;
/** Who may wait for one at a time; more are answered without one. */
const ASKERS_MAX = 64;

/** See the module's note. */
export class Verification {
  readonly #raft: Raft;
  readonly #replica: Replica;
  #dueAt: Instant;
  #running = false;
  #last: Verified | null = null;
  /** What was found on the disk and not mended yet, in words. */
  #damage: string | null = null;
  /** It was written anew, and is to be read once more. */
  #mended = false;
  /** Memory is not what its own hash says. */
  #unsound = false;
  /** The doubt that made us look. */
  #doubted = false;
  readonly #askers: Tag[] = [];

  constructor(raft: Raft, replica: Replica) {
    this.#raft = raft;
    this.#replica = replica;
    this.#dueAt = after(raft.now, VERIFY_FIRST_MS);
  }

  /** The last one; null before the first ended. */
  get last(): Verified | null {
    return this.#last;
  }

  /** Somebody wants it now; the one under way will do. */
  onRequest(tag: Tag): void {
    if (this.#askers.length < ASKERS_MAX) this.#askers.push(tag);
    else this.#raft.tell({ fact: "config.verified", tag, report: null });
    this.#dueAt = this.#raft.now;
  }

  /** The database has read all of it. */
  onVerified(report: VerifyReport | { readonly failure: string }): void {
    const raft = this.#raft;
    this.#running = false;
    this.#dueAt = after(raft.now, VERIFY_EACH_MS);
    const found = "failure" in report ? null : report;
    for (const tag of this.#askers.splice(0)) {
      raft.tell({ fact: "config.verified", tag, report: found });
    }
    if (found === null) return;
    const before = this.#last?.report.count ?? 0;
    this.#last = { report: found, at: raft.now };
    const [first] = found.damaged;
    if (first !== undefined && found.count !== before) {
      const args = { what: first.why, count: found.count, rows: rowsOf(found) };
      raft.say("verification found damage", reason("config.damaged", args));
    }
    const damage = vitalDamage(found)?.why ?? null;
    // What does not last when it is written anew is left to the next time: the disk is at fault.
    this.#damage = this.#mended ? null : damage;
    this.#mended = false;
    if (damage !== null) this.#unsound ||= !this.#replica.isSound();
  }

  /** The database is another one now. */
  onInstalled(): void {
    this.#damage = null;
    this.#unsound = false;
    this.#dueAt = after(this.#raft.now, VERIFY_FIRST_MS);
  }

  /** Called at each step. */
  tend(): void {
    const raft = this.#raft;
    const doubted = raft.doubt !== null;
    if (doubted && !this.#doubted) {
      this.#unsound ||= !this.#replica.isSound();
      this.#dueAt = raft.now;
    }
    this.#doubted = doubted;
    if (this.#unsound) this.#condemn("what it holds in memory fails its content hash");
    else if (this.#damage !== null) {
      if (doubted) this.#condemn(this.#damage);
      else if (!raft.diverged) this.#mend();
    }
    if (this.#running || raft.now < this.#dueAt) return;
    this.#running = true;
    this.#dueAt = NEVER;
    raft.effects.push({ kind: "verify" });
  }

  #condemn(what: string): void {
    if (!mayBeRebuilt(this.#raft)) return;
    this.#unsound = false;
    this.#damage = null;
    condemn(this.#raft, reason("config.own-damage", { what }));
  }

  /** Everything that is durable is written once more. */
  #mend(): void {
    const raft = this.#raft;
    this.#damage = null;
    this.#mended = true;
    this.#dueAt = raft.now;
    if (raft.log.base.index < raft.applied) raft.compact(raft.applied);
    const { base, last } = raft.log;
    const entries = [];
    for (let index = base.index + 1; index <= last; index++) {
      const entry = raft.log.at(index);
      if (entry !== undefined) entries.push(entry);
    }
    const { rows, requests, locks, stateCrc } = this.#replica.state();
    const spec = storedSpecOf(raft.specs.before(base.index));
    const { content } = this.#replica;
    raft.persist({
      hardState: raft.hardState(),
      recovery: raft.recovery,
      entries,
      install: {
        ...{ base, spec, stateCrc, content, rows, requests, locks },
        ...{ keepLog: true, keepHistory: true },
      },
    });
    raft.say("written anew", reason("config.mended", { rows: rows.length, index: base.index }));
  }

  deadline(): Instant {
    return this.#running ? NEVER : this.#dueAt;
  }
}

/** Is there another voter to whom the vote can be left, and who can give everything back? */
function mayBeRebuilt(raft: Raft): boolean {
  if (raft.diverged || raft.recovery !== null) return false;
  if (raft.role !== "leader") return raft.leader !== null && raft.leader !== raft.self;
  // Whoever holds less than all that is committed could not take our place.
  const fit = raft.electors.filter((id) => {
    const progress = raft.progress.get(id);
    return progress !== undefined && !progress.diverged && progress.recovery === null &&
      progress.loss === null && raft.now - progress.ackedAt < raft.timing.electionMinMs &&
      progress.match >= raft.commit;
  });
  return fit.length > 0;
}
