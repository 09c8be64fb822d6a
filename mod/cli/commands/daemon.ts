/** `pentad daemon`: what systemd runs. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { decodeText } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { unreadable } from "../io.ts";

/** Longer files are no settings (`SETTINGS_BYTES_MAX`); a device would never end. */
const FILE_BYTES_MAX = 1024 * 1024;

export function daemonCommand(cli: Cli): CommandUnknownOpts {
  return new Command("daemon")
    .description("run this node until it is told to stop")
    .option("--settings <file>", "the settings file", "/etc/pentad/settings.json")
    .option("--check", "only check the settings file")
    .option("--accept-machine", "this machine took the place of the one that the node was made on")
    .action(async ({ settings: path, check, acceptMachine = false }) => {
      // Loads the schema library: only the daemon pays for it.
      const { parseSettings } = await import("../../base/settings.ts");
      const settings = parseSettings(await read(cli, path), path);
      if (settings.api !== null && cli.io.openToOthers(path)) {
        cli.io.err(`warning: others may read the token in "${path}"   fix: chmod o= "${path}"\n`);
      }
      if (check) cli.print.note(`"${path}" is well`);
      else cli.exit = await cli.wiring.daemon(settings, acceptMachine);
    });
}

async function read(cli: Cli, path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new ProblemError("settings.unreadable", `"${path}" ${why}`, { cause });
  let bytes: Uint8Array | null;
  try {
    bytes = await cli.io.readFile(path, FILE_BYTES_MAX);
  } catch (error) {
    throw refuse(unreadable(error), error);
  }
  if (bytes === null) throw refuse(`is longer than ${FILE_BYTES_MAX} bytes`);
  const text = decodeText(bytes);
  if (text === null) throw refuse("is not UTF-8");
  return text;
}
