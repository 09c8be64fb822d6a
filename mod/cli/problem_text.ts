/** Problems on standard error: four lines for people, or with `--json` one object. Pure. @module */
import { formatProblem, type Problem, PROBLEMS } from "../base/problem.ts";
import { safeText } from "./print.ts";

/** The four parts: what, why, fix, code. What came from elsewhere cannot steer a terminal. */
export function problemText({ code, why }: Problem, form: "text" | "json"): string {
  const { title, remedy, exit } = PROBLEMS[code];
  if (form === "json") {
    return JSON.stringify({ schema: "pentad.problem/1", code, title, why, remedy, exit }) + "\n";
  }
  // Only a bug has several lines: its stack.
  const lines = why.split("\n").map(safeText).join("\n         ");
  return formatProblem({ code, why: lines }) + "\n";
}

/** True where the arguments ask for JSON; they may be wrong in every other way. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const options = end < 0 ? argv : argv.slice(0, end);
  return options.some((word, at) =>
    word === "--json" || word === "--output=json" || word === "-ojson" ||
    (word === "json" && ["-o", "--output"].includes(options[at - 1] ?? ""))
  );
}
