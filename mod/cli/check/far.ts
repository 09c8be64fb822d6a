/** The same look at another host, over SSH, and a look at its clock beside ours. @module */
import { EXIT } from "../../base/exit.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { LOGIN_STEPS } from "../join/steps.ts";
import { type JoinOrder, JoinWork } from "../join/work.ts";
import { type Finding, ill, type Level, well } from "./finding.ts";

/** What came from there. */
export interface FarCheck {
  readonly host: string;
  readonly time_ms: number;
  readonly findings: readonly Finding[];
}

/** As wide as a join lets the clocks differ. */
const CLOCK_MS_MAX = 2000;
const FINDINGS_MAX = 500;
const TEXT_MAX = 2000;
const LEVELS: readonly Level[] = ["ok", "warn", "fail"];

/** Runs `pentad check` there. Throws a ProblemError where nobody lets us in, or it cannot be read. */
export async function checkFar(cli: Cli, order: JoinOrder): Promise<FarCheck> {
  const work = new JoinWork(cli, order);
  try {
    for (const step of LOGIN_STEPS) await step.run(work);
    const before = Date.now();
    const said = await work.far(["check"], undefined, [EXIT.ok, EXIT.degraded, EXIT.failed]);
    const read = readFar(said);
    if (read === null) throw new ProblemError("join.far-side", "what it found cannot be read");
    return { ...read, findings: [...read.findings, ofClock(read.time_ms, before, Date.now())] };
  } finally {
    await work.close();
  }
}

/** Its clock was read at some moment between the asking and the answer. */
function ofClock(there: number, before: number, after: number): Finding {
  const off = there < before ? before - there : Math.max(0, there - after);
  const what = `its clock is ${there < before ? "behind" : "ahead of"} ours by ${off} ms or more`;
  if (off <= CLOCK_MS_MAX) return well("clocks", "its clock and ours agree");
  return ill("fail", "clocks", what, "let NTP run on both: times in events and history must agree");
}

/** What the other side sent; every field is hostile. */
export function readFar(value: unknown): FarCheck | null {
  const { schema, host, time_ms, findings } = objectOf(value);
  if (schema !== "pentad.check/1" || typeof host !== "string" || host.length > TEXT_MAX) {
    return null;
  }
  if (typeof time_ms !== "number" || !Number.isSafeInteger(time_ms)) return null;
  if (!Array.isArray(findings) || findings.length > FINDINGS_MAX) return null;
  const read = findings.map(readFinding);
  if (read.includes(null)) return null;
  return { host, time_ms, findings: read.filter((each) => each !== null) };
}

function readFinding(value: unknown): Finding | null {
  const { check, level, what, fix } = objectOf(value);
  const texts = [check, what, fix].every((each) =>
    typeof each === "string" && each.length <= TEXT_MAX
  );
  if (!texts || !LEVELS.includes(level as Level)) return null;
  return { check, level, what, fix } as Finding;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
