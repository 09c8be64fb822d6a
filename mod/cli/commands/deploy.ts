/** `pentad deploy HOST`: this file onto another host, and that host into the cluster. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";
import { deploy } from "../join/deploy.ts";
import { sshTarget } from "./join_ssh.ts";

export function deployCommand(cli: Cli): CommandUnknownOpts {
  return new Command("deploy")
    .description("copy this file to another host, install it there, and let it into this cluster")
    .argument("<host>", "[root@]HOST[:PORT], over SSH")
    .option("--fingerprint <sha256>", "of a key of HOST, as ssh-keygen -l prints it there")
    .option("--name <name>", "of the node there; default: the host's name")
    .option("--address <ip>", "by which others reach it; default: where its default route leaves")
    .option("--disk <path>", "the shared disk that the cluster uses, as HOST names it")
    .option("--install-only", "install it there, and no more")
    .option("--remote-pentad <command>", "how it is called there then", "/usr/local/bin/pentad")
    .option("--dry-run", "look, list what would be done, change nothing")
    .action((host, options) =>
      deploy(cli, {
        target: sshTarget(host),
        fingerprint: options.fingerprint ?? null,
        remotePentad: options.remotePentad.trim().split(/\s+/),
        disk: options.disk ?? null,
        name: options.name ?? null,
        address: options.address ?? null,
        installOnly: options.installOnly ?? false,
        dryRun: options.dryRun ?? false,
      })
    );
}
