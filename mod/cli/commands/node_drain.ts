/** `pentad node drain`: a node is emptied, and with `--reboot` begins anew; several go one by one. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { EXIT, ProblemError } from "../../base/problem.ts";
import type { NodeStatus, ResourceStatus, StatusDocument } from "../../node/view.ts";
import { votesWithout } from "../check/readiness.ts";
import type { Cli } from "../cli.ts";
import { type Look, untilDone } from "../outcome.ts";
import { DRY_RUN } from "./ha_orders.ts";
import { dryRun, rehearseLive } from "./simulate.ts";

/** States in which a resource does not run on its node. */
const AT_REST: readonly string[] = ["stopped", "error", "recovery", "unknown"];
/** A node that stops in order has stopped after so long, in a rehearsal. */
const GONE_SECONDS = 30;
/** Emptying a node, the firmware of a large host, and the way home. */
const REBOOT_MS = 1_800_000;
const RISK = "not-ok-to-stop";

/** Sends an order about a node. */
export type Order = (node: string, verb: string, json: unknown) => Promise<void>;

export function drainCommand(cli: Cli, order: Order): CommandUnknownOpts {
  return new Command("drain")
    .description("move every resource away from a node, and wait until that is done")
    .argument("[node...]", "with --reboot several: one after the other, this one last")
    .option("--reboot", "then have its host begin anew, and wait until all is as it was")
    .option("--all", "with --reboot: every node, a rolling reboot")
    .addOption(new Option("--accept-risk <risk>", "do it though it is").choices([RISK]))
    .option("--dry-run", DRY_RUN)
    .action(async (nodes, { reboot, all, acceptRisk, dryRun: dry }) => {
      const names = all === true ? (await statusOf(cli)).nodes.map(({ name }) => name) : nodes;
      const [node] = names;
      if (node === undefined) throw new ProblemError("cli.usage", "name a node, or --all");
      if (reboot !== true && (names.length > 1 || all === true)) {
        throw new ProblemError("cli.usage", "one node is drained; several only with --reboot");
      }
      if (dry === true) {
        // Each is back before the next goes: what the first moves is what any of them does.
        const events = names.map((
          each,
        ) => ({ event: "maintenance", node: each, to: "on" } as const));
        return await dryRun(cli, events.slice(0, 1));
      }
      if (reboot === true) return await rebootAll(cli, order, { names, risk: acceptRisk === RISK });
      await order(node, "maintenance", { on: true });
      await untilMaintained(cli, node, true);
    });
}

/** A node that takes nothing is empty; or it takes again what it is given. */
export async function untilMaintained(cli: Cli, node: string, on: boolean): Promise<void> {
  await untilDone(cli, async () => {
    const { state } = nodeOf(await statusOf(cli), node);
    // One that is silent takes nothing either, and goes into maintenance when it is back.
    const reached = on ? state !== "online" : state !== "maintenance";
    if (!reached) return { now: `"${node}" is ${state} still` };
    return { done: on ? `"${node}" takes nothing more` : `"${node}" is ${state}` };
  });
  const then = `; when it may work again: pentad node maintenance ${node} off`;
  if (on) await untilEmpty(cli, node, then);
}

/** Nothing is decided to be on a node any more. */
export async function untilEmpty(cli: Cli, node: string, then = ""): Promise<void> {
  await untilDone(cli, async () => {
    const left = await held(cli, node);
    if (left.length === 0) return { done: `"${node}" is empty${then}` };
    return { now: `still on "${node}": ${left.join("; ")}` };
  });
}

/** Would everything go on without it? Throws `node.not-ok-to-stop` where it would not. */
export async function mustBeOkToStop(cli: Cli, node: string): Promise<void> {
  const status = await statusOf(cli);
  const { ha, nodes } = status;
  // What cannot run anywhere now is not lost by it.
  const ill = new Set(
    status.resources.filter(({ state }) => state === "error").map(({ id }) => id),
  );
  const has = nodes.find(({ name }) => name === node)?.resources ?? [];
  if (ha.mode === "disarmed" && has.length > 0) {
    const why = `HA is disarmed: ${has.join(", ")} would start nowhere else`;
    throw new ProblemError("node.not-ok-to-stop", why);
  }
  const { left, needed } = votesWithout(status, node);
  if (left < needed) {
    const why = `the others have ${left} votes then, and ${needed} are needed`;
    throw new ProblemError("node.not-ok-to-stop", why);
  }
  const { quorate, resources } = await rehearseLive(cli, [
    { event: "shutdown", node, how: "poweroff" },
    { event: "delay", seconds: GONE_SECONDS },
    { event: "power", node, to: "off" },
  ]);
  if (!quorate) throw new ProblemError("node.not-ok-to-stop", "the others have no quorum then");
  const lost = resources.filter(({ id, wanted, runs }) => wanted && !runs && !ill.has(id))
    .map(({ id }) => id);
  if (lost.length > 0) {
    throw new ProblemError("node.not-ok-to-stop", `${lost.join(", ")} would run nowhere`);
  }
  // The rehearsal counts what runs nowhere anyway.
  cli.exit = EXIT.ok;
}

async function rebootAll(
  cli: Cli,
  order: Order,
  { names, risk }: { readonly names: readonly string[]; readonly risk: boolean },
): Promise<void> {
  const { node: here } = await statusOf(cli);
  const self = names.filter((name) => name === here?.name);
  const others = names.filter((name) => name !== here?.name);
  for (const name of [...others, ...self]) {
    // deno-lint-ignore no-await-in-loop -- one after the other is the point
    await rebootOne(cli, order, { name, risk, isLast: name === here?.name });
  }
}

async function rebootOne(
  cli: Cli,
  order: Order,
  { name, risk, isLast }: {
    readonly name: string;
    readonly risk: boolean;
    /** This command ends with its host. */
    readonly isLast: boolean;
  },
): Promise<void> {
  const before = await statusOf(cli);
  const boot = nodeOf(before, name).boot;
  if (!risk) await mustBeOkToStop(cli, name);
  await order(name, "reboot", {});
  cli.print.note(`ordered: "${name}" is emptied and begins anew; see pentad events -f`);
  if (isLast) return;
  const look = async () => backAgain(await statusOf(cli), { name, boot, before });
  await untilDone(cli, look, REBOOT_MS);
}

/** Is a node back in a new life, and is everything as well as it was? */
export function backAgain(
  now: StatusDocument,
  { name, boot, before }: {
    readonly name: string;
    readonly boot: string | null;
    readonly before: StatusDocument;
  },
): Look {
  const node = nodeOf(now, name);
  if (node.boot === boot) return { now: `"${name}" is ${node.state}, still in its old life` };
  if (node.state !== "online") return { now: `"${name}" is ${node.state}` };
  const well = before.resources.filter(({ state }) => state === "started").map(({ id }) => id);
  const ill = now.resources.filter(({ id, state }) => well.includes(id) && state !== "started");
  if (ill.length > 0) return { now: `"${name}" is back; ${ill.map(told).join("; ")}` };
  // Its replica must count before the next one goes.
  if (!now.config.writable) return { now: `"${name}" is back; the config is read-only here` };
  return { done: `"${name}" is back, and everything runs` };
}

function nodeOf({ nodes }: StatusDocument, name: string): NodeStatus {
  const found = nodes.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = nodes.map((each) => each.name).join(", ");
  throw new ProblemError("ha.no-such-node", `"${name}" is none of: ${names}`);
}

async function statusOf(cli: Cli): Promise<StatusDocument> {
  return await cli.client.get<StatusDocument>("/v1/status");
}

/** What is decided to be on a node, with why it is still there. */
async function held(cli: Cli, node: string): Promise<string[]> {
  const { resources } = await cli.client.get<{ resources: ResourceStatus[] }>("/v1/ha/resources");
  return resources.filter((each) => each.node === node && !AT_REST.includes(each.state)).map(told);
}

function told({ id, state, reason }: ResourceStatus): string {
  return `${id} ${state}${reason === "" ? "" : ` (${reason})`}`;
}
