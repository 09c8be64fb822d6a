/** Findings as a table for people. @module */
import type { Cli } from "../cli.ts";
import { type Grade, safeText } from "../print.ts";
import type { Finding, Level } from "./finding.ts";

const GRADES: Readonly<Record<Level, Grade>> = { ok: "good", warn: "warn", fail: "bad" };

/** Prints them, and how many there are of each kind. */
export function printFindings(cli: Cli, findings: readonly Finding[]): void {
  const rows = findings.map(({ check, level, what, fix }) => [
    cli.print.state(level, GRADES[level]),
    check,
    safeText(what) + (fix === "" ? "" : `   fix: ${safeText(fix)}`),
  ]);
  cli.print.table(["STATE", "CHECK", "FOUND"], rows);
  const count = (level: Level) => findings.filter((each) => each.level === level).length;
  cli.print.note(`${count("ok")} well, ${count("warn")} warnings, ${count("fail")} failed`);
}
