/**
 * How long nobody renewed a lock, as its leader sees it: only the leader's own monotonic clock counts,
 * from its first sight of the version. A new leader begins anew, so that a holder which could renew
 * nothing while there was no leader has the whole time again; a lock is never taken early.
 *
 * @module
 */
import type { Instant, Millis } from "../base/time.ts";
import { LOCK_EXPIRY_MS, LOCK_RETRY_MS } from "../base/timing.ts";
import { isLock, LOCKS, MANAGER_LOCK } from "./fuse/paths.ts";
import type { RowsView } from "./rows.ts";

interface Sight {
  readonly version: number;
  readonly since: Instant;
  /** When its removal was proposed last. */
  removedAt: Instant | null;
}

/** See the module's note. */
export class LockAges {
  readonly #sights = new Map<string, Sight>();
  #leads = false;
  #changed = true;

  /** A path of the tree changed. */
  note(path: string): void {
    if (path === LOCKS || isLock(path)) this.#changed = true;
  }

  /** Looks at the locks that there are, where this node leads. */
  look(rows: RowsView, leads: boolean, now: Instant): void {
    if (!leads || !this.#leads) this.#sights.clear();
    const look = leads && (this.#changed || !this.#leads);
    this.#leads = leads;
    if (!look) return;
    this.#changed = false;
    const locks = new Map((rows.children(LOCKS) ?? []).map((row) => [`${LOCKS}/${row.name}`, row]));
    for (const path of this.#sights.keys()) if (!locks.has(path)) this.#sights.delete(path);
    for (const [path, { version }] of locks) {
      if (this.#sights.get(path)?.version === version) continue;
      this.#sights.set(path, { version, since: now, removedAt: null });
    }
  }

  /** Somebody wants this version of a lock removed: for how long nobody renewed it, if long enough. */
  expired(path: string, version: number, now: Instant): Millis | null {
    const sight = this.#sights.get(path);
    // The manager's lock is renewed by beats, and taken from a dead node by stream 3 itself.
    if (sight === undefined || sight.version !== version || path === MANAGER_LOCK) return null;
    const age = now - sight.since;
    if (age <= LOCK_EXPIRY_MS) return null;
    if (sight.removedAt !== null && now - sight.removedAt < LOCK_RETRY_MS) return null;
    sight.removedAt = now;
    return age;
  }
}
