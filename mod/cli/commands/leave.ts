/** `pentad leave`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";

export function leaveCommand(cli: Cli): CommandUnknownOpts {
  return new Command("leave")
    .description("stop this node's resources and give its membership up")
    .action(async () => {
      const answer = await cli.client.change("POST", "/v1/leave", {
        json: {},
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note("this node is no member any more; the daemon goes on, free to join again");
    });
}
