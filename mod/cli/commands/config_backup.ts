/** `pentad config export, backup, restore`: the tree in files, and all of it in one. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { BackupReport, RestoreReport } from "../../api/running_node.ts";
import type { Cli } from "../cli.ts";
import { writeExport } from "../export_writer.ts";
import { point } from "../options.ts";

export function exportCommand(cli: Cli): CommandUnknownOpts {
  return new Command("export").description("the tree as files, in an empty directory")
    .argument("<directory>")
    .option("--at <point>", "as it was: a transaction, a time, or now", point, "now")
    .action(async (directory, { at }) => {
      const query = new URLSearchParams({ at });
      const source = await cli.client.stream(`/v1/config-export?${query}`, cli.io.signal);
      const { at: index, files, directories } = await writeExport(source, directory);
      const answer = { schema: "pentad.exported/1", directory, at: index, files, directories };
      if (cli.print.format === "json") return cli.print.json(answer);
      const txn = `0x${index.toString(16)}`;
      cli.print.note(`exported ${files} files as of txn_id=${txn} into "${directory}"`);
    });
}

export function backupCommand(cli: Cli): CommandUnknownOpts {
  return new Command("backup")
    .description("one verified file with everything; as secret as the cluster key, which is in it")
    .argument("[file]", "where, on the node's host; else in backup/ of its state directory")
    .action(async (file) => {
      const json = { file: file === undefined ? null : absolute(file) };
      const answer = await cli.client.change<BackupReport>("POST", "/v1/backups", {
        json,
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.line(answer.file);
      cli.print.note(`${answer.bytes} bytes, index ${answer.txn_id}, verified`);
      cli.print.note("whoever reads it is the cluster: keep it as you keep its key");
    });
}

export function restoreCommand(cli: Cli): CommandUnknownOpts {
  return new Command("restore")
    .description("make this free host the only member of a new cluster out of a backup")
    .argument("<file>", "on the node's host")
    .option("--yes", "no other member of that cluster lives, I have looked")
    .action(async (file, { yes = false }) => {
      const answer = await cli.client.change<RestoreReport>("POST", "/v1/restore", {
        json: { file: absolute(file), alone: yes },
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note(`cluster "${answer.cluster}" is made anew, as of ${answer.at}`);
      cli.print.note("next: pentad status; others join it with a ticket: pentad join ticket new");
    });
}

/** A daemon has another working directory. */
function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
