/** Making the database of a new cluster's only member out of a copy of an older one. @module */
import { DatabaseSync } from "node:sqlite";
import { contentOf } from "../../base/content_sum.ts";
import type { StoredSpec } from "../ports.ts";
import { bringToForm, putMeta, putOrigin } from "./database_form.ts";
import { Damage, entryCrc, freshOrigin, readMeta, readTree } from "./database_rows.ts";

/** How it begins. */
export interface Beginning {
  /** The description of the new cluster: its log entry. */
  readonly spec: Uint8Array;
  /** Bodies of the first entries of its log. */
  readonly entries: readonly Uint8Array[];
  /** Tables that are no database's own go. */
  readonly drop: readonly string[];
}

/**
 * Keeps tree, requests and history; lets the log, every vote and the locks of nodes that are no more
 * go, and begins anew behind what was applied. All of it or nothing.
 */
export function beginAnew(path: string, { spec, entries, drop }: Beginning): void {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA synchronous = FULL");
    // Another database than that of the backup: it has no seal, and was never opened.
    const origin = freshOrigin();
    bringToForm(database, origin);
    const meta = readMeta(database);
    if (meta === null) throw new Damage("it holds no state");
    const { applied, appliedTerm, term } = meta;
    const stored: StoredSpec = { index: applied, body: spec };
    database.exec("BEGIN IMMEDIATE; DELETE FROM log; DELETE FROM locks;");
    for (const table of drop) database.exec(`DROP TABLE IF EXISTS ${table}`);
    const put = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?)");
    for (const [at, body] of entries.entries()) {
      const entry = { index: applied + 1 + at, term, body };
      put.run(entry.index, term, body, entryCrc(entry));
    }
    putOrigin(database, origin);
    putMeta(database)({
      ...meta,
      ...{ vote: 0, diverged: false, base: applied, baseTerm: appliedTerm, baseChain: 0 },
      ...{ specIndex: stored.index, spec: stored.body },
      content: contentOf(readTree(database), []),
    });
    database.exec("COMMIT");
  } finally {
    database.close();
  }
}
