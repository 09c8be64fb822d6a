/** What `pentad check` found: one line each. Pure. @module */
import { EXIT } from "../../base/exit.ts";

export type Level = "ok" | "warn" | "fail";

/** One finding. */
export interface Finding {
  /** Stable: what was looked at. */
  readonly check: string;
  readonly level: Level;
  readonly what: string;
  /** What to do about it; empty where it is well. */
  readonly fix: string;
}

/** What is well. */
export function well(check: string, what: string): Finding {
  return { check, level: "ok", what, fix: "" };
}

/** What is not. */
export function ill(level: "warn" | "fail", check: string, what: string, fix: string): Finding {
  return { check, level, what, fix };
}

/** Failed where anything would keep a node from working safely, degraded where anything is worse. */
export function exitOfFindings(findings: readonly Finding[]): number {
  if (findings.some(({ level }) => level === "fail")) return EXIT.failed;
  return findings.some(({ level }) => level === "warn") ? EXIT.degraded : EXIT.ok;
}
