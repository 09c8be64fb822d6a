/** `pentad help COMMAND…`: the same text as `--help`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { nearest } from "../../base/nearest.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";

export function helpCommand(cli: Cli, program: () => CommandUnknownOpts): CommandUnknownOpts {
  return new Command("help").description("explain a command")
    .argument("[command...]")
    .action((words) => cli.io.out(find(program(), words).helpInformation()));
}

/** The command that a chain of names leads to. Throws `cli.usage` at the first that is none. */
function find(program: CommandUnknownOpts, words: readonly string[]): CommandUnknownOpts {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((each) =>
      each.name() === word || each.aliases().includes(word)
    );
    if (next === undefined) {
      const meant = nearest(word, command.commands.map((each) => each.name()));
      const hint = meant ? `, did you mean "${meant}"?` : "";
      throw new ProblemError("cli.usage", `unknown command "${word}"${hint}`);
    }
    command = next;
  }
  return command;
}
