/** What `.clusterlog` shows: sayings of this node, newest first, in memory only. @module */
import { LOG_KEPT_MAX, LOG_SHOWN_MAX, LOG_TEXT_MAX } from "./limits.ts";

/** One entry, in the field names of Proxmox VE. */
export interface LogEntry {
  /** Seconds since 1970. */
  readonly time: number;
  /** As syslog(3) has it: 0 emergency to 7 debug. */
  readonly pri: number;
  readonly tag: string;
  readonly pid: number;
  readonly node: string;
  readonly user: string;
  readonly msg: string;
}

/** Syslog's "informational". */
export const PRIORITY_INFO = 6;

/** See the module's note. */
export class ClusterLog {
  #entries: (LogEntry & { readonly uid: number })[] = [];
  #uid = 0;

  /** Adds an entry; the oldest ones make room. */
  add(entry: LogEntry): void {
    const msg = entry.msg.slice(0, LOG_TEXT_MAX);
    this.#entries.push({ ...entry, msg, uid: ++this.#uid });
    if (this.#entries.length > LOG_KEPT_MAX) this.#entries.shift();
  }

  /** The newest entries, newest first. */
  newest(): readonly unknown[] {
    return this.#entries.slice(-LOG_SHOWN_MAX).reverse()
      .map(({ uid, time, pri, tag, pid, node, user, msg }) => {
        return { uid, time, pri, tag, pid, node, user, msg };
      });
  }
}
