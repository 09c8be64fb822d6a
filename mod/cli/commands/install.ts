/** `pentad install`, `upgrade`, `rollback`, `uninstall`: the program on its host. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { placesBelow } from "../install/places.ts";
import { install, rollback, uninstall, upgrade } from "../install/run.ts";
import { completionFor } from "./completion.ts";
import { allPages } from "./man.ts";

const ROOT_HELP = "below this folder instead of /: for an image";
/** What `uninstall` asks for where a member would be lost. */
const LOSE_DATA = "lose-data";

export function installCommands(
  cli: Cli,
  program: () => CommandUnknownOpts,
): readonly CommandUnknownOpts[] {
  return [
    withRoot(new Command("install").description("put this file, its unit and settings in place"))
      .option("--name <name>", "of this node; default: the host's name")
      .option("--address <ip>", "by which others reach it; default: where its default route leaves")
      .option("--dry-run", "list what would be written")
      .action(async ({ root, name, address, dryRun = false }) => {
        const asked = { name: name ?? null, address: address ?? null, dryRun };
        const completion = completionFor("bash", program());
        const manual = await allPages(program());
        await install(cli, { places: placesBelow(root), completion, manual, ...asked });
      }),
    withRoot(new Command("upgrade").description("change to the version in a file"))
      .argument("<file>")
      .action((file, { root }) => upgrade(cli, placesBelow(root), file)),
    withRoot(new Command("rollback").description("change to the version that was in use before"))
      .action(({ root }) => rollback(cli, placesBelow(root))),
    withRoot(new Command("uninstall").description("take away what install brought"))
      .option("--purge", "the node's settings and data too")
      .option("--dry-run", "list what would be removed")
      .option("--accept-risk <risk>", `${LOSE_DATA}: although it is a member of a cluster`)
      .action(({ root, purge = false, dryRun = false, acceptRisk }) => {
        if (acceptRisk !== undefined && acceptRisk !== LOSE_DATA) {
          throw new ProblemError("cli.usage", `"${acceptRisk}" is no risk here: ${LOSE_DATA}`);
        }
        const how = { purge, dryRun, acceptRisk: acceptRisk !== undefined };
        return uninstall(cli, placesBelow(root), how);
      }),
  ];
}

function withRoot(command: Command) {
  return command.option("--root <folder>", ROOT_HELP, rootFolder, "");
}

function rootFolder(text: string): string {
  if (text.startsWith("/")) return text.replace(/\/+$/, "");
  throw new ProblemError("cli.usage", `--root takes an absolute path, not "${text}"`);
}
