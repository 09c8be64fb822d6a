/** What the daemon says of itself and of the cluster, as findings. Pure. @module */
import type { StatusDocument } from "../../node/view.ts";
import { warningsOf } from "../warnings.ts";
import { type Finding, ill, well } from "./finding.ts";

/** What was asked of the daemon. */
export interface ClusterFacts {
  readonly status: StatusDocument;
  /** The version of the program that the daemon runs. */
  readonly version: string;
  /** Beats that could not be opened with the cluster's key, since the daemon started. */
  readonly unsealed: number;
}

/** A round trip that takes a good part of a beat's period makes every delay a lost beat. */
const RTT_WARN_MS = 50;

/** All findings about a daemon that answers; `own` is the version of this program. */
export function clusterFindings(facts: ClusterFacts, own: string): Finding[] {
  const { status, version, unsealed } = facts;
  const found = [
    version === own ? well("version", `the daemon runs ${version}`) : ill(
      "warn",
      "version",
      `the daemon runs ${version}, this program is ${own}`,
      "systemctl restart pentad: nothing that runs is touched",
    ),
  ];
  if (status.cluster === null) {
    return [...found, well("cluster", "this host is no member yet: pentad init, or pentad join")];
  }
  const { present, expected, needed } = status.votes;
  const warnings = warningsOf(status).map(({ grade, code, what, fix }) =>
    ill(grade === "bad" ? "fail" : "warn", code, what, fix)
  );
  if (status.quorate) {
    const what = `"${status.cluster.name}" is quorate: ${present} of ${expected}, needs ${needed}`;
    found.push(well("quorum", what));
  }
  if (unsealed > 0) {
    const what = `${unsealed} beats could not be opened: they are sealed with another key`;
    const fix =
      "see whose they are: tcpdump 'udp[8:4] = 0x50454e54'. A former member: stop it. A node " +
      "that was away while the key was renewed: remove it (pentad config member remove NODE), and " +
      "there stop pentad, move node.json out of its state directory, start it, and join anew";
    found.push(ill("warn", "key", what, fix));
  }
  for (const { name, self, links, rtt_ms } of status.nodes) {
    const [up, all] = links.split("/");
    if (self || up !== all) continue;
    const what = `${name} is heard on ${links} links, ${rtt_ms ?? "?"} ms there and back`;
    if ((rtt_ms ?? 0) <= RTT_WARN_MS) found.push(well("link", what));
    else {found.push(
        ill("warn", "link", what, "a cluster wants a network of its own, not a long way"),
      );}
  }
  return [...found, ...warnings];
}
