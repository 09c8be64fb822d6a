/** `pentad storage …`: stream 4. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { EXIT } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { printView } from "../tree_view.ts";
import { checkCommand } from "./storage_check.ts";
import { reservationsCommand } from "./storage_reservations.ts";
import { witnessCommand } from "./storage_witness.ts";

export function storageCommand(cli: Cli): CommandUnknownOpts {
  const show = new Command("show").description("disks, pulses, registrations, witness")
    .action(async () => {
      const answer = await cli.client.get<{ view: unknown }>("/v1/storage");
      if (cli.print.format === "json") return cli.print.json(answer);
      printView(cli.print, answer.view);
    });
  const format = new Command("format")
    .description("look what a shared disk carries; with --commit, label it if that is nothing")
    .argument("<path>", "the disk, as the settings file names it")
    .argument("[more...]", "further disks, that are to judge together with it")
    .option("--commit", "write the label")
    .action(async (path, more, { commit = false }) => {
      const answer = await cli.client.change<{ uuid: string; found: string }>(
        "POST",
        "/v1/storage/format",
        { json: { path, with: more, commit }, limitMs: cli.waitMs },
      );
      // Found "nothing" without --commit: a real run would change the disk.
      if (!commit && answer.found === "nothing") cli.exit = EXIT.changes;
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.line(`${path}\t${commit ? "labelled" : answer.found}\t${answer.uuid}`);
      if (!commit) cli.print.note("nothing was written; --commit writes the label");
    });
  return new Command("storage").description("stream 4: who may write").addCommand(show)
    .addCommand(format).addCommand(witnessCommand(cli)).addCommand(reservationsCommand(cli))
    .addCommand(checkCommand(cli));
}
