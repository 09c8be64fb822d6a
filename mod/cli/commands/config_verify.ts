/** `pentad config verify`: everything on the disk read back and checked, now. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { EXIT } from "../../base/problem.ts";
import { rowsOf, type VerifyReport } from "../../base/verify_report.ts";
import type { Cli } from "../cli.ts";
import { safeText } from "../print.ts";

export function verifyCommand(cli: Cli): CommandUnknownOpts {
  return new Command("verify")
    .description("read back and check all that this node has on its disk; needs no quorum")
    .action(async () => {
      const report = await cli.client.change<VerifyReport>("POST", "/v1/config-verify", {
        limitMs: cli.waitMs,
      });
      if (report.count > 0) cli.exit = EXIT.degraded;
      if (cli.print.format === "json") return cli.print.json(report);
      const { log, tree, locks, requests, history } = report.rows;
      cli.print.table(["PART", "ROWS"], [
        ["log", String(log)],
        ["tree", String(tree)],
        ["locks", String(locks)],
        ["requests", String(requests)],
        ["history", String(history)],
      ]);
      if (report.damaged.length > 0) cli.print.line("");
      for (const { part, why } of report.damaged) {
        cli.print.line(cli.print.paint(`! ${part}  ${safeText(why)}`, "bad"));
      }
      if (report.count > report.damaged.length) {
        cli.print.note(`${report.count - report.damaged.length} more are damaged`);
      }
      const found = report.count === 0
        ? "all of it is what was written"
        : `${report.count} damaged`;
      cli.print.note(`${rowsOf(report)} rows as of index ${report.applied}: ${found}`);
    });
}
