/**
 * What a description that was forced does to the tree: it leaves a list of those who were put out.
 * Whoever is on it may run resources of which this node's log knows nothing, so stream 3 starts
 * nothing before a person has vouched for the death of each. The file is written by the entry itself,
 * whatever stands there, so that no crash can come in between.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import { nodeId, requestId } from "../base/id.ts";
import type { Operation, Transaction } from "../streams.ts";
import type { TreeReader } from "./tree.ts";
import type { ForcedEntry } from "./wire.ts";

/** Nodes that were put out by force and may live: a line `ID NAME` for each. */
export const OUT_FILE = "ha/out_nodes";

/** The list as the file holds it. */
export function printOut(out: ForcedEntry["out"]): string {
  return out.map(({ id, name }) => `${nodeId(id)} ${name}\n`).join("");
}

/** The entry as a transaction of people's kind; `tree` is what it is applied to. */
export function transactionOfForced(entry: ForcedEntry, tree: TreeReader | null): Transaction {
  const { request, author, reason, time, out } = entry;
  const before = tree?.find(OUT_FILE) ?? null;
  const old = before?.kind === "file" ? decodeText(before.data) ?? "" : "";
  const fresh = out.filter((each) => !old.split("\n").includes(printOut([each]).trimEnd()));
  const data = encodeText(old + printOut(fresh));
  const operations: Operation[] = [];
  if (tree !== null) {
    const above = tree.find("ha")?.kind ?? null;
    if (above === "file") operations.push({ op: "remove", path: "ha" });
    if (above !== "directory") operations.push({ op: "mkdir", path: "ha" });
    if (before === null) operations.push({ op: "create", path: OUT_FILE });
  }
  operations.push({ op: "write", path: OUT_FILE, offset: 0, data });
  return {
    ...{ request: requestId(request), base: 0, expect: [], operations },
    ...{ author, reason, time },
  };
}
