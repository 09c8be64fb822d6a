/** `pentad join HOST`, and what it runs on the other side. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { SshTarget } from "../../host/linux/ssh.ts";
import { type Description, namesOf, ownAddresses } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { distrust, linked, ownTrust, readTrusted, trust } from "../join/trust.ts";

const INPUT_BYTES_MAX = 64 * 1024;

/** `[USER@]HOST[:PORT]` as a person writes it. Throws a ProblemError where it is none. */
export function sshTarget(text: string): SshTarget {
  const match = /^(?:([a-z_][a-z0-9_-]{0,31})@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/
    .exec(text);
  const host = match?.[2]?.replace(/^\[|\]$/g, "") ?? "-";
  const port = match?.[3] === undefined ? null : Number(match[3]);
  // A host that begins with a dash would be an option of ssh.
  const bad = host.startsWith("-") || (port !== null && (port < 1 || port > 65_535));
  if (bad) throw new ProblemError("cli.usage", `"${text}" is not [root@]HOST[:PORT]`);
  return { user: match?.[1] ?? "root", host, port };
}

/** The commands that a join runs on a member, for people to see too. */
export function farCommands(cli: Cli): readonly CommandUnknownOpts[] {
  const describe = new Command("describe")
    .description("say what the other side of a join wants to know")
    .action(async () => {
      const description = await cli.client.get<Description>("/v1/join/describe");
      if (cli.print.format === "json") return cli.print.json(description);
      const { node, version, cluster, nodes, guests } = description;
      const where = cluster === null ? "no member" : `member of "${cluster.name}"`;
      cli.print.line(`${node}   pentad ${version}   ${where}   ${guests.length} guests`);
      for (const { name, links, peer } of nodes) {
        cli.print.line(`${name}   links ${links.join(" ")}   peer ${peer}`);
      }
    });
  const trusting = new Command("trust")
    .description("let a machine's root in, whose keys are on standard input")
    .action(async () => {
      const theirs = readTrusted(await jsonInput(cli));
      const here = await cli.client.get<Description>("/v1/join/describe");
      const { home } = cli;
      const own = await ownTrust(home, here.node, ownAddresses(here));
      await trust(cli, own);
      await trust(cli, theirs);
      for (const left of linked(home, here.mount)) cli.print.note(left);
      if (cli.print.format === "json") return cli.print.json(own);
      cli.print.note(`root@${theirs.node} may log in`);
    });
  const distrusting = new Command("distrust")
    .description("forget the keys of a machine that goes")
    .argument("<node>")
    .argument("[addresses...]")
    .action(async (node, addresses) => {
      await distrust(cli, node, namesOf(node, addresses));
      if (cli.print.format === "json") {
        return cli.print.json({ schema: "pentad.done/1", done: true });
      }
      cli.print.note(`the keys of ${node} are gone`);
    });
  return [describe, trusting, distrusting];
}

async function jsonInput(cli: Cli): Promise<unknown> {
  const bytes = await cli.io.stdin(INPUT_BYTES_MAX);
  try {
    return JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array(0)));
  } catch {
    throw new ProblemError("cli.usage", "standard input is no JSON of pentad join");
  }
}
