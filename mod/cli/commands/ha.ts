/** `pentad ha …`: stream 3. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { isResourceId, type ResourceId } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { ResourceStatus } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { haRulesCommand } from "./ha_rules.ts";
import { rehearseLive } from "./simulate.ts";
import { RESOURCE_HEAD, resourceRow } from "../status_page.ts";

const RESOURCES = "/v1/ha/resources";
const WANTED = ["started", "stopped", "disabled", "ignored"] as const;
const TRIES_MAX = 100;

/** The options of a resource, as the API's body wants them. */
interface Properties {
  readonly command?: string | undefined;
  readonly state?: string | undefined;
  readonly maxRestart?: number | undefined;
  readonly maxRelocate?: number | undefined;
  readonly recoverOn?: string | undefined;
  readonly monitor?: string | undefined;
  readonly comment?: string | undefined;
}

export function haCommand(cli: Cli): CommandUnknownOpts {
  return new Command("ha").description("stream 3: what runs where")
    .addCommand(listCommand(cli))
    .addCommand(addCommand(cli))
    .addCommand(setCommand(cli))
    .addCommand(removeCommand(cli))
    .addCommand(migrateCommand(cli))
    .addCommand(haRulesCommand(cli));
}

function listCommand(cli: Cli): CommandUnknownOpts {
  return new Command("list").description("every resource: what is wanted, and what is")
    .action(async () => {
      const answer = await cli.client.get<{ resources: ResourceStatus[] }>(RESOURCES);
      if (cli.print.format === "json") return cli.print.json(answer);
      const rows = answer.resources.map((resource) => resourceRow(cli.print, resource));
      cli.print.table(RESOURCE_HEAD, rows);
    });
}

function addCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("add").description("let pentad keep a resource alive"))
    .argument("<id>", "kind:name, as exec:web")
    .action(async (id, options) => {
      await send(cli, "POST", { path: RESOURCES, json: { id, ...bodyOf(options) } });
      cli.print.note(`"${id}" is added; next: pentad ha list`);
    });
}

function setCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("set").description("change a resource"))
    .argument("<id>")
    .action(async (id, options) => {
      const json = bodyOf(options);
      if (Object.keys(json).length === 0) {
        throw new ProblemError("cli.usage", "there is nothing to set; name an option");
      }
      await send(cli, "PATCH", { path: addressOf(id), json });
      cli.print.note(`"${id}" is changed`);
    });
}

function removeCommand(cli: Cli): CommandUnknownOpts {
  return new Command("remove").description("take a resource out of pentad's care")
    .argument("<id>")
    .action(async (id) => {
      await send(cli, "DELETE", { path: addressOf(id) });
      cli.print.note(`"${id}" is removed`);
    });
}

function migrateCommand(cli: Cli): CommandUnknownOpts {
  return new Command("migrate").description("order the manager to move a resource")
    .argument("<id>")
    .argument("<node>")
    .option("--dry-run", "only say what would move, and why")
    .action(async (id, node, { dryRun }) => {
      if (dryRun === true) {
        return void await rehearseLive(cli, [{ event: "migrate", id: checkedId(id), node }]);
      }
      await send(cli, "POST", { path: `${addressOf(id)}/migrate`, json: { node } });
      cli.print.note(`ordered: "${id}" to "${node}"; see pentad events -f`);
    });
}

function withProperties(command: Command) {
  const tries = wholeNumber(0, TRIES_MAX);
  return command
    .option("--command <text>", "what an exec resource runs")
    .addOption(new Option("--state <state>", "what is wanted").choices(WANTED))
    .option("--max-restart <n>", "restarts on one node before it moves", tries)
    .option("--max-relocate <n>", "moves before it counts as failed", tries)
    .addOption(
      new Option("--recover-on <proof>", "which proof of death is enough").choices(
        ["death", "storage"] as const,
      ),
    )
    .option("--monitor <text>", "a command whose exit status 0 means healthy")
    .option("--comment <text>", "for people");
}

function bodyOf(options: Properties): Record<string, string | number> {
  const { command, state, maxRestart, maxRelocate, recoverOn, monitor, comment } = options;
  const all = {
    command,
    state,
    max_restart: maxRestart,
    max_relocate: maxRelocate,
    recover_on: recoverOn,
    monitor,
    comment,
  };
  const body: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(all)) if (value !== undefined) body[key] = value;
  return body;
}

function addressOf(id: string): string {
  return `${RESOURCES}/${encodeURIComponent(checkedId(id))}`;
}

function checkedId(id: string): ResourceId {
  // "." and ".." would make another address of it.
  if (isResourceId(id)) return id;
  throw new ProblemError("ha.no-such-resource", `"${id}" is not kind:name`);
}

async function send(
  cli: Cli,
  method: string,
  { path, json }: { path: string; json?: unknown },
): Promise<void> {
  const ask = json === undefined ? {} : { json };
  const answer = await cli.client.change(method, path, { ...ask, limitMs: cli.waitMs });
  if (cli.print.format === "json") cli.print.json(answer);
}
