/** What stat(2) shows of each place, and what of a file is seen through which handle. @module */
import type { MountParts, StepClock } from "./context.ts";
import type { Handles, OpenFile } from "./handles.ts";
import { VALID_MS } from "./limits.ts";
import { modeOf, readOnly } from "./paths.ts";
import type { Findable, Nodes, Place } from "./nodes.ts";
import type { Attributes } from "./requests.ts";
import { DEBUG_NODE, type Special } from "./specials.ts";

const EMPTY = new Uint8Array(0);

/** What this is made of. */
export interface StatParts {
  readonly parts: MountParts;
  readonly clock: StepClock;
  readonly nodes: Nodes;
  readonly handles: Handles;
  /** The content of a virtual file now, and the target of a link. */
  readonly render: (special: Special) => Uint8Array;
  readonly startedAt: number;
}

/** See the module's note. */
export class Stat {
  readonly #parts: StatParts;

  constructor(parts: StatParts) {
    this.#parts = parts;
  }

  /** What is at a place. `file`: seen through that handle. */
  of(place: Findable, file: OpenFile | null = null): Attributes {
    const node = this.#parts.nodes.nodeOf(place);
    const { uid, gid } = { uid: 0, gid: this.#parts.parts.gid };
    switch (place.place) {
      case "root":
        return {
          ...{ node, kind: "directory", mode: 0o755, size: 0, links: 2, uid, gid },
          ...{ mtime: this.#parts.startedAt, validMs: VALID_MS },
        };
      case "special":
        return this.#special(place.special, file);
      case "pending":
        return this.#file(node, { place, size: 0, mtime: place.pending.mtime }, file);
      case "row": {
        const { row } = place;
        if (row.kind === "file") {
          return this.#file(node, { place, size: row.data.length, mtime: row.mtime }, file);
        }
        const mode = this.mode(place);
        const { mtime } = row;
        return {
          ...{ node, kind: "directory", mode, size: 0, links: 2, uid, gid, mtime },
          validMs: VALID_MS,
        };
      }
    }
  }

  /** The same of a file that is unlinked and still open. */
  ofOrphan(file: OpenFile, orphan: Extract<Place, { place: "orphan" }>): Attributes {
    return {
      ...{ node: file.node, kind: "file", mode: this.#shown(0o640), links: 0, uid: 0 },
      size: this.lengthThrough(file, orphan.data?.length ?? 0),
      ...{ gid: this.#parts.parts.gid, mtime: orphan.mtime, validMs: 0 },
    };
  }

  /** Permission bits as they are shown now. */
  mode(place: Place): number {
    const own = this.ownMode(place);
    const shown = place.place === "root" ||
      (place.place === "special" && place.special.kind === "file");
    return shown ? own : this.#shown(own);
  }

  /** Permission bits where writing is possible. */
  ownMode(place: Place): number {
    if (place.place === "root") return 0o755;
    if (place.place === "special") {
      return place.special.kind === "link" ? 0o755 : place.special.mode;
    }
    const directory = place.place === "row" && place.row.kind === "directory";
    return modeOf(directory ? "directory" : "file", this.#parts.nodes.pathOf(place) ?? "");
  }

  /** The committed content of what is at a place; null where it is not kept any more. */
  content(place: Place | null): Uint8Array | null {
    if (place?.place === "row") return place.row.data;
    if (place?.place === "pending") return EMPTY;
    return place?.place === "orphan" ? place.data : null;
  }

  /** What is read through a handle: the committed content with what was written through it. */
  view(file: OpenFile): Uint8Array | null {
    const place = this.#parts.nodes.find(file.node);
    const base = this.content(place);
    if (base === null) return null;
    // What only this node has is the same for all who have it open.
    const author = place?.place === "pending" ? this.#parts.handles.writer(file.node) : undefined;
    return viewThrough(author ?? file, base);
  }

  /** Its length. */
  lengthThrough({ commit, draft }: OpenFile, base: number): number {
    return draft.length(commit === null ? base : commit.draft.length(base));
  }

  #shown(mode: number): number {
    return this.#parts.parts.frozen() === null ? mode : readOnly(mode);
  }

  #file(
    node: number,
    { place, size, mtime }: { place: Place; size: number; mtime: number },
    through: OpenFile | null,
  ): Attributes {
    const writer = this.#parts.handles.writer(node);
    const pending = place.place === "pending";
    const file = through === null || pending ? writer : through;
    const dirty = file !== undefined && !(file.draft.empty && file.commit === null);
    const shown = {
      size: dirty ? this.lengthThrough(file, size) : through?.pin?.length ?? size,
      mtime: dirty ? file.draft.mtime ?? file.commit?.draft.mtime ?? file.touchedAt : mtime,
    };
    // While somebody writes it, handles differ in what they see.
    const validMs = pending || writer !== undefined ? 0 : VALID_MS;
    return {
      ...{ node, kind: "file", mode: this.mode(place), links: 1, uid: 0 },
      ...{ gid: this.#parts.parts.gid, ...shown, validMs },
    };
  }

  #special(special: Special, file: OpenFile | null): Attributes {
    const { node, kind } = special;
    const size = (file?.text ?? this.#parts.render(special)).length;
    const changing = kind === "file" && node !== DEBUG_NODE;
    const { parts, clock, startedAt } = this.#parts;
    return {
      ...{ node, kind, size, links: 1, uid: 0, gid: parts.gid },
      mode: this.mode({ place: "special", special }),
      mtime: changing ? parts.wallSeconds(clock.now) : startedAt,
      validMs: kind === "link" ? VALID_MS : 0,
    };
  }
}

function viewThrough({ commit, draft }: OpenFile, base: Uint8Array): Uint8Array {
  return draft.view(commit === null ? base : commit.draft.view(base));
}
