/** `pentad storage witness …`: which disks judge between two nodes. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { WitnessChange, WitnessState } from "../../api/storage_node.ts";
import { EXIT } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { safeText } from "../print.ts";

const ADDRESS = "/v1/storage/witness";
const DRY_RUN = "only say what would change; exit code 10 if anything would";

export function witnessCommand(cli: Cli): CommandUnknownOpts {
  const show = new Command("show").description("its disks, who reaches them, and who would win")
    .action(async () => {
      const answer = await cli.client.get<WitnessState>(ADDRESS);
      if (cli.print.format === "json") return cli.print.json(answer);
      if (answer.disk === null) cli.print.line("no witness");
      else {
        cli.print.table(
          ["DISK", "UUID", "STATE", "SEEN", "TEST"],
          answer.disks.map(({ uuid, path, state, seen, verdict }) => [
            ...[safeText(path ?? "–"), uuid, state, safeText(seen.join(", ") || "–")],
            verdict ?? "–",
          ]),
        );
      }
      cli.print.note(answer.verdict);
    });
  const set = new Command("set")
    .description("let a disk be the witness, or those that were labelled together")
    .argument("<disk...>", "its path on this node, or its uuid")
    .option("--dry-run", DRY_RUN)
    .action((disks, { dryRun = false }) => change(cli, { disks, commit: !dryRun }));
  const remove = new Command("remove").description("let no disk be the witness")
    .option("--dry-run", DRY_RUN)
    .action(({ dryRun = false }) => change(cli, { disks: [], commit: !dryRun }));
  return new Command("witness").description("which disks have the third vote of a pair")
    .addCommand(show).addCommand(set).addCommand(remove);
}

async function change(
  cli: Cli,
  ask: { readonly disks: readonly string[]; readonly commit: boolean },
): Promise<void> {
  const answer = await cli.client.change<WitnessChange>("PUT", ADDRESS, {
    json: ask,
    limitMs: cli.waitMs,
  });
  const { before, after, steps, warnings } = answer;
  if (!ask.commit && steps.length > 0) cli.exit = EXIT.changes;
  if (cli.print.format === "json") return cli.print.json(answer);
  cli.print.line(`${before ?? "none"}\t${after ?? "none"}`);
  for (const warning of warnings) cli.print.note(safeText(warning));
  if (steps.length === 0) cli.print.note("it is so already");
  else if (!ask.commit) cli.print.note("nothing was changed; without --dry-run it is");
}
