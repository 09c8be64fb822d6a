/**
 * What is wrong with a cluster and what to do about it, worst first. `pentad status` ends with 3
 * exactly when there is one of these, so it never says "degraded" without a sentence. Pure.
 *
 * @module
 */
import { PROBLEMS } from "../base/problem.ts";
import type { NodeStatus, ResourceStatus, StatusDocument } from "../node/view.ts";
import type { Grade } from "./print.ts";

/** One line of the page. */
export interface Warning {
  readonly grade: Extract<Grade, "bad" | "warn">;
  /** Stable; a consequence is not shown where its cause is. */
  readonly code: string;
  readonly what: string;
  readonly fix: string;
}

/** The warnings of a member; a host without a cluster has none but that. */
export function warningsOf(status: StatusDocument): Warning[] {
  if (status.cluster === null) {
    const { title, remedy } = PROBLEMS["join.not-a-member"];
    return [{ grade: "warn", code: "join.not-a-member", what: title, fix: remedy }];
  }
  // Without a life it says nothing of its members, nor of itself as one.
  if (status.node?.boot === "") {
    const what = "the node does not run here: it starts, or it has stopped";
    return [{ grade: "warn", code: "node.starting", what, fix: "ask again in a moment" }];
  }
  if (!status.nodes.some(({ self }) => self)) {
    const what = "this node was removed from the cluster";
    const fix = "pentad leave ends its membership here; then it may join again";
    return [{ grade: "bad", code: "config.removed", what, fix }];
  }
  const found = [
    ...ofMode(status),
    ...ofQuorum(status),
    ...status.resources.flatMap(ofResource),
    ...status.nodes.flatMap(ofNode),
    ...ofVotes(status),
    ...ofTwins(status),
    ...ofArms(status),
    ...ofDatabase(status),
    ...ofBackup(status),
    ...ofMount(status),
  ];
  return [...found, ...ofStreams(status, found)]
    .sort((a, b) => Number(b.grade === "bad") - Number(a.grade === "bad"));
}

/** Of the whole stack: it comes first, for nothing else is acted upon. */
function ofMode({ ha: { mode, unguarded } }: StatusDocument): Warning[] {
  if (mode === "disarmed") {
    const what = "HA is disarmed: nothing is started, moved, fenced or restarted, whatever dies";
    return [{ grade: "bad", code: "ha.disarmed", what, fix: "pentad ha arm" }];
  }
  return unguarded.map((name): Warning => ({
    grade: "warn",
    code: "ha.arming",
    what: `${name} has not said since HA was disarmed that its guard is held`,
    fix: `bring it back; if it is off for good: pentad node confirm-dead ${wordOf(name)}`,
  }));
}

function ofQuorum({ quorate, guard, config }: StatusDocument): Warning[] {
  if (!quorate) {
    const { title, remedy } = PROBLEMS["config.no-quorum"];
    return [{ grade: "bad", code: "config.no-quorum", what: title, fix: remedy }];
  }
  const found: Warning[] = [];
  if (guard.state === "lapsed") {
    found.push({
      grade: "bad",
      code: "ha.guard-lapsed",
      what: "this node owns nothing: it has no proof that a majority hears it",
      fix: "check its links and its disk (pentad heartbeat show, pentad storage show)",
    });
  }
  if (!config.writable) {
    found.push({
      grade: "bad",
      code: "config.no-leader",
      what: "the config is read-only here, though the votes suffice",
      fix: "an election takes seconds; if it goes on: pentad events --stream config",
    });
  }
  return found;
}

/** A former member, as it is named where nobody knows its name any more. */
const FORMER = /^node (\d+)$/;

/** By what `confirm-dead` knows a node: a former member by its number. */
function wordOf(name: string): string {
  return FORMER.exec(name)?.[1] ?? name;
}

function ofResource({ id, state, reason, node }: ResourceStatus): Warning[] {
  if (state !== "error" && state !== "recovery" && state !== "fence") return [];
  const why = reason === "" ? "" : `: ${reason}`;
  const fix = state === "error"
    ? `mend it, then pentad ha set ${id} --state disabled, and again --state started`
    : state === "fence" && node !== null && FORMER.test(node)
    ? `nobody hears a former member; if it is off for good: pentad node confirm-dead ${
      wordOf(node)
    }`
    : "it comes back by itself once the dead node is proven dead; see pentad events -f";
  const grade = state === "error" ? "bad" : "warn";
  return [{ grade, code: `ha.${state}`, what: `${id} is in ${state}${why}`, fix }];
}

function ofNode({ name, self, state, links }: NodeStatus): Warning[] {
  if (self) return [];
  const warn = (code: string, what: string, fix: string): Warning[] => [
    { grade: "warn", code, what: `${name} ${what}`, fix },
  ];
  if (state === "online" || state === "maintenance" || state === "stopping") {
    const [up, all] = links.split("/");
    if (up === all) return [];
    const fix = "check the cable or switch port of the silent one (pentad heartbeat show)";
    return warn("heartbeat.link-down", `is heard on ${links} links`, fix);
  }
  if (state === "isolated") {
    const what = "is silent on the network, but its disk pulse goes on";
    return warn("heartbeat.isolated", what, "check its cables and the switch");
  }
  if (state === "down") {
    const fix = `bring it back; if it is off for good: pentad node confirm-dead ${name}`;
    return warn("heartbeat.silent", "is down", fix);
  }
  return warn("heartbeat.unknown", `is ${state}`, "start its daemon, or wait until it is heard");
}

/** Only where something is missing already: a pair without a witness never has a vote to spare. */
function ofVotes({ quorate, votes: { present, expected, needed } }: StatusDocument): Warning[] {
  if (!quorate || present >= expected || present - 1 >= needed) return [];
  const what = `one vote less than these ${present} stops the cluster`;
  const fix = "bring back what is down before anything else is switched off";
  return [{ grade: "warn", code: "heartbeat.no-spare", what, fix }];
}

function ofArms({ armed, nodes, ha }: StatusDocument): Warning[] {
  // Watchdogs were released on purpose.
  if (ha.mode === "disarmed") return [];
  const others = nodes.filter((node) => !node.self && node.armed === false);
  const names = [...(armed ? [] : ["this node"]), ...others.map((node) => node.name)];
  return names.map((name) => ({
    grade: "warn",
    code: "ha.disarmed",
    what: `the death of ${name} cannot be proven by waiting`,
    fix: 'give it a watchdog ("watchdog": "auto")',
  }));
}

/** One that was never made is not missed yet: the first is due within a day. */
function ofBackup({ backup }: StatusDocument): Warning[] {
  if (backup?.state !== "failed") return [];
  const { title, remedy } = PROBLEMS["config.backup-failed"];
  const what = `${title}: ${backup.why ?? "it is not known why"}`;
  return [{ grade: "warn", code: "config.backup-failed", what, fix: remedy }];
}

function ofDatabase({ config }: StatusDocument): Warning[] {
  const { damaged = [] } = config.verified ?? {};
  if (damaged.length === 0) return [];
  const { title, remedy } = PROBLEMS["config.damaged"];
  return [{ grade: "warn", code: "config.damaged", what: `${title}: ${damaged[0]}`, fix: remedy }];
}

/** Two machines with one identity: what a peer of theirs sees. */
function ofTwins({ streams }: StatusDocument): Warning[] {
  const now = streams.find(({ name }) => name === "heartbeat")?.now ?? "";
  const { title, remedy } = PROBLEMS["node.twin"];
  return [...now.matchAll(/; (\S+) runs twice/g)].map(([, node]): Warning => ({
    grade: "bad",
    code: "node.twin",
    what: `${title}: ${node}`,
    fix: remedy,
  }));
}

function ofMount({ mount }: StatusDocument): Warning[] {
  if (mount.state !== "failed") return [];
  const what = `the tree is not mounted on ${mount.path}: ${mount.why}`;
  const fix = 'make room there, or set "mount" in the settings to another folder or to "off"';
  return [{ grade: "warn", code: "config.not-mounted", what, fix }];
}

/** A stream that is not well, and of which nothing was said yet. */
function ofStreams({ streams }: StatusDocument, said: readonly Warning[]): Warning[] {
  return streams.flatMap(({ name, state, now }): Warning[] => {
    if (state !== "degraded" && state !== "failed") return [];
    if (said.some(({ code }) => code.startsWith(`${name}.`))) return [];
    const grade = state === "failed" ? "bad" : "warn";
    const fix = `see pentad events --stream ${name}`;
    return [{ grade, code: `${name}.${state}`, what: now, fix }];
  });
}
