/** `pentad node …`: the members. @module */
import { Argument, Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { NodeStatus } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { DRY_RUN } from "./ha_orders.ts";
import { drainCommand, mustBeOkToStop, untilEmpty, untilMaintained } from "./node_drain.ts";
import { nameCommands } from "./node_name.ts";
import { dryRun } from "./simulate.ts";
import { NODE_HEAD, nodeRow } from "../status_page.ts";

/** So long somebody is silent, in a rehearsal, before a person says that it is dead. */
const SILENT_SECONDS = 10;

export function nodeCommand(cli: Cli): CommandUnknownOpts {
  const list = new Command("list").description("the members as this node sees them")
    .action(async () => {
      const answer = await cli.client.get<{ nodes: NodeStatus[] }>("/v1/nodes");
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.table(NODE_HEAD, answer.nodes.map((node) => nodeRow(cli.print, node)));
    });
  const maintenance = new Command("maintenance").alias("standby")
    .description("move every resource away from a node and keep it empty")
    .argument("<node>")
    .addArgument(new Argument("[switch]").choices(["on", "off"]).default("on"))
    .option("--dry-run", DRY_RUN)
    .action(async (node, wanted, { dryRun: dry }) => {
      const to = wanted === "off" ? "off" : "on";
      if (dry === true) return await dryRun(cli, [{ event: "maintenance", node, to }]);
      await post(cli, node, { verb: "maintenance", json: { on: wanted === "on" } });
      cli.print.note(`ordered: maintenance of "${node}" ${wanted}; see pentad status`);
      if (cli.waits) await untilMaintained(cli, node, to === "on");
    });
  const confirm = new Command("confirm-dead")
    .description("vouch that a node is dead: its resources start elsewhere")
    .argument("<node>")
    .option("--yes", "it is switched off, I have looked")
    .option("--dry-run", DRY_RUN)
    .action(async (node, { yes, dryRun: dry }) => {
      if (dry === true) {
        return await dryRun(cli, [
          { event: "power", node, to: "off" },
          { event: "delay", seconds: SILENT_SECONDS },
          { event: "confirm-dead", node },
        ]);
      }
      if (!yes) {
        const why = `if "${node}" still runs, its resources would run twice; --yes says it is off`;
        throw new ProblemError("ha.not-dead", why);
      }
      await post(cli, node, { verb: "confirm-dead", json: {} });
      cli.print.note(`"${node}" counts as dead`);
      if (cli.waits) await untilEmpty(cli, node);
    });
  const node = new Command("node").description("the members").addCommand(list)
    .addCommand(maintenance).addCommand(
      drainCommand(cli, (name, verb, json) => post(cli, name, { verb, json })),
    ).addCommand(stopCommand(cli))
    .addCommand(confirm);
  for (const command of nameCommands(cli)) node.addCommand(command);
  return node;
}

function stopCommand(cli: Cli): CommandUnknownOpts {
  return new Command("ok-to-stop")
    .description("what would become of the cluster if this node were shut down now")
    .argument("<node>")
    .action(async (node) => {
      await mustBeOkToStop(cli, node);
      cli.print.note(`"${node}" may be stopped: the cluster goes on, and everything runs`);
    });
}

async function post(
  cli: Cli,
  node: string,
  { verb, json }: { verb: string; json: unknown },
): Promise<void> {
  // "." and ".." would make another address of it.
  if (!isNodeName(node)) {
    throw new ProblemError("ha.no-such-node", `"${node}" is not a node's name`);
  }
  const path = `/v1/nodes/${encodeURIComponent(node)}/${verb}`;
  const answer = await cli.client.change("POST", path, { json, limitMs: cli.waitMs });
  if (cli.print.format === "json") cli.print.json(answer);
}
