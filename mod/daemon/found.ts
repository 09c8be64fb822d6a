/** What a cluster of one node is, before anybody else is in it. @module */
import type { InitAsk } from "../api/running_node.ts";
import { toHex } from "../base/bytes.ts";
import { type ClusterSpec, specFault } from "../base/cluster.ts";
import { clusterId, isNodeName, nodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";

/** The first node's id. */
export const FOUNDER = nodeId(1);

const ID_BYTES = 16;

/** The description of a new cluster. Throws a ProblemError where it would be none. */
export function firstSpec({ name, links, peer }: Settings, ask: InitAsk): ClusterSpec {
  if (!isNodeName(ask.name)) {
    throw new ProblemError("api.bad-request", `the cluster name "${ask.name}" is not a DNS label`);
  }
  const spec: ClusterSpec = {
    id: clusterId(toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))),
    name: ask.name,
    profile: ask.profile,
    members: [{ id: FOUNDER, name, role: "voter", votes: 1, links, peer }],
    witness: null,
  };
  const fault = specFault(spec);
  if (fault !== null) throw new ProblemError("settings.invalid", fault);
  return spec;
}
