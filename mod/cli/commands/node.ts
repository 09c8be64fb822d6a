/** `pentad node …`: the members. @module */
import { Argument, Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { NodeStatus, ResourceStatus, StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { DRY_RUN } from "./ha_orders.ts";
import { dryRun, rehearseLive } from "./simulate.ts";
import { NODE_HEAD, nodeRow } from "../status_page.ts";

/** Between two looks at a node that empties. */
const LOOK_MS = 200;
/** States in which a resource does not run on its node. */
const AT_REST: readonly string[] = ["stopped", "error", "recovery", "unknown"];
/** A node that stops in order has stopped after so long, in a rehearsal. */
const GONE_SECONDS = 30;

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
    });
  const confirm = new Command("confirm-dead")
    .description("vouch that a node is dead: its resources start elsewhere")
    .argument("<node>")
    .option("--yes", "it is switched off, I have looked")
    .action(async (node, { yes }) => {
      if (!yes) {
        const why = `if "${node}" still runs, its resources would run twice; --yes says it is off`;
        throw new ProblemError("ha.node-unfit", why);
      }
      await post(cli, node, { verb: "confirm-dead", json: {} });
      cli.print.note(`"${node}" counts as dead`);
    });
  return new Command("node").description("the members").addCommand(list)
    .addCommand(maintenance).addCommand(drainCommand(cli)).addCommand(stopCommand(cli))
    .addCommand(confirm);
}

function drainCommand(cli: Cli): CommandUnknownOpts {
  return new Command("drain")
    .description("move every resource away from a node, and wait until that is done")
    .argument("<node>")
    .action(async (node) => {
      await post(cli, node, { verb: "maintenance", json: { on: true } });
      const end = performance.now() + cli.waitMs;
      for (let left = await held(cli, node); left.length > 0; left = await held(cli, node)) {
        if (performance.now() > end) {
          throw new ProblemError("node.timeout", `still on "${node}": ${left.join("; ")}`);
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      cli.print.note(
        `"${node}" is empty; when it may work again: pentad node maintenance ${node} off`,
      );
    });
}

function stopCommand(cli: Cli): CommandUnknownOpts {
  return new Command("ok-to-stop")
    .description("what would become of the cluster if this node were shut down now")
    .argument("<node>")
    .action(async (node) => {
      const { quorate, resources } = await rehearseLive(cli, [
        { event: "shutdown", node, how: "poweroff" },
        { event: "delay", seconds: GONE_SECONDS },
        { event: "power", node, to: "off" },
      ]);
      const { ha, nodes } = await cli.client.get<StatusDocument>("/v1/status");
      const has = nodes.find(({ name }) => name === node)?.resources ?? [];
      if (ha.mode === "disarmed" && has.length > 0) {
        const why = `HA is disarmed: ${has.join(", ")} would start nowhere else`;
        throw new ProblemError("node.not-ok-to-stop", why);
      }
      const lost = resources.filter(({ wanted, runs }) => wanted && !runs).map(({ id }) => id);
      if (!quorate) throw new ProblemError("node.not-ok-to-stop", "the others have no quorum then");
      if (lost.length > 0) {
        throw new ProblemError("node.not-ok-to-stop", `${lost.join(", ")} would run nowhere`);
      }
      cli.print.note(`"${node}" may be stopped: the cluster goes on, and everything runs`);
    });
}

/** What is decided to be on a node, with why it is still there. */
async function held(cli: Cli, node: string): Promise<string[]> {
  const { resources } = await cli.client.get<{ resources: ResourceStatus[] }>("/v1/ha/resources");
  return resources.filter((each) => each.node === node && !AT_REST.includes(each.state))
    .map(({ id, state, reason }) => `${id} ${state}${reason === "" ? "" : ` (${reason})`}`);
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
