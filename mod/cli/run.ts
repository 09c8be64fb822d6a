/**
 * The command line: arguments → one command → an exit code (ux.md a.3). It knows the daemon through
 * its API only; what runs inside this process (the daemon, disk workers, the keeper) is handed in by main.ts.
 *
 * @module
 */
import { EXIT, type Problem, ProblemError, PROBLEMS } from "../base/problem.ts";
import { Cli, type Wiring } from "./cli.ts";
import { type Io, realIo } from "./io.ts";
import { problemText, wantsJson } from "./problem_text.ts";

/** Runs one command line; returns the exit code. Never throws. */
export async function run(
  argv: readonly string[],
  wiring: Wiring,
  io: Io = realIo(),
): Promise<number> {
  const cli = new Cli(io, wiring);
  try {
    // Processes that the daemon starts: no command line of theirs is for people.
    if (argv[0] === "disk-worker") return codeOf(await wiring.diskWorker(argv.slice(1)));
    if (argv[0] === "keeper") return codeOf(await wiring.keeper(argv.slice(1)));
    const { parse } = await import("./program.ts");
    await parse(cli, argv);
    return cli.exit;
  } catch (error) {
    const problem = problemOf(error);
    io.err(problemText(problem, wantsJson(argv) ? "json" : "text"));
    return PROBLEMS[problem.code].exit;
  } finally {
    await cli.close();
  }
}

function codeOf(result: unknown): number {
  return typeof result === "number" ? result : EXIT.ok;
}

function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const why = error instanceof Error ? error.stack ?? error.message : String(error);
  return { code: "bug", why };
}
