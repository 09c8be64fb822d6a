/** `pentad join --ticket T` and `pentad join ticket new`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";

const MINUTES_MAX = 24 * 60;
const MINUTES_DEFAULT = 30;

export function joinCommand(cli: Cli): CommandUnknownOpts {
  return new Command("join")
    .description("become a member of a cluster")
    .option("--ticket <ticket>", "from a member: pentad join ticket new; - reads it from stdin")
    .option("--disk <path>", "the shared disk that the cluster uses")
    .addCommand(ticketCommand(cli))
    .action(async ({ ticket, disk }) => {
      if (ticket === undefined) {
        throw new ProblemError(
          "cli.usage",
          "--ticket is missing; a member makes one: pentad join ticket new",
        );
      }
      const whole = ticket === "-" ? new TextDecoder().decode(await cli.io.stdin()).trim() : ticket;
      const json = { ticket: whole, disk: disk ?? null };
      const answer = await cli.client.change("POST", "/v1/join", { json, limitMs: cli.waitMs });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.note("joined as learner; it votes as soon as it caught up");
      cli.print.note("next: pentad status");
    });
}

function ticketCommand(cli: Cli): CommandUnknownOpts {
  const fresh = new Command("new")
    .description("make a ticket for one join")
    .option("--minutes <n>", "how long it is valid", wholeNumber(1, MINUTES_MAX), MINUTES_DEFAULT)
    .action(async ({ minutes }) => {
      const answer = await cli.client.change<{ ticket: string }>("POST", "/v1/join/tickets", {
        json: { minutes },
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.line(answer.ticket);
      cli.print.note(`valid for one join within ${minutes} minutes; whoever has it can join`);
    });
  return new Command("ticket").description("tickets for joining").addCommand(fresh);
}
