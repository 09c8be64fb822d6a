/** The command tree, and what happens when a command line does not fit it. @module */
import {
  Command,
  CommanderError,
  type CommandUnknownOpts,
  InvalidArgumentError,
  Option,
} from "@commander-js/extra-typings";
import { nearest } from "../base/nearest.ts";
import { EXIT, ProblemError } from "../base/problem.ts";
import type { Cli } from "./cli.ts";
import { bundleCommand } from "./commands/bundle.ts";
import { checkCommand } from "./commands/check.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { daemonCommand } from "./commands/daemon.ts";
import { deployCommand } from "./commands/deploy.ts";
import { eventsCommand } from "./commands/events.ts";
import { haCommand } from "./commands/ha.ts";
import { helpCommand } from "./commands/help.ts";
import { heartbeatCommand } from "./commands/heartbeat.ts";
import { initCommand } from "./commands/init.ts";
import { installCommands } from "./commands/install.ts";
import { joinCommand } from "./commands/join.ts";
import { leaveCommand } from "./commands/leave.ts";
import { manCommand } from "./commands/man.ts";
import { nodeCommand } from "./commands/node.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { statusCommand } from "./commands/status.ts";
import { storageCommand } from "./commands/storage.ts";
import { versionCommand } from "./commands/version.ts";
import { FORMATS } from "./print.ts";

/** Longest `--wait`: a day. */
const WAIT_SECONDS_MAX = 86_400;

/** Builds the tree for one run. */
export function buildProgram(cli: Cli): CommandUnknownOpts {
  const program = new Command("pentad")
    .description("a high-availability cluster in one executable")
    .option("--socket <path>", "the daemon's socket (PENTAD_SOCKET)")
    .option("--data <path>", "no daemon: read this state directory, or backup (config ls, get, …)")
    .option("--api <url>", "the daemon over TCP (PENTAD_API); its token in PENTAD_TOKEN")
    .addOption(new Option("-o, --output <format>", "how to print").choices(FORMATS))
    .option("--json", "the same as -o json; a refusal too is one object, on standard error")
    .option("-q, --quiet", "the result only: no column heads, no advice")
    .option(
      "--wait <seconds>",
      "how long a change may take; ha and node then wait for its end",
      seconds,
    )
    .helpCommand(false);
  program.hook("preAction", () => {
    cli.globals = program.opts();
  });
  const commands: readonly CommandUnknownOpts[] = [
    daemonCommand(cli),
    initCommand(cli),
    joinCommand(cli),
    deployCommand(cli),
    leaveCommand(cli),
    statusCommand(cli),
    eventsCommand(cli),
    checkCommand(cli),
    bundleCommand(cli),
    nodeCommand(cli),
    heartbeatCommand(cli),
    configCommand(cli),
    haCommand(cli),
    storageCommand(cli),
    simulateCommand(cli),
    ...installCommands(cli, () => program),
    completionCommand(cli, () => program),
    manCommand(cli, () => program),
    versionCommand(cli),
    helpCommand(cli, () => program),
  ];
  for (const command of commands) program.addCommand(command);
  settle(program, cli);
  return program;
}

/** Finds the command and runs it. Throws ProblemErrors. */
export async function parse(cli: Cli, argv: readonly string[]): Promise<void> {
  try {
    // What everybody tries first.
    const words = argv[0] === "--version" || argv[0] === "-V"
      ? ["version", ...argv.slice(1)]
      : argv;
    await buildProgram(cli).parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return;
    // A command without its verb prints its help, and that is an error of usage.
    if (error.code === "commander.help") cli.exit = EXIT.usage;
    else throw new ProblemError("cli.usage", sentence(error.message));
  }
}

/** Every command ends by an exception, and says nothing by itself but help. */
function settle(command: CommandUnknownOpts, cli: Cli): void {
  command.exitOverride();
  if (command.commands.length > 0) command.helpCommand(false);
  command.configureOutput({
    writeOut: (text) => cli.io.out(text),
    writeErr: (text) => cli.io.err(text),
    outputError: () => {},
    getOutHelpWidth: () => cli.io.columns,
    getErrHelpWidth: () => cli.io.columns,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  for (const child of command.commands) settle(child, cli);
}

/** Commander's message as a clause, with one suggestion at most. */
export function sentence(message: string): string {
  const clause = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ")
    .replace(/\(Did you mean (?:one of )?([^,?)]+)[^)]*\)/, ', did you mean "$1"?')
    .replace(/^command-argument value/, "value")
    .replace(" ,", ",").replace(/'/g, '"').replace(/\.$/, "").trim();
  const choice = /"([^"]*)" is invalid.*Allowed choices are (.+)$/.exec(clause);
  const meant = choice && nearest(choice[1]?.toLowerCase() ?? "", (choice[2] ?? "").split(", "));
  return meant ? `${clause}; did you mean "${meant}"?` : clause;
}

function seconds(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= WAIT_SECONDS_MAX) {
    return Number(text);
  }
  throw new InvalidArgumentError(`It must be a number of seconds from 1 to ${WAIT_SECONDS_MAX}.`);
}
