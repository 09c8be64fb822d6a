/** Reading the replicated tree: for the API, never for a decision. @module */
import type { StoredRow } from "../host/ports.ts";
import { type NodeId, nodeId } from "../base/id.ts";
import type { Tree } from "./tree.ts";

/** A file or directory. */
export interface PathStat {
  readonly path: string;
  readonly kind: "file" | "directory";
  readonly size: number;
  readonly version: number;
  readonly mtime: number;
  readonly writer: NodeId;
}

/** See the module's note. */
export class Library {
  readonly #treeNow: () => Tree;

  constructor(treeNow: () => Tree) {
    this.#treeNow = treeNow;
  }

  read(path: string): Uint8Array | null {
    const row = this.#treeNow().find(path);
    return row?.kind === "file" ? row.data : null;
  }

  stat(path: string): PathStat | null {
    const row = this.#treeNow().find(path);
    return row === null ? null : statOf(path, row);
  }

  list(path: string): readonly PathStat[] | null {
    const prefix = path === "" ? "" : `${path}/`;
    const rows = this.#treeNow().children(path);
    return rows && rows.map((row) => statOf(prefix + row.name, row));
  }
}

function statOf(path: string, row: StoredRow): PathStat {
  const { kind, data, version, mtime, writer } = row;
  return { path, kind, size: data.length, version, mtime, writer: nodeId(writer) };
}
