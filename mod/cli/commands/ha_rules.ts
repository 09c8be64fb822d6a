/** `pentad ha rules …`: where resources may run, with whom, and after whom. @module */
import { Argument, Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { ResourceStatus } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { untilDone } from "../outcome.ts";
import { keptBy, type RuleAnswer } from "../rule_kept.ts";
import { DRY_RUN, RESOURCES, send } from "./ha_orders.ts";
import { dryRun } from "./simulate.ts";

const RULES = "/v1/ha/rules";
const RULE_KINDS = ["node-affinity", "resource-affinity", "ordering"] as const;
const WEIGHT_MAX = 1000;

interface RulesAnswer {
  readonly rules: readonly RuleAnswer[];
  readonly faults: readonly { readonly line: number; readonly why: string }[];
}

/** What the options of a rule may say. */
interface Given {
  readonly resources?: string | undefined;
  readonly nodes?: string | undefined;
  readonly strict?: string | undefined;
  readonly affinity?: string | undefined;
  readonly weight?: number | undefined;
  readonly disable?: string | undefined;
  readonly comment?: string | undefined;
}

export function haRulesCommand(cli: Cli): CommandUnknownOpts {
  return new Command("rules").description("where resources may run, with whom, and after whom")
    .addCommand(listCommand(cli))
    .addCommand(addCommand(cli))
    .addCommand(setCommand(cli))
    .addCommand(removeCommand(cli))
    .addCommand(checkCommand(cli));
}

function listCommand(cli: Cli): CommandUnknownOpts {
  return new Command("list").description("every rule, and whether it holds")
    .action(async () => {
      const answer = await cli.client.get<RulesAnswer>(RULES);
      if (cli.print.format === "json") return cli.print.json(answer);
      const rows = answer.rules.map(({ id, kind, holds, why, properties }) => {
        const { resources = "", ...rest } = properties;
        const said = Object.entries(rest).map(([key, value]) => `${key} ${value}`.trim());
        return [id, kind, holds ? "yes" : `no: ${why}`, resources, said.join(", ")];
      });
      cli.print.table(["RULE", "KIND", "HOLDS", "RESOURCES", "SAYS"], rows);
    });
}

function addCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("add").description("add a rule, unless it contradicts another"))
    .addArgument(new Argument("<kind>", "what it is about").choices(RULE_KINDS))
    .argument("<name>", "the rule's own")
    .option("--dry-run", DRY_RUN)
    .action(async (kind, id, { dryRun: dry, ...options }) => {
      const properties = bodyOf(options);
      if (dry === true) return await rehearseEdit(cli, { edit: "add", id, kind, properties });
      await send(cli, "POST", { path: RULES, json: { id, kind, ...properties } });
      cli.print.note(`rule "${id}" holds; what it moves: pentad events -f`);
      if (cli.waits) await kept(cli, id);
    });
}

function setCommand(cli: Cli): CommandUnknownOpts {
  return withProperties(new Command("set").description("change a rule"))
    .argument("<name>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry, ...options }) => {
      const json = bodyOf(options);
      if (Object.keys(json).length === 0) {
        throw new ProblemError("cli.usage", "there is nothing to set; name an option");
      }
      const path = addressOf(id);
      if (dry === true) return await rehearseEdit(cli, { edit: "set", id, properties: json });
      await send(cli, "PATCH", { path, json });
      cli.print.note(`rule "${id}" is changed`);
      if (cli.waits) await kept(cli, id);
    });
}

function removeCommand(cli: Cli): CommandUnknownOpts {
  return new Command("remove").description("take a rule away; what runs stays where it is")
    .argument("<name>")
    .option("--dry-run", DRY_RUN)
    .action(async (id, { dryRun: dry }) => {
      const path = addressOf(id);
      if (dry === true) return await rehearseEdit(cli, { edit: "remove", id });
      await send(cli, "DELETE", { path });
      cli.print.note(`rule "${id}" is removed`);
    });
}

/** What would move if the rules were these; refused like the change itself. */
async function rehearseEdit(cli: Cli, edit: Readonly<Record<string, unknown>>): Promise<void> {
  const { text } = await cli.client.change<{ text: string }>("POST", `${RULES}-preview`, {
    json: edit,
    limitMs: cli.waitMs,
  });
  await dryRun(cli, [{ event: "rules", text }]);
}

/** Everything is where the rule wants it. */
async function kept(cli: Cli, id: string): Promise<void> {
  await untilDone(cli, async () => {
    const { rules } = await cli.client.get<RulesAnswer>(RULES);
    const { resources } = await cli.client.get<{ resources: ResourceStatus[] }>(RESOURCES);
    return keptBy(rules.find((each) => each.id === id), resources);
  });
}

function checkCommand(cli: Cli): CommandUnknownOpts {
  return new Command("check").description("what is wrong with the rules, line by line")
    .action(async () => {
      const answer = await cli.client.get<RulesAnswer>(RULES);
      if (cli.print.format === "json") cli.print.json({ faults: answer.faults });
      else for (const { line, why } of answer.faults) cli.print.line(`line ${line}: ${why}`);
      const [first] = answer.faults;
      if (first !== undefined) {
        throw new ProblemError("ha.bad-rule", `line ${first.line}: ${first.why}`);
      }
      cli.print.note("every rule holds");
    });
}

function withProperties(command: Command) {
  const onOff = ["0", "1"] as const;
  return command
    .option("--resources <ids>", "whom it is about, with commas")
    .option("--nodes <nodes>", "node-affinity: name[:priority], with commas")
    .addOption(
      new Option("--strict <0|1>", "nowhere else; never without the one before").choices(onOff),
    )
    .addOption(
      new Option("--affinity <side>", "together, or apart").choices(
        ["positive", "negative"] as const,
      ),
    )
    .option("--weight <n>", "a mere leaning: points of the score", wholeNumber(1, WEIGHT_MAX))
    .addOption(new Option("--disable <0|1>", "keep it without effect").choices(onOff))
    .option("--comment <text>", "for people");
}

function bodyOf(given: Given): Record<string, unknown> {
  const list = (text: string | undefined) => text?.split(",").map((each) => each.trim());
  const flag = (text: string | undefined) => text === undefined ? undefined : text === "1";
  const all = {
    resources: list(given.resources),
    nodes: list(given.nodes),
    strict: flag(given.strict),
    affinity: given.affinity,
    weight: given.weight,
    disable: flag(given.disable),
    comment: given.comment,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function addressOf(id: string): string {
  // "." and ".." would make another address of it.
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(id)) {
    throw new ProblemError("ha.no-such-rule", `"${id}" is not a rule's name`);
  }
  return `${RULES}/${id}`;
}
