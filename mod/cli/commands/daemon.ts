/** `pentad daemon`: what systemd runs. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { decodeText } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";

export function daemonCommand(cli: Cli): CommandUnknownOpts {
  return new Command("daemon")
    .description("run this node until it is told to stop")
    .option("--settings <file>", "the settings file", "/etc/pentad/settings.json")
    .option("--check", "only check the settings file")
    .action(async ({ settings: path, check }) => {
      // Loads the schema library: only the daemon pays for it.
      const { parseSettings } = await import("../../base/settings.ts");
      const settings = parseSettings(await read(cli, path), path);
      if (check) cli.print.note(`"${path}" is well`);
      else cli.exit = await cli.wiring.daemon(settings);
    });
}

async function read(cli: Cli, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await cli.io.readFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "is not there" : "cannot be read";
    throw new ProblemError("settings.invalid", `"${path}" ${why}`, { cause: error });
  }
  const text = decodeText(bytes);
  if (text === null) throw new ProblemError("settings.invalid", `"${path}" is not UTF-8`);
  return text;
}
