/** `pentad ha start`, `stop`, `relocate`, `migrate`: one word for what an administrator wants. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { isResourceId, type ResourceId } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { ResourceStatus } from "../../node/view.ts";
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
    : "the same as relocate: of a machine too, its memory is not taken along";
  return new Command(verb).description(how)
    .argument("<id>")
    .argument("<node>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, node, { dryRun: dry }) => {
      if (dry === true) {
        return await dryRun(cli, [{ event: "migrate", id: checkedId(id), node }]);
      }
      await send(cli, "POST", { path: `${addressOf(id)}/migrate`, json: { node } });
      cli.print.note(`ordered: "${id}" to "${node}"; what comes of it: pentad ha log ${id}`);
      if (!cli.waits) return;
      await untilDone(cli, async () => {
        const seen = await cli.client.get<ResourceStatus>(addressOf(id));
        return lookAt(seen, { runs: true, node });
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
