/** What is open: files with what was written to them, directories with what was in them. @module */
import { Draft } from "./draft.ts";
import type { Flight } from "./flights.ts";
import { HANDLES_MAX, PINNED_BYTES_MAX, SNAPSHOT_NAMES_MAX } from "./limits.ts";
import type { Attributes, Caller, Errno, OpenFlags } from "./requests.ts";

/** Told how a commit ended: null for well. */
export type Waiter = (errno: Errno | null) => void;

/** A draft on its way into the log. */
export interface Commit {
  readonly draft: Draft;
  readonly waiters: Waiter[];
  flight: Flight | null;
  /** Nobody knows what became of it; to be sent again before anything else. */
  unknown: boolean;
}

/** An open file. */
export interface OpenFile {
  readonly id: number;
  readonly node: number;
  readonly flags: OpenFlags;
  /** Who opened it. */
  readonly caller: Caller;
  /** It was created by being opened here. */
  readonly creator: boolean;
  /** What a virtual file was when it was opened; null for a real one. */
  readonly text: Uint8Array | null;
  draft: Draft;
  commit: Commit | null;
  /** Those who came while a commit was under way. */
  waiting: Waiter[];
  /** A write failed, so that what was written is not whole: nothing of it is committed. */
  broken: Errno | null;
  /** A lock was taken through it. */
  locked: boolean;
  /** That lock is another's now: nothing that was written under it is committed, be it under way. */
  fenced: boolean;
  /** The last commit failed, and the program knows. */
  lost: Errno | null;
  /** The version that is being read, from the first read on to the end of the file. */
  pin: Uint8Array | null;
  /** Where the last read ended. */
  readTo: number;
  /** No descriptor is left. */
  closed: boolean;
  /** When it was written to last: a count, and the time in seconds since 1970. */
  touched: number;
  touchedAt: number;
}

/** One name of an open directory. */
export interface Entry {
  readonly name: string;
  readonly node: number;
  readonly kind: Attributes["kind"];
}

/** See the module's note. */
export class Handles {
  readonly #files = new Map<number, OpenFile>();
  readonly #byNode = new Map<number, Set<OpenFile>>();
  readonly #directories = new Map<number, readonly Entry[]>();
  #names = 0;
  #pinned = 0;
  #next = 1;
  #touches = 0;

  /** True where one more may be opened. */
  get room(): boolean {
    return this.#files.size + this.#directories.size < HANDLES_MAX;
  }

  /** Opens a file. */
  open(
    node: number,
    opened: Pick<OpenFile, "caller" | "creator" | "flags" | "text">,
  ): OpenFile {
    const file: OpenFile = {
      ...{ id: this.#next++, node, ...opened },
      ...{ draft: new Draft(), commit: null, waiting: [], broken: null, lost: null },
      ...{ locked: false, fenced: false },
      ...{ pin: null, readTo: 0, closed: false, touched: 0, touchedAt: 0 },
    };
    this.#files.set(file.id, file);
    const same = this.#byNode.get(node);
    if (same === undefined) this.#byNode.set(node, new Set([file]));
    else same.add(file);
    return file;
  }

  /** The open file of this number, if it is of this node; or undefined. */
  file(id: number, node: number): OpenFile | undefined {
    const file = this.#files.get(id);
    return file?.node === node && !file.closed ? file : undefined;
  }

  /** All open files. */
  all(): Iterable<OpenFile> {
    return this.#files.values();
  }

  /** All that are open on a node, those included that only wait for their commit. */
  on(node: number): Iterable<OpenFile> {
    return this.#byNode.get(node) ?? [];
  }

  /** True where a node is open. */
  isOpen(node: number): boolean {
    return this.#byNode.has(node);
  }

  /** The file on a node that was written to last and is not committed; or undefined. */
  writer(node: number): OpenFile | undefined {
    let last: OpenFile | undefined;
    for (const file of this.on(node)) {
      if (file.draft.empty && file.commit === null) continue;
      if (last === undefined || file.touched > last.touched) last = file;
    }
    return last;
  }

  /** It was written to just now. */
  touch(file: OpenFile, seconds: number): void {
    file.touched = ++this.#touches;
    file.touchedAt = seconds;
  }

  /** Lets a handle go on reading this content; null for whatever is there. */
  pin(file: OpenFile, content: Uint8Array | null): void {
    this.#pinned -= file.pin?.length ?? 0;
    const room = content !== null && this.#pinned + content.length <= PINNED_BYTES_MAX;
    file.pin = room ? content : null;
    this.#pinned += file.pin?.length ?? 0;
  }

  /** Bytes that are written and not committed. */
  buffered(): number {
    let bytes = 0;
    for (const { draft, commit } of this.#files.values()) {
      bytes += draft.bytes + (commit?.draft.bytes ?? 0);
    }
    return bytes;
  }

  /** It is done with. */
  close(file: OpenFile): void {
    this.pin(file, null);
    this.#files.delete(file.id);
    const same = this.#byNode.get(file.node);
    same?.delete(file);
    if (same?.size === 0) this.#byNode.delete(file.node);
  }

  /** Opens a directory; null where too many names are held already. */
  openDirectory(entries: readonly Entry[]): number | null {
    if (this.#names + entries.length > SNAPSHOT_NAMES_MAX) return null;
    this.#names += entries.length;
    const id = this.#next++;
    this.#directories.set(id, entries);
    return id;
  }

  /** What was in an open directory; or undefined. */
  entries(id: number): readonly Entry[] | undefined {
    return this.#directories.get(id);
  }

  /** It is done with. */
  closeDirectory(id: number): boolean {
    this.#names -= this.#directories.get(id)?.length ?? 0;
    return this.#directories.delete(id);
  }
}
