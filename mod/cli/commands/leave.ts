/** `pentad leave`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Description } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { unlinkTree } from "../join/own_keys.ts";

export function leaveCommand(cli: Cli): CommandUnknownOpts {
  return new Command("leave")
    .description("stop this node's resources and give its membership up")
    .action(async () => {
      const { mount } = await cli.client.get<Description>("/v1/join/describe");
      const answer = await cli.client.change("POST", "/v1/leave", {
        json: {},
        limitMs: cli.waitMs,
      });
      if (mount !== null) unlinkTree(cli.home, mount);
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note("this node is no member any more; the daemon goes on, free to join again");
      cli.print.note(
        "what it knew it still knows: where it goes to others, on a member that stays:",
      );
      cli.print.note("  pentad join renew-key");
    });
}
