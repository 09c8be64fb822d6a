/** `pentad join HOST` and `pentad join --ticket T`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { joinOverSsh, undoJoin } from "../join/run.ts";
import { farCommands, sshTarget } from "./join_ssh.ts";
import { renewKeyCommand } from "./join_key.ts";
import { ticketCommand } from "./join_ticket.ts";

const TICKET_BYTES_MAX = 4096;

export function joinCommand(cli: Cli): CommandUnknownOpts {
  const join = new Command("join")
    .description("become a member of a cluster")
    .option("--ticket <ticket>", "from a member: pentad join ticket new; - reads it from stdin")
    .option("--disk <path>", "the shared disk that the cluster uses")
    .option("--fingerprint <sha256>", "of a key of HOST, as ssh-keygen -l prints it there")
    .option("--remote-pentad <command>", "how pentad is called on HOST", "pentad")
    .option("--dry-run", "look and compare, list what would be changed, change nothing")
    .option("--undo", "take a join back, whole or cut off")
    .argument("[host]", "a member: [root@]HOST[:PORT], over SSH")
    .action(async (host, options) => {
      const { ticket, disk, fingerprint, dryRun = false, undo = false } = options;
      if (host !== undefined) {
        if (ticket !== undefined) {
          throw new ProblemError("cli.usage", "a ticket says where to join; leave HOST out");
        }
        const order = {
          target: sshTarget(host),
          fingerprint: fingerprint ?? null,
          remotePentad: options.remotePentad.trim().split(/\s+/),
          disk: disk ?? null,
        };
        return undo ? await undoJoin(cli, order) : await joinOverSsh(cli, order, dryRun);
      }
      if (ticket === undefined) {
        const why = "name a member to join over SSH, or a ticket: pentad join --ticket -";
        throw new ProblemError("cli.usage", why);
      }
      const whole = ticket === "-" ? await fromInput(cli) : ticket;
      const json = { ticket: whole, disk: disk ?? null };
      const answer = await cli.client.change("POST", "/v1/join", { json, limitMs: cli.waitMs });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note("joined as learner; it votes as soon as it caught up");
      cli.print.note("next: pentad status");
    });
  for (const command of [ticketCommand(cli), renewKeyCommand(cli), ...farCommands(cli)]) {
    join.addCommand(command);
  }
  return join;
}

async function fromInput(cli: Cli): Promise<string> {
  const bytes = await cli.io.stdin(TICKET_BYTES_MAX);
  if (bytes === null) throw new ProblemError("join.bad-ticket", "standard input is no ticket");
  return new TextDecoder().decode(bytes).trim();
}
