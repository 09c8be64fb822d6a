/** `pentad heartbeat …`: stream 1. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { TimingRow } from "../../base/timing.ts";
import type { Cli } from "../cli.ts";
import { printView } from "../tree_view.ts";

export function heartbeatCommand(cli: Cli): CommandUnknownOpts {
  const show = new Command("show").description("links, members, votes, view")
    .action(async () => {
      const answer = await cli.client.get<{ view: unknown }>("/v1/heartbeat");
      if (cli.print.format === "json") return cli.print.json(answer);
      printView(cli.print, answer.view);
    });
  const timing = new Command("timing").description("every timeout with its formula")
    .action(async () => {
      const answer = await cli.client.get<{ rows: TimingRow[] }>("/v1/heartbeat/timing");
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.table(
        ["NAME", "VALUE", "FORMULA"],
        answer.rows.map(({ name, value, formula }) => [name, String(value), formula]),
      );
    });
  return new Command("heartbeat").alias("quorum").description("stream 1: who is alive")
    .addCommand(show).addCommand(timing);
}
