/** `pentad ha …`: stream 3. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import { shellWord } from "../../base/shell_word.ts";
import type { ResourceStatus, StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { lookAt, untilDone } from "../outcome.ts";
import { safeText } from "../print.ts";
import { haLogCommand } from "./ha_log.ts";
import {
  addressOf,
  checkedId,
  DRY_RUN,
  modeCommand,
  moveCommand,
  RESOURCES,
  send,
  wantCommand,
} from "./ha_orders.ts";
import { haRulesCommand } from "./ha_rules.ts";
import { dryRun } from "./simulate.ts";
import { RESOURCE_HEAD, resourceRow } from "../status_page.ts";

/** A resource with all that the file says of it. */
type FullResource = ResourceStatus & { readonly properties: Record<string, string> };
interface Output {
  readonly node: string;
  readonly output: string;
}

const WANTED = ["started", "stopped", "disabled", "ignored"] as const;
const TRIES_MAX = 100;
const SECONDS_MAX = 86_400;

/** The options of a resource, as the API's body wants them. */
interface Properties {
  readonly command?: string | undefined;
  readonly state?: string | undefined;
  readonly maxRestart?: number | undefined;
  readonly maxRelocate?: number | undefined;
  readonly recoverOn?: string | undefined;
  readonly monitor?: string | undefined;
  readonly address?: string | undefined;
  readonly cidr?: number | undefined;
  readonly interface?: string | undefined;
  readonly agent?: string | undefined;
  readonly param?: readonly string[] | undefined;
  readonly checkLevel?: number | undefined;
  readonly unit?: string | undefined;
  readonly onStopFailure?: string | undefined;
  readonly startTimeout?: number | undefined;
  readonly stopTimeout?: number | undefined;
  readonly monitorTimeout?: number | undefined;
  readonly monitorInterval?: number | undefined;
  readonly comment?: string | undefined;
}

export function haCommand(cli: Cli): CommandUnknownOpts {
  return new Command("ha").description("stream 3: what runs where")
    .addCommand(listCommand(cli))
    .addCommand(showCommand(cli))
    .addCommand(addCommand(cli))
    .addCommand(setCommand(cli))
    .addCommand(removeCommand(cli))
    .addCommand(haLogCommand(cli))
    .addCommand(wantCommand(cli, "started"))
    .addCommand(wantCommand(cli, "stopped"))
    .addCommand(moveCommand(cli, "relocate"))
    .addCommand(moveCommand(cli, "migrate"))
    .addCommand(modeCommand(cli, "disarm"))
    .addCommand(modeCommand(cli, "arm"))
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

function showCommand(cli: Cli): CommandUnknownOpts {
  return new Command("show").description("one resource: how it is, and what it printed here")
    .argument("<id>")
    .action(async (id) => {
      const path = addressOf(id);
      const resource = await cli.client.get<FullResource>(path);
      const { node: here, output } = await cli.client.get<Output>(`${path}/output`);
      if (cli.print.format === "json") return cli.print.json({ ...resource, here, output });
      showResource(cli, resource);
      const { node } = resource;
      if (output !== "") cli.print.line(`\nprinted on ${here}:`);
      for (const line of output.trimEnd().split("\n")) cli.print.line(safeText(line));
      if (node !== null && node !== here) {
        cli.print.note(`it is on ${node}; what it prints there: pentad ha show ${id}, there`);
      }
    });
}

function showResource(cli: Cli, resource: FullResource): void {
  const { id, state, wanted, node, reason, detail, properties } = resource;
  const rows = [
    ["id", id],
    ["state", cli.print.state(state)],
    ["wanted", safeText(wanted)],
    ["node", node ?? "–"],
    ["reason", safeText(reason)],
    ...(detail === "" ? [] : [["its node says", safeText(detail)]]),
    ...Object.entries(properties).filter(([key]) => key !== "state")
      .map(([key, value]) => [key, safeText(value)]),
  ];
  cli.print.table(["PROPERTY", "VALUE"], rows);
}

function addCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("add").description("let pentad keep a resource alive"))
    .argument("<id>", "kind:name; kinds are exec, ip, ocf, systemd, vm")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry, ...options }) => {
      const json = { id, ...bodyOf(options) };
      if (dry === true) {
        return await dryRun(cli, [{
          ...{ event: "define", id: checkedId(id) },
          properties: { state: "started", ...textOf(options) },
        }]);
      }
      await send(cli, "POST", { path: RESOURCES, json });
      cli.print.note(`"${id}" is added; next: pentad ha list`);
      if (cli.waits) await settled(cli, id);
    });
}

function setCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("set").description("change a resource"))
    .argument("<id>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry, ...options }) => {
      const json = bodyOf(options);
      if (Object.keys(json).length === 0) {
        throw new ProblemError("cli.usage", "there is nothing to set; name an option");
      }
      if (dry === true) {
        await cli.client.get(addressOf(id));
        const properties = textOf(options);
        return await dryRun(cli, [{ event: "define", id: checkedId(id), properties }]);
      }
      await send(cli, "PATCH", { path: addressOf(id), json });
      cli.print.note(`"${id}" is changed`);
      if (cli.waits) await settled(cli, id);
    });
}

function removeCommand(cli: Cli): CommandUnknownOpts {
  return new Command("remove").description("take a resource out of pentad's care; it is stopped")
    .argument("<id>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry }) => {
      if (dry === true) return await dryRun(cli, [{ event: "remove", id: checkedId(id) }]);
      await send(cli, "DELETE", { path: addressOf(id) });
      cli.print.note(`"${id}" is removed`);
      if (cli.waits) await gone(cli, id);
    });
}

/** It is what it is now wanted to be. */
async function settled(cli: Cli, id: string): Promise<void> {
  await untilDone(cli, async () => {
    const now = await cli.client.get<FullResource>(addressOf(id));
    if (now.wanted === "ignored") return { done: `"${id}" is left alone` };
    return lookAt(now, { runs: now.wanted === "started" });
  });
}

/** Nothing is decided of it any more: that happens once nothing of it runs. */
async function gone(cli: Cli, id: string): Promise<void> {
  await untilDone(cli, async () => {
    const { resources } = await cli.client.get<StatusDocument>("/v1/status");
    const left = resources.find((each) => each.id === id);
    if (left === undefined) return { done: `nothing of "${id}" runs any more` };
    const look = lookAt(left, { runs: false });
    return "done" in look ? { now: look.done } : look;
  });
}

function withProperties(command: Command) {
  const tries = wholeNumber(0, TRIES_MAX);
  const seconds = wholeNumber(1, SECONDS_MAX);
  return command
    .option("--command <text>", "exec: what it runs")
    .option("--address <ip[/prefix]>", "ip: the address, if not the resource's name")
    .option("--cidr <bits>", "ip: length of the prefix", wholeNumber(1, 128))
    .option("--interface <name>", "ip: where it goes, if not by its network")
    .option("--agent <provider:type>", "ocf: the agent, as heartbeat:Filesystem")
    .option("--param <name=value...>", "ocf: parameters of the agent")
    .option("--check-level <n>", "ocf: depth of the monitor", wholeNumber(0, 100))
    .option("--unit <name>", "systemd: the unit, if not the resource's name")
    .addOption(new Option("--state <state>", "what is wanted").choices(WANTED))
    .option("--max-restart <n>", "restarts on one node before it moves", tries)
    .option("--max-relocate <n>", "moves before it counts as failed", tries)
    .addOption(
      new Option("--recover-on <proof>", "which proof of death is enough").choices(
        ["death", "storage"] as const,
      ),
    )
    .option("--monitor <text>", "exec: a command whose exit status 0 means healthy")
    .option("--monitor-interval <s>", "seconds from one look to the next", seconds)
    .option("--monitor-timeout <s>", "seconds that a look may take", seconds)
    .option("--start-timeout <s>", "seconds that a start may take", seconds)
    .option("--stop-timeout <s>", "seconds that a stop may take", seconds)
    .addOption(
      new Option("--on-stop-failure <policy>", "what a stop that fails means").choices(
        ["fence", "block"] as const,
      ),
    )
    .option("--comment <text>", "for people");
}

/** The same as the file has it. */
function textOf(options: Properties): Record<string, string> {
  return Object.fromEntries(
    Object.entries(bodyOf(options)).map(([key, value]) => [key, String(value)]),
  );
}

function bodyOf(options: Properties): Record<string, string | number> {
  const { param, ...plain } = options;
  const body: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(plain)) {
    // As the file and the API spell it: max_restart.
    const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (value !== undefined) body[key] = value;
  }
  if (param !== undefined) body.params = param.map(shellWord).join(" ");
  return body;
}
