/** `pentad man [PAGE]`: the manual, without man(1) and without its files. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../../deno.json" with { type: "json" };
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { manPages } from "../man.ts";
import type { ManPage } from "../troff.ts";

export function manCommand(cli: Cli, program: () => CommandUnknownOpts): CommandUnknownOpts {
  return new Command("man").description("print a page of the manual, for: pentad man | man -l -")
    .argument("[page]", "a command that has commands of its own (ha, config, …), or settings")
    .option("--list", "only the names of the pages")
    .action(async (page, { list = false }) => {
      const pages = await allPages(program());
      if (cli.print.format === "json") {
        return cli.print.json({ schema: "pentad.man/1", pages: pages.map(({ name }) => name) });
      }
      if (list) return pages.forEach(({ name }) => cli.print.line(name));
      const name = page === undefined ? "pentad" : `pentad-${page}`;
      const found = pages.find((each) => each.name === `${name}.${each.section}`);
      if (found === undefined) {
        throw new ProblemError("cli.usage", `there is no page "${page}"; pentad man --list`);
      }
      cli.io.out(found.text);
    });
}

/** The pages of this program. */
export async function allPages(program: CommandUnknownOpts): Promise<readonly ManPage[]> {
  const { settingsSchema } = await import("../../base/settings.ts");
  return manPages(program, settingsSchema(), manifest.version);
}
