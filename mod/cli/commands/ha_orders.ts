/** `pentad ha start`, `stop`, `relocate`, `migrate`: one word for what an administrator wants. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { isResourceId, type ResourceId } from "../../base/id.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import type { ResourceStatus, StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { lookAt, untilDone } from "../outcome.ts";
import { dryRun } from "./simulate.ts";

export const RESOURCES = "/v1/ha/resources";
export const DRY_RUN = "only say what would become of it, and why; ends with 10 if anything moves";

/** `start` and `stop`: what is wanted of a resource. */
export function wantCommand(cli: Cli, state: "started" | "stopped"): CommandUnknownOpts {
  const runs = state === "started";
  return new Command(runs ? "start" : "stop")
    .description(
      runs
        ? "let a resource run; what failed everywhere is tried anew"
        : "stop a resource, and keep it stopped; after a death it is not started elsewhere",
    )
    .argument("<id>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry }) => {
      const now = await cli.client.get<ResourceStatus>(addressOf(id));
      if (dry === true) {
        return await dryRun(cli, [{ event: "service", id: checkedId(id), state }]);
      }
      const change = (wanted: string) =>
        send(cli, "PATCH", { path: addressOf(id), json: { state: wanted } });
      // Only a state that does not want it clears what failed: as an administrator would, by hand.
      if (runs && now.state === "error" && now.wanted === "started") {
        await change("disabled");
        await untilDone(cli, async () => {
          const seen = await cli.client.get<ResourceStatus>(addressOf(id));
          return lookAt(seen, { runs: false });
        });
      }
      await change(state);
      cli.print.note(`"${id}" is wanted ${state}; what comes of it: pentad ha log ${id}`);
      if (!cli.waits) return;
      await untilDone(cli, async () => {
        const seen = await cli.client.get<ResourceStatus>(addressOf(id));
        return lookAt(seen, { runs });
      });
    });
}

/** `relocate` and `migrate`: to a node of the administrator's choice. */
export function moveCommand(cli: Cli, verb: "relocate" | "migrate"): CommandUnknownOpts {
  const how = verb === "relocate"
    ? "stop a resource here and start it on a node"
    : "the same, but a virtual machine runs on meanwhile: its memory goes along";
  return new Command(verb).description(how)
    .argument("<id>")
    .argument("<node>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, node, { dryRun: dry }) => {
      if (dry === true) {
        return await dryRun(cli, [{ event: "migrate", id: checkedId(id), node }]);
      }
      const json = { node, ...(verb === "relocate" && { cold: true }) };
      await send(cli, "POST", { path: `${addressOf(id)}/migrate`, json });
      cli.print.note(`ordered: "${id}" to "${node}"; what comes of it: pentad ha log ${id}`);
      if (!cli.waits) return;
      await untilDone(cli, async () => {
        const seen = await cli.client.get<ResourceStatus>(addressOf(id));
        return lookAt(seen, { runs: true, node });
      });
    });
}

/** `arm` and `disarm`: maintenance of the whole cluster. */
export function modeCommand(cli: Cli, verb: "arm" | "disarm"): CommandUnknownOpts {
  const disarms = verb === "disarm";
  return new Command(verb)
    .description(
      disarms
        ? "maintenance of the whole cluster: nothing is started, moved, fenced or restarted"
        : "end that: guards, watchdogs and decisions come back",
    )
    .option("--dry-run", "only say what it would mean")
    .action(async ({ dryRun: dry }) => {
      const before = await cli.client.get<StatusDocument>("/v1/status");
      const wanted = disarms ? "disarmed" : "armed";
      const [goes, dead] = [
        before.resources.filter(({ state }) => state === "started").length,
        before.nodes.filter(({ state }) => state === "down").map(({ name }) => name),
      ];
      const means = disarms
        ? `${goes} resources go on without guard and watchdog; who dies is not taken over from`
        : dead.length === 0
        ? "every node is asked to hold its guard again"
        : `what ran on ${dead.join(", ")} stays there until it is back, or confirmed dead`;
      if (dry === true) {
        if (cli.print.format === "json") cli.print.json({ schema: "pentad.plan/1", wanted, means });
        else cli.print.line(means);
        if (before.ha.mode !== wanted) cli.exit = EXIT.changes;
        return;
      }
      await send(cli, "POST", { path: `/v1/ha/${verb}`, json: {} });
      cli.print.note(`ordered: ${means}`);
      if (!cli.waits) return;
      await untilDone(cli, async () => {
        const { ha, nodes } = await cli.client.get<StatusDocument>("/v1/status");
        // Of those that are silent nobody knows; those that are here say it with each beat.
        const held = nodes.filter(({ state, armed }) => state === "online" && armed === true);
        const names = disarms ? held.map(({ name }) => name) : ha.unguarded;
        if (ha.mode === wanted && names.length === 0) return { done: `HA is ${wanted}` };
        const waits = names.length === 0 ? "" : `, waits for ${names.join(", ")}`;
        return { now: `HA is ${ha.mode}${waits}` };
      });
    });
}

/** A resource's address. Throws where the id is none. */
export function addressOf(id: string): string {
  return `${RESOURCES}/${encodeURIComponent(checkedId(id))}`;
}

/** Checks an id. */
export function checkedId(id: string): ResourceId {
  // "." and ".." would make another address of it.
  if (isResourceId(id)) return id;
  throw new ProblemError("ha.no-such-resource", `"${id}" is not kind:name`);
}

/** Sends a change; its answer is printed where JSON is wanted. */
export async function send(
  cli: Cli,
  method: string,
  { path, json }: { readonly path: string; readonly json?: unknown },
): Promise<void> {
  const ask = json === undefined ? {} : { json };
  const answer = await cli.client.change(method, path, { ...ask, limitMs: cli.waitMs });
  if (cli.print.format === "json") cli.print.json(answer);
}
