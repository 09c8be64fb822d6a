/** `pentad config member …`, `config transfer`, `config force-single`: who takes part, who leads. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { ForceAnswer, MemberRow } from "../../api/membership_node.ts";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { newTicket, withMinutes } from "./join_ticket.ts";
import { safeText } from "../print.ts";

const PREFIX = "/v1/config-members";
const ROW_HEAD = ["NODE", "ID", "ROLE", "STATE", "LAG", "NOTE"];

export function memberCommand(cli: Cli): CommandUnknownOpts {
  return new Command("member").description("who holds the config, and who votes")
    .addCommand(listCommand(cli))
    .addCommand(addCommand(cli))
    .addCommand(promoteCommand(cli))
    .addCommand(removeCommand(cli));
}

function listCommand(cli: Cli): CommandUnknownOpts {
  return new Command("list").description("the members and how far they are; * leads")
    .action(async () => {
      const answer = await cli.client.get<{ members: MemberRow[] }>(PREFIX);
      if (cli.print.format === "json") return cli.print.json(answer);
      const rows = answer.members.map(({ name, id, self, role, leader, state, lag, note }) => [
        `${safeText(name)}${leader ? "*" : ""}${self ? " (this node)" : ""}`,
        ...[String(id), role, state, lag === null ? "–" : String(lag), safeText(note)],
      ]);
      cli.print.table(ROW_HEAD, rows);
    });
}

function addCommand(cli: Cli): CommandUnknownOpts {
  return withMinutes(
    new Command("add").description("make the ticket with which a new machine joins"),
  ).action(async ({ minutes }) => {
    await newTicket(cli, minutes);
    if (cli.print.format === "json") return;
    cli.print.note("it comes as a learner, and votes as soon as it keeps up: config member list");
  });
}

function promoteCommand(cli: Cli): CommandUnknownOpts {
  return new Command("promote").description("give a learner its vote now, if it keeps up")
    .argument("<node>")
    .action(async (node) => {
      await change(cli, "POST", `${addressOf(node)}/promote`);
      cli.print.note(`"${node}" votes`);
    });
}

function removeCommand(cli: Cli): CommandUnknownOpts {
  return new Command("remove").description("remove a member that runs nothing")
    .argument("<node>")
    .action(async (node) => {
      await change(cli, "DELETE", addressOf(node));
      cli.print.note(`"${node}" is no member any more; on it, if it comes back: pentad leave`);
      cli.print.note(
        "it knew the cluster's key: pentad join renew-key gives the others another one",
      );
    });
}

export function transferCommand(cli: Cli): CommandUnknownOpts {
  return new Command("transfer").description("hand the leadership over, without an election's wait")
    .argument("[node]", "the best voter unless named")
    .action(async (node) => {
      const answer = await cli.client.change<{ leader: string }>("POST", "/v1/config-leader", {
        json: { node: node ?? null },
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.line(safeText(answer.leader));
    });
}

export function forceCommand(cli: Cli): CommandUnknownOpts {
  return new Command("force-single")
    .description("go on with this node alone when the others are lost for good")
    .addOption(
      new Option("--accept-risk <risk>", "you have read what it may cost").choices(["data-loss"]),
    )
    .option("--reason <text>", "why, for the history", "")
    .action(async ({ acceptRisk, reason }) => {
      const answer = await cli.client.change<ForceAnswer>("POST", "/v1/config-force-single", {
        json: { accept_risk: acceptRisk ?? null, reason },
        limitMs: cli.waitMs,
      });
      if (cli.print.format === "json") cli.print.json(answer);
      else for (const line of answer.report.warnings) cli.print.line(`! ${safeText(line)}`);
      if (!answer.done) {
        const { lastIndex } = answer.report;
        const why = `nothing was changed; this node's log ends at index ${lastIndex}`;
        throw new ProblemError("config.needs-consent", why);
      }
      cli.print.note("this node goes on alone; it is the cluster now");
      cli.print.note("next: pentad status, then pentad node confirm-dead for each that is off");
    });
}

function addressOf(node: string): string {
  // "." and ".." would make another address of it.
  if (isNodeName(node)) return `${PREFIX}/${encodeURIComponent(node)}`;
  throw new ProblemError("ha.no-such-node", `"${node}" is not a node's name`);
}

async function change(cli: Cli, method: string, path: string): Promise<void> {
  const json = method === "POST" ? { json: {} } : {};
  const answer = await cli.client.change(method, path, { ...json, limitMs: cli.waitMs });
  if (cli.print.format === "json") cli.print.json(answer);
}
