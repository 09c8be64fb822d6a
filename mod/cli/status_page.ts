/** `pentad status` as a page: ux.md a.5. Pure: a document in, lines and an exit code out. @module */
import { EXIT } from "../base/problem.ts";
import type { NodeStatus, ResourceStatus, StatusDocument } from "../node/view.ts";
import { type Printer, safeText } from "./print.ts";
import { warningsOf } from "./warnings.ts";

/** Columns of {@link nodeRow}. */
export const NODE_HEAD: readonly string[] = [
  ...["NODE", "STATE", "ROLE", "VOTE", "LINKS", "RTT", "DISK PULSE", "WATCHDOG", "RESOURCES"],
];

/** Columns of {@link resourceRow}. */
export const RESOURCE_HEAD: readonly string[] = ["RESOURCE", "STATE", "NODE", "WANTED", "REASON"];

/** What the state of the cluster is worth to a script. */
export function exitOf(status: StatusDocument): number {
  if (status.cluster !== null && !status.quorate) return EXIT.noQuorum;
  return warningsOf(status).length === 0 ? EXIT.ok : EXIT.degraded;
}

/** Prints the page. */
export function printStatus(print: Printer, status: StatusDocument): void {
  print.line(firstLine(print, status));
  const part = (head: readonly string[], rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return;
    print.line("");
    print.table(head, rows);
  };
  part(NODE_HEAD, status.nodes.map((node) => nodeRow(print, node)));
  part(
    ["STREAM", "STATE", "NOW"],
    status.streams.map(({ name, state, now }) => [name, print.state(state), safeText(now)]),
  );
  part(RESOURCE_HEAD, status.resources.map((each) => resourceRow(print, each)));
  const warnings = warningsOf(status);
  if (warnings.length > 0) print.line("");
  for (const { grade, code, what, fix } of warnings) {
    print.line(print.paint(`! ${code}  ${safeText(what)}   fix: ${safeText(fix)}`, grade));
  }
}

/** `prod-a   quorate 2 of 3 votes, needs 2   armed   config v412   leader n1   on n1, 09:04:00`. */
export function firstLine(print: Printer, status: StatusDocument): string {
  const at = localTime(status.at).slice(0, 8);
  if (status.cluster === null) {
    return `no cluster   ${armedText(print, status)}   on ${
      status.node?.name ?? "this host"
    }, ${at}`;
  }
  const { present, expected, needed } = status.votes;
  const quorate = status.quorate
    ? print.paint("quorate", "good")
    : print.paint("NOT quorate", "bad");
  return [
    status.cluster.name,
    `${quorate} ${present} of ${expected} votes, needs ${needed}`,
    armedText(print, status),
    `config v${status.config.version}${status.config.writable ? "" : " read-only here"}`,
    `leader ${status.leader ?? "none"}`,
    `dc ${status.dc ?? "none"}`,
    `on ${status.node?.name ?? "this host"}, ${at}`,
  ].join("   ");
}

/** One node as cells. What is remote says so by its age; what is unknown is a dash. */
export function nodeRow(print: Printer, node: NodeStatus): string[] {
  const armed = node.armed === null ? "–" : node.armed ? "armed" : print.state("disarmed");
  return [
    node.self ? `${node.name} *` : node.name,
    print.state(node.state),
    node.role,
    node.vote > 0 ? "yes" : "no",
    node.links,
    node.rtt_ms === null ? "–" : `${node.rtt_ms.toFixed(1)} ms`,
    node.disk_pulse_s === null ? "–" : `${node.disk_pulse_s.toFixed(0)} s ago`,
    armed,
    node.resources.length === 0 ? "–" : node.resources.join(" "),
  ];
}

/** One resource as cells. */
export function resourceRow(print: Printer, resource: ResourceStatus): string[] {
  const { id, state, node, wanted, reason } = resource;
  return [id, print.state(state), node ?? "–", safeText(wanted), safeText(reason)];
}

/** Local time of day with milliseconds: `12:00:01.123`. */
export function localTime(rfc3339: string): string {
  const at = new Date(rfc3339);
  if (Number.isNaN(at.getTime())) return "??:??:??.???";
  const two = (value: number) => String(value).padStart(2, "0");
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

function armedText(print: Printer, status: StatusDocument): string {
  if (status.ha.mode === "disarmed") return print.paint("HA DISARMED", "bad");
  if (status.armed) return print.paint(`armed: ${safeText(status.watchdog)}`, "good");
  return print.paint(`disarmed: ${safeText(status.watchdog)}`, "bad");
}
