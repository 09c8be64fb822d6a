/** What goes beside the file: its unit, completions and manual, made by the program itself. @module */
import { Cli } from "../../mod/cli/cli.ts";
import { completionFor, SHELLS } from "../../mod/cli/commands/completion.ts";
import { allPages } from "../../mod/cli/commands/man.ts";
import { UNIT } from "../../mod/cli/install/places.ts";
import { realIo } from "../../mod/cli/io.ts";
import { buildProgram } from "../../mod/cli/program.ts";

/** A text, and its path below the folder of what was built. */
export interface Paper {
  readonly path: string;
  readonly text: string;
}

/** As each shell's own folder wants it to be called. */
const COMPLETION_NAMES = { bash: "pentad", zsh: "_pentad", fish: "pentad.fish" } as const;

export async function papers(): Promise<readonly Paper[]> {
  const never = () => Promise.reject(new Error("Nothing runs in a build"));
  const wiring = { daemon: never, diskWorker: never, keeper: never, disks: never, offline: never };
  const program = buildProgram(new Cli(realIo(), { ...wiring, file: null }));
  return [
    { path: "pentad.service", text: UNIT },
    ...SHELLS.map((shell) => ({
      path: `completions/${shell}/${COMPLETION_NAMES[shell]}`,
      text: completionFor(shell, program),
    })),
    ...(await allPages(program)).map(({ name, section, text }) => ({
      path: `man/man${section}/${name}`,
      text,
    })),
  ];
}
