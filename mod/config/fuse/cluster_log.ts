/** What `.clusterlog` shows: sayings of all nodes, newest first, in memory only. @module */
import { clipText } from "../../base/bytes.ts";
import { LOG_KEPT_MAX, LOG_SHOWN_MAX, LOG_TEXT_MAX } from "./limits.ts";

/** What somebody said. */
export interface LogLine {
  /** Seconds since 1970, by the clock of its node. */
  readonly time: number;
  /** As syslog(3) has it: 0 emergency to 7 debug. */
  readonly pri: number;
  readonly msg: string;
}

/** One entry, in the field names of Proxmox VE; (`time`, `node`, `uid`) tells it from all others. */
export interface LogEntry extends LogLine {
  /** Counts the entries of its node. */
  readonly uid: number;
  readonly tag: string;
  readonly pid: number;
  readonly node: string;
  readonly user: string;
}

/** Syslog's "informational". */
export const PRIORITY_INFO = 6;

/** See the module's note. */
export class ClusterLog {
  /** In the order of their times; those of one node in the order in which they were said. */
  #entries: LogEntry[] = [];
  #uid = 0;

  /** Number of the newest entry of this node. */
  get uid(): number {
    return this.#uid;
  }

  /** Adds what was said on this node; the oldest entries make room. */
  add(node: string, { time, pri, msg }: LogLine): void {
    const uid = ++this.#uid;
    const who = { tag: "pentad", pid: 0, node, user: "root@pam" };
    this.#insert({ uid, time, pri, ...who, msg: clipText(msg, LOG_TEXT_MAX) });
  }

  /** Adds what others know of, their node and perhaps this one before it was started anew. */
  merge(self: string, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.node === self) this.#uid = Math.max(this.#uid, entry.uid);
      this.#insert(entry);
    }
  }

  /** The newest entries, oldest first; of one node those after its `uid`, where they are given. */
  newest(of?: { readonly node: string; readonly after: number }): readonly LogEntry[] {
    const wanted = of === undefined
      ? this.#entries
      : this.#entries.filter(({ node, uid }) => node === of.node && uid > of.after);
    return wanted.slice(-LOG_SHOWN_MAX);
  }

  /** The newest entries as `.clusterlog` has them, newest first. */
  shown(): readonly unknown[] {
    return this.newest().toReversed().map(({ uid, time, pri, tag, pid, node, user, msg }) => {
      return { uid, time, pri, tag, pid, node, user, msg };
    });
  }

  #insert(entry: LogEntry): void {
    let at = this.#entries.length;
    while (at > 0 && compare(this.#entries[at - 1] as LogEntry, entry) > 0) at--;
    const before = this.#entries[at - 1];
    if (before !== undefined && compare(before, entry) === 0) return;
    this.#entries.splice(at, 0, entry);
    if (this.#entries.length > LOG_KEPT_MAX) this.#entries.shift();
  }
}

function compare(a: LogEntry, b: LogEntry): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  return a.uid - b.uid;
}
