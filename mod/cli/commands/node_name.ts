/** `pentad node rename` and `pentad node readdress`: what a member is called, and where it is. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { AddressChange } from "../../api/membership_node.ts";
import { parseAddress } from "../../base/address.ts";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Description } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { retrust } from "../join/trust.ts";

/** Both commands. */
export function nameCommands(cli: Cli): readonly CommandUnknownOpts[] {
  const rename = new Command("rename")
    .description("give a member another name, where nothing refers to it by the old one")
    .argument("<node>")
    .argument("<name>", "a DNS label")
    .action((node, name) => renameNode(cli, node, name));
  const readdress = new Command("readdress")
    .description("tell the cluster where a member is now; without NODE: this one, by its settings")
    .argument("[node]", "one that was restarted at other addresses, and is not heard since")
    .option("--link <address...>", "HOST:PORT of its heartbeat, one for each link")
    .option("--peer <address>", "HOST:PORT of its peer channel")
    .option("--accept-risk <risk>", "cut-off: it is heard still, and begins anew there only now")
    .action((node, { link = [], peer, acceptRisk }) => {
      if (node === undefined) return readdressNode(cli, null);
      if (link.length === 0 || peer === undefined) {
        throw new ProblemError("cli.usage", "NODE is told of with --link and --peer");
      }
      if (acceptRisk !== undefined && acceptRisk !== "cut-off") {
        throw new ProblemError("cli.usage", `"${acceptRisk}" is no risk here: cut-off`);
      }
      const addresses = [...link, peer];
      const bad = addresses.find((each) => parseAddress(each) === null);
      if (bad !== undefined) {
        throw new ProblemError("heartbeat.bad-address", `"${bad}" is not an address HOST:PORT`);
      }
      const accept_risk = acceptRisk ?? null;
      return readdressNode(cli, { name: node, links: link, peer, accept_risk });
    });
  return [rename, readdress];
}

async function renameNode(cli: Cli, node: string, name: string): Promise<void> {
  if (!isNodeName(node)) {
    throw new ProblemError("ha.no-such-node", `"${node}" is not a node's name`);
  }
  if (!isNodeName(name)) {
    throw new ProblemError("cli.usage", `"${name}" cannot be a node's name: it is no DNS label`);
  }
  const answer = await cli.client.change(
    "POST",
    `/v1/config-members/${encodeURIComponent(node)}/rename`,
    { json: { name }, limitMs: cli.waitMs },
  );
  const { nodes } = await cli.client.get<Description>("/v1/join/describe");
  const { links = [], peer = "" } = nodes.find((each) => each.name === name) ?? {};
  await retrust(cli, { from: node, to: name, addresses: [...links, peer] });
  if (cli.print.format === "json") return cli.print.json(answer);
  cli.print.note(`"${node}" is "${name}" now`);
  cli.print.note(`next, on it: "name": "${name}" in its settings, for its own log`);
}

async function readdressNode(cli: Cli, member: unknown): Promise<void> {
  const answer = await cli.client.change<AddressChange>("POST", "/v1/config-readdress", {
    json: { member },
    limitMs: cli.waitMs,
  });
  const { node, before, after } = answer;
  const addresses = [...after.links, after.peer];
  await retrust(cli, { from: node, to: node, addresses });
  if (cli.print.format === "json") return cli.print.json(answer);
  const [was, is] = [before, after].map(({ links, peer }) => `${links.join(" ")}, peer ${peer}`);
  if (was === is) return cli.print.note(`the cluster knows "${node}" at ${is} already`);
  cli.print.line(`${node}\t${was}\t${is}`);
  cli.print.note(`the cluster finds "${node}" at ${is}; see pentad status`);
}
