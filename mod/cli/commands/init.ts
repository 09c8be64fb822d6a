/** `pentad init NAME`. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { PROFILE_NAMES } from "../../base/timing.ts";
import type { Cli } from "../cli.ts";

export function initCommand(cli: Cli): CommandUnknownOpts {
  return new Command("init")
    .description("make a cluster of this node")
    .argument("<name>", "the cluster's name")
    .addOption(new Option("--profile <name>", "its timeouts").choices(PROFILE_NAMES))
    .option(
      "--disk <path...>",
      "format this shared disk, or an odd number of them, and give them the witness vote",
    )
    .action(async (name, { profile, disk }) => {
      const [first = null, ...others] = disk ?? [];
      const json = { name, profile: profile ?? "standard", disk: first, with: others };
      const answer = await cli.client.change("POST", "/v1/init", { json, limitMs: cli.waitMs });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note(`cluster "${name}" is made`);
      cli.print.note(
        "next: pentad join ticket new; with the ticket, on the other node: pentad join --ticket -",
      );
    });
}
