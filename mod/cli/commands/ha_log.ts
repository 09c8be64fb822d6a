/** `pentad ha log`: what became of a resource, and why. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ResourceLog } from "../../api/running_node.ts";
import type { EventLine } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { wholeNumber } from "../options.ts";
import { safeText } from "../print.ts";
import { localTime } from "../status_page.ts";
import { addressOf } from "./ha_orders.ts";

type Line = ResourceLog["lines"][number];

/** Lines of the chain of causes. */
const CHAIN_MAX = 16;

export function haLogCommand(cli: Cli): CommandUnknownOpts {
  return new Command("log")
    .description("what became of a resource, and why: moves, deaths, orders, each with its cause")
    .argument("<id>")
    .option("--limit <n>", "so many of the newest decisions", wholeNumber(1, 1000))
    .action(async (id, { limit }) => {
      const query = limit === undefined ? "" : `?limit=${limit}`;
      const story = await cli.client.get<ResourceLog & { here: readonly EventLine[] }>(
        `${addressOf(id)}/log${query}`,
      );
      if (cli.print.format === "json") return cli.print.json(story);
      const { lines, here, more, since } = story;
      cli.print.table(
        ["TIME", "TXN", "WHAT", "WHY", "CODE", "BY"],
        lines.map((line) => [
          ...[dateOf(line.time), hex(line.txn_id), safeText(line.text), safeText(line.why)],
          ...[line.code ?? "–", safeText(line.author)],
        ]),
      );
      if (cli.print.format !== "plain") printChain(cli, lines);
      printHere(cli, here);
      if (more) cli.print.note("there is an older part: pentad ha log --limit 1000");
      if (since > 0) cli.print.note(`nothing is kept of what was before ${hex(since)}`);
    });
}

/** Why it is where it is: the newest line of its own, and what led to it, back to the first cause. */
export function chainOf(lines: readonly Line[]): Line[] {
  const chain: Line[] = [];
  let at: number | null = lines.findLastIndex(({ about }) => about === "resource");
  while (at !== null && at >= 0 && chain.length < CHAIN_MAX) {
    const line: Line | undefined = lines[at];
    if (line === undefined) break;
    chain.push(line);
    // A cause always stands before what it led to.
    at = line.cause !== null && line.cause < at ? line.cause : null;
  }
  return chain;
}

function printChain(cli: Cli, lines: readonly Line[]): void {
  const chain = chainOf(lines);
  if (chain.length === 0) return;
  cli.print.line("\nwhy it is so, the last cause first:");
  for (const [depth, { time, text, why, code }] of chain.entries()) {
    const because = why === "" ? "" : `: ${safeText(why)}`;
    const mark = depth === 0 ? "" : "└ ";
    const named = code === null ? "" : `   ${code}`;
    cli.print.line(
      `${"  ".repeat(depth)}${mark}${dateOf(time)} ${safeText(text)}${because}${named}`,
    );
  }
}

function printHere(cli: Cli, here: readonly EventLine[]): void {
  const node = here[0]?.node;
  if (node === undefined) return;
  cli.print.line(`\nsaid on ${safeText(node)}:`);
  for (const { at, text } of here) cli.print.line(`${localTime(at)} ${safeText(text)}`);
}

function hex(txn: number): string {
  return `0x${txn.toString(16)}`;
}

/** Local date and time of day. */
function dateOf(seconds: number): string {
  const at = new Date(1000 * seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
    localTime(at.toISOString()).slice(0, 8);
}
