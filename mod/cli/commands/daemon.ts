/** `pentad daemon`: what systemd runs. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";
import { readSettingsFile, settingsOption } from "../settings_file.ts";

export function daemonCommand(cli: Cli): CommandUnknownOpts {
  return new Command("daemon")
    .description("run this node until it is told to stop")
    .addOption(settingsOption())
    .option("--check", "only check the settings file")
    .option("--accept-machine", "this machine took the place of the one that the node was made on")
    .action(async ({ settings: path, check, acceptMachine = false }) => {
      const settings = await readSettingsFile(cli.io, path);
      if (settings.api !== null && cli.io.openToOthers(path)) {
        cli.io.err(`warning: others may read the token in "${path}"   fix: chmod o= "${path}"\n`);
      }
      if (check) cli.print.note(`"${path}" is well`);
      else cli.exit = await cli.wiring.daemon(settings, acceptMachine);
    });
}
