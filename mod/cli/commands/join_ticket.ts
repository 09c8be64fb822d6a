/** `pentad join ticket …`: what lets machines in. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";

const MINUTES_MAX = 24 * 60;
const MINUTES_DEFAULT = 30;

/** A ticket as the API shows it. */
interface Shown {
  readonly id: string;
  readonly state: string;
  readonly node: string | null;
  readonly left_s: number;
}

/** The commands of `pentad join ticket`. */
export function ticketCommand(cli: Cli): CommandUnknownOpts {
  const fresh = withMinutes(new Command("new").description("make a ticket for one join"))
    .action(({ minutes }) => newTicket(cli, minutes));
  const list = new Command("list").description("the valid tickets that this node made")
    .action(async () => {
      const answer = await cli.client.get<{ tickets: readonly Shown[] }>("/v1/join/tickets");
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.table(["TICKET", "STATE", "NODE", "LEFT"], answer.tickets.map(row));
    });
  const revoke = new Command("revoke").description("end a ticket before its time")
    .argument("<id>", "as list and events show it: 8 hex digits or more")
    .action(async (id) => {
      if (!/^[0-9a-f]{8,32}$/.test(id)) {
        throw new ProblemError(
          "cli.usage",
          "a ticket is named by 8 to 32 hex digits in lower case",
        );
      }
      const answer = await cli.client.change<{ ticket: Shown }>(
        "DELETE",
        `/v1/join/tickets/${id}`,
        { limitMs: cli.waitMs },
      );
      if (cli.print.format === "json") return cli.print.json(answer);
      const { state, node } = answer.ticket;
      cli.print.note(`ticket ${answer.ticket.id} lets nobody in any more`);
      if (state === "used") {
        cli.print.note(`"${node}" joined with it and stays: pentad config member remove ${node}`);
      }
      if (state === "pending") {
        cli.print.note(
          `"${node}" was about to join with it and got no key; if pentad config member list ` +
            `shows it: pentad config member remove ${node}`,
        );
      }
    });
  return new Command("ticket").description("tickets for joining").addCommand(fresh)
    .addCommand(list).addCommand(revoke);
}

function row({ id, state, node, left_s }: Shown): string[] {
  return [id, state, node ?? "-", `${Math.floor(left_s / 60)} min ${left_s % 60} s`];
}

/** A command that makes a ticket: with the option how long that is valid. */
export function withMinutes(command: Command) {
  return command.option(
    "--minutes <n>",
    "how long it is valid",
    wholeNumber(1, MINUTES_MAX),
    MINUTES_DEFAULT,
  );
}

/** Makes a ticket, prints it, and says what to do with it. */
export async function newTicket(cli: Cli, minutes: number): Promise<void> {
  const answer = await cli.client.change<{ ticket: string; id: string }>(
    "POST",
    "/v1/join/tickets",
    {
      json: { minutes },
      limitMs: cli.waitMs,
    },
  );
  if (cli.print.format === "json") return cli.print.json(answer);
  cli.print.line(answer.ticket);
  // In `ps` everybody reads what stands on a command line.
  cli.print.note("next, on the other node, with the ticket on its standard input:");
  cli.print.note("  pentad join --ticket -");
  cli.print.note(`valid for one join within ${minutes} minutes; whoever has it can join`);
  cli.print.note(`to take it back: pentad join ticket revoke ${answer.id}`);
}
