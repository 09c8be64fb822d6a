/** `pentad check [HOST]`: is all well here, or there. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../../deno.json" with { type: "json" };
import { hostName } from "../../host/linux/host_facts.ts";
import { checkHost } from "../check/run.ts";
import { exitOfFindings } from "../check/finding.ts";
import { printFindings } from "../check/print.ts";
import { checkFar } from "../check/far.ts";
import type { Cli } from "../cli.ts";
import { settingsOption } from "../settings_file.ts";
import { rebootCommand, upgradeCommand } from "./check_ready.ts";
import { sshTarget } from "./join_ssh.ts";

export function checkCommand(cli: Cli): CommandUnknownOpts {
  return new Command("check")
    .description(
      "is this host, and its cluster, as it should be; exit code 0 well, 3 warnings, 1 failed",
    )
    .addOption(settingsOption())
    .option("--fingerprint <sha256>", "of a key of HOST, as ssh-keygen -l prints it there")
    .option("--remote-pentad <command>", "how pentad is called on HOST", "pentad")
    .argument("[host]", "look there instead, over SSH: [root@]HOST[:PORT]")
    .addCommand(rebootCommand(cli)).addCommand(upgradeCommand(cli))
    .action(async (host, { settings, fingerprint, remotePentad }) => {
      const { version } = manifest;
      const found = host === undefined
        ? {
          host: hostName(),
          time_ms: Date.now(),
          findings: await checkHost(cli, settings, version),
        }
        : await checkFar(cli, {
          target: sshTarget(host),
          fingerprint: fingerprint ?? null,
          remotePentad: remotePentad.trim().split(/\s+/),
          disk: null,
        });
      cli.exit = exitOfFindings(found.findings);
      if (cli.print.format === "json") {
        return cli.print.json({ schema: "pentad.check/1", version, ...found });
      }
      printFindings(cli, found.findings);
    });
}
