/** `pentad completion SHELL`: a script made from the command tree. @module */
import { Argument, Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";

/** What may follow a chain of commands. */
export interface Words {
  /** `config set`; empty for the program itself. */
  readonly chain: string;
  readonly words: readonly string[];
}

export function completionCommand(cli: Cli, program: () => CommandUnknownOpts): CommandUnknownOpts {
  return new Command("completion")
    .description("print a script that completes commands and options")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .action((shell) => cli.io.out(completionFor(shell, program())));
}

/** Shells that are completed for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What a shell reads to complete every command. */
export function completionFor(shell: typeof SHELLS[number], program: CommandUnknownOpts): string {
  const all = wordsOf(program);
  return shell === "fish" ? fish(all) : shell === "zsh" ? zsh(all) : bash(all);
}

/** Subcommands and options of every command in the tree. */
export function wordsOf(command: CommandUnknownOpts, chain = ""): Words[] {
  const names = command.commands.map((child) => child.name());
  const options = command.options.flatMap((option) => option.long ? [option.long] : []);
  return [
    { chain, words: [...names, ...options] },
    ...command.commands.flatMap((child) => wordsOf(child, `${chain} ${child.name()}`.trim())),
  ];
}

function cases(all: readonly Words[]): string {
  return all.map(({ chain, words }) => `    "${chain}") words="${words.join(" ")}";;`).join("\n");
}

/** The chain is every word so far that is no option; the longest known one counts. */
function shellFunction(all: readonly Words[]): string {
  return `_pentad_words() {
  local chain="" words="" word next
  for word in "$@"; do
    case "$word" in -*) continue;; esac
    next="\${chain:+$chain }$word"
    case "$next" in ${
    all.filter(({ chain }) => chain).map(({ chain }) => `"${chain}"`).join("|")
  }) chain="$next";; esac
  done
  case "$chain" in
${cases(all)}
  esac
  printf '%s' "$words"
}
`;
}

function bash(all: readonly Words[]): string {
  return `${shellFunction(all)}_pentad() {
  COMPREPLY=($(compgen -W "$(_pentad_words "\${COMP_WORDS[@]:1:COMP_CWORD-1}")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _pentad pentad
`;
}

/** A file of zsh's search path is the body of the function at its first call, and runs it. */
function zsh(all: readonly Words[]): string {
  return `#compdef pentad
${shellFunction(all)}_pentad() {
  compadd -- \${=$(_pentad_words "\${(@)words[2,CURRENT-1]}")}
}
if [[ "\${funcstack[1]}" = _pentad ]]; then _pentad "$@"; else compdef _pentad pentad; fi
`;
}

function fish(all: readonly Words[]): string {
  const lines = all.map(({ chain, words }) =>
    `    case '${chain}'\n      set found ${words.join(" ")}`
  );
  const chains = all.filter(({ chain }) => chain).map(({ chain }) => `'${chain}'`).join(" ");
  return `function __pentad_words
  set -l chain ''
  set -l found
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    set -l next (string trim -- "$chain $word")
    contains -- "$next" ${chains}; and set chain "$next"
  end
  switch "$chain"
${lines.join("\n")}
  end
  printf '%s\\n' $found
end
complete -c pentad -f -a '(__pentad_words)'
`;
}
