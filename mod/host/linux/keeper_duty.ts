/**
 * What the keeper owes at which time: kill at the end of the guard, bite when it is not petted.
 * Pure: the caller gives the time.
 *
 * Each message carries the time at which it was sent. One that was sent in time counts although it
 * is read late; one sent after the deadline does not undo it, however soon it is read: while daemon
 * and keeper were both suspended, others may have taken over.
 *
 * @module
 */
import { after, earliest, type Instant, type Millis, NEVER } from "../../base/time.ts";
import type { ProcessName } from "./proc.ts";

/** What is to be done now. */
export type Duty = "kill" | "bite" | null;

interface Armed {
  readonly timeoutMs: Millis;
  readonly daemon: ProcessName;
  until: Instant;
}

/** Guard and watchdog of one node. See the module's note. */
export class KeeperDuty {
  #guard: Instant | null = null;
  /** The end of this guard has been acted upon. */
  #lapsed = false;
  #wanted = 0;
  #killed = 0;
  #armed: Armed | null = null;

  /** The daemon, at `sentAt`: the guard is held until `until`. */
  guard(until: Instant, sentAt: Instant): void {
    const late = this.#guard !== null && sentAt >= this.#guard;
    if (late && !this.#lapsed) this.#wanted++;
    this.#lapsed = late && until <= sentAt;
    this.#guard = until;
  }

  /** True while resources may run. Nothing may before a first guard was told. */
  held(now: Instant): boolean {
    return this.#guard !== null && now < this.#guard && this.#wanted === this.#killed;
  }

  /** False until a daemon has told a guard. */
  get told(): boolean {
    return this.#guard !== null;
  }

  /** Everything must be killed at once. */
  want(): void {
    this.#wanted++;
  }

  /** How often a kill was wanted so far. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Everything was killed by a kill that began when {@link wanted} was `seen`. */
  killed(seen: number): void {
    this.#killed = Math.max(this.#killed, seen);
  }

  /** Arms the watchdog on behalf of a daemon; one that is due already still bites. */
  arm(daemon: ProcessName, ask: { readonly timeoutMs: Millis; readonly sentAt: Instant }): void {
    if (this.#armed !== null && ask.sentAt >= this.#armed.until) return;
    const until = after(ask.sentAt, ask.timeoutMs);
    this.#armed = { daemon, timeoutMs: ask.timeoutMs, until };
  }

  /** A pet that was sent in time. */
  pet(sentAt: Instant): void {
    if (this.#armed === null || sentAt >= this.#armed.until) return;
    this.#armed.until = after(sentAt, this.#armed.timeoutMs);
  }

  disarm(): void {
    this.#armed = null;
  }

  /** Whom the watchdog watches; null while it is not armed. */
  get daemon(): ProcessName | null {
    return this.#armed?.daemon ?? null;
  }

  /** When {@link due} will next say something else than now. */
  deadline(): Instant {
    const guard = this.#guard === null || this.#lapsed ? NEVER : this.#guard;
    return earliest(guard, this.#armed?.until ?? NEVER);
  }

  /** What is to be done at `now`. */
  due(now: Instant): Duty {
    if (this.#armed !== null && now >= this.#armed.until) return "bite";
    if (this.#guard !== null && !this.#lapsed && now >= this.#guard) {
      this.#lapsed = true;
      this.#wanted++;
    }
    return this.#wanted > this.#killed ? "kill" : null;
  }
}
