/** The status document, from what a running node knows. Pure. @module */
import { formatCrc } from "../base/checksum.ts";
import { type ClusterSpec, formerName, type Member, nameOf } from "../base/cluster.ts";
import type { BootId, NodeId } from "../base/id.ts";
import { type ProblemCode, PROBLEMS } from "../base/problem.ts";
import { formatMillis, type Instant } from "../base/time.ts";
import { rowsOf } from "../base/verify_report.ts";
import { testsText } from "../storage/mod.ts";
import type { View, Vitals } from "../streams.ts";
import type { Board } from "./board.ts";
import type { NodeCore } from "./core.ts";
import type {
  BackupStatus,
  MountStatus,
  NodeStatus,
  ResourceStatus,
  StatusDocument,
  StreamStatus,
  VerifiedStatus,
} from "./view.ts";

/** A running node as the status sees it; the runtime is one. */
export interface StatusSource {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  readonly board: Board;
  readonly node: NodeCore;
  now(): Instant;
}

/** Why a node was stopped. */
export interface StatusFailure {
  readonly code: ProblemCode;
  readonly why: string;
}

/** What a host says whose node does not run, and what is said of every one. */
export interface StatusHead {
  readonly name: string;
  /** Whose member it is although its node does not run yet, or any more; null for a stranger. */
  readonly cluster?: StatusDocument["cluster"];
  /** RFC 3339, UTC. */
  readonly at: string;
  /** The node is stopped, for its database failed; only what it knew can be read. */
  readonly failed?: StatusFailure | null;
  readonly backup?: BackupStatus | null;
  readonly mount: MountStatus;
}

const NO_WATCHDOG = "no watchdog";
const NOTHING_KEPT = { content: formatCrc(0), verified: null, writable: false };

/** Makes the document; `source` null on a host whose node does not run. */
export function statusOf(source: StatusSource | null, head: StatusHead): StatusDocument {
  if (source === null) return silentStatus(head);
  const { failed = null } = head;
  const document = memberStatus(source, head);
  return failed === null ? document : failedStatus(document, failed);
}

/** What it knew last, and that it takes part in nothing any more. */
function failedStatus(document: StatusDocument, failed: StatusFailure): StatusDocument {
  const { title, remedy } = PROBLEMS[failed.code];
  const now = `${title} (${failed.why}); ${remedy}`;
  return {
    ...document,
    quorate: false,
    armed: false,
    guard: { state: "lapsed", margin_ms: 0 },
    streams: document.streams.map(({ name }) => ({
      name,
      state: "failed",
      now: name === "config" ? now : "stopped",
    })),
    config: { ...document.config, writable: false },
  };
}

function memberStatus(source: StatusSource, head: StatusHead): StatusDocument {
  const { at, mount, backup = null } = head;
  const { spec, self, board, boot } = source;
  const ha = source.node.ha.view();
  const config = source.node.config.view();
  const view = viewOf(source);
  const named = (node: NodeId | null) => node === null ? null : nameOf(spec, node);
  const resources: ResourceStatus[] = ha.resources.map(({ node, ...resource }) => ({
    ...resource,
    node: named(node),
  })).sort((a, b) => a.id < b.id ? -1 : 1);
  return {
    schema: "pentad.status/1",
    cluster: { name: spec.name, id: spec.id, profile: spec.profile },
    node: { name: nameOf(spec, self), id: self, boot },
    at,
    quorate: view.quorate,
    votes: { present: view.present, expected: view.expected, needed: view.needed },
    armed: ha.armed,
    watchdog: ha.watchdog ?? NO_WATCHDOG,
    guard: {
      state: ha.guard.held ? "held" : ha.guard.suspended ? "suspended" : "lapsed",
      margin_ms: ha.guard.held ? Math.max(0, Math.round(ha.guard.until - source.now())) : 0,
    },
    dc: named(ha.dc),
    dc_epoch: ha.epoch,
    leader: named(config.leader),
    nodes: spec.members.map((member) => nodeStatus(source, member, resources)),
    streams: streamsOf(source, view),
    resources,
    config: {
      version: config.applied,
      term: config.term,
      index: config.applied,
      crc32: formatCrc(config.stateCrc),
      content: formatCrc(config.content),
      verified: verifiedStatus(source),
      writable: board.position?.writable === true && view.quorate,
    },
    backup,
    mount,
    ha: {
      mode: ha.mode,
      unguarded: ha.nodes.filter((each) => each.unguarded && each.state !== "dead")
        .map(({ node }) => nameOf(spec, node)),
    },
  };
}

function verifiedStatus(source: StatusSource): VerifiedStatus | null {
  const { verified } = source.node.config.view();
  if (verified === null) return null;
  const { report, at: then } = verified;
  return {
    age_ms: Math.max(0, Math.round(source.now() - then)),
    rows: rowsOf(report),
    damaged: report.damaged.map(({ why }) => why),
  };
}

function silentStatus({ name, at, mount, cluster = null }: StatusHead): StatusDocument {
  return {
    schema: "pentad.status/1",
    cluster,
    node: { name, id: 0, boot: "" },
    at,
    quorate: false,
    votes: { present: 0, expected: 0, needed: 0 },
    armed: false,
    watchdog: NO_WATCHDOG,
    guard: { state: "lapsed", margin_ms: 0 },
    dc: null,
    dc_epoch: 0,
    leader: null,
    nodes: [],
    streams: [],
    resources: [],
    config: { version: 0, term: 0, index: 0, crc32: formatCrc(0), ...NOTHING_KEPT },
    backup: null,
    mount,
    ha: { mode: "armed", unguarded: [] },
  };
}

const NO_VIEW: View = {
  epoch: 0,
  online: [],
  present: 0,
  expected: 0,
  needed: 0,
  quorate: false,
  installed: false,
};

function viewOf({ board }: StatusSource): View {
  return board.view ?? NO_VIEW;
}

function nodeStatus(
  source: StatusSource,
  member: Member,
  resources: readonly ResourceStatus[],
): NodeStatus {
  const { self, board } = source;
  const isSelf = member.id === self;
  const health = board.members.get(member.id);
  const vitals: Vitals | null = isSelf ? board.vitals : health?.vitals ?? null;
  const peer = source.node.heartbeat.view().peers.find((each) => each.node === member.id);
  const up = peer?.links.filter((link) => link.up).length ?? 0;
  const rtts = peer?.links.flatMap((link) => link.rttMs ?? []) ?? [];
  const pulse = source.node.storage.view().pulses.find((each) => each.node === member.id);
  return {
    name: member.name,
    id: member.id,
    self: isSelf,
    boot: isSelf ? source.boot : health?.boot ?? null,
    role: member.role,
    state: stateOf(source, member.id, isSelf ? "online" : health?.state ?? "unknown"),
    vote: member.role === "voter" ? member.votes : 0,
    links: isSelf ? "self" : `${up}/${member.links.length}`,
    rtt_ms: rtts.length === 0 ? null : Math.min(...rtts),
    disk_pulse_s: pulse === undefined ? null : pulse.ageMs / 1000,
    armed: vitals?.armed ?? null,
    load: vitals?.load ?? null,
    memory: vitals?.memory ?? null,
    io_delay: vitals?.ioDelay ?? null,
    resources: resources.filter((each) => each.node === member.name && each.state === "started")
      .map((each) => each.id),
  };
}

/** Of those who are there also what was decided of them: PVE's word for it. */
function stateOf({ node }: StatusSource, member: NodeId, heard: string): string {
  const entry = node.ha.view().nodes.find((each) => each.node === member);
  if (heard !== "online" || entry === undefined) return heard;
  if (entry.maintenance) return "maintenance";
  return entry.shutdown === null ? heard : "stopping";
}

/** Peers that hold something else than this leader. */
function differing({ spec, node }: StatusSource): string {
  const odd = node.config.view().peers.filter(({ diverged }) => diverged);
  const names = odd.map((peer) => nameOf(spec, peer.node)).join(" and ");
  return names === "" ? "" : `; ${names} ${odd.length > 1 ? "differ" : "differs"}`;
}

function streamsOf(source: StatusSource, view: View): StreamStatus[] {
  const { spec, board } = source;
  const ha = source.node.ha.view();
  const config = source.node.config.view();
  const storage = source.node.storage.view();
  const online = `${view.online.length}/${spec.members.length}`;
  const running = ha.resources.filter((each) => each.state === "started").length;
  const bad = ha.resources.some((each) => each.state === "error" || each.state === "fence");
  const twins = source.node.heartbeat.view().peers.filter(({ twin }) => twin !== null)
    .map(({ node }) => nameOf(spec, node));
  const writable = board.position?.writable === true && view.quorate;
  const ready = storage.disks.filter((disk) => disk.state === "ready").length;
  const disks = `${ready}/${storage.disks.length} disks ready`;
  const tested = testsText(storage.disks.map(({ test }) => test));
  const guard = ha.guard.held
    ? `guard held for ${formatMillis(Math.max(0, ha.guard.until - source.now()))}`
    : ha.guard.suspended
    ? "guard suspended"
    : "guard lapsed";
  const disarmed = ha.mode === "disarmed"
    ? "DISARMED: nothing is started, moved, fenced or restarted; "
    : "";
  return [
    {
      name: "heartbeat",
      state: !view.quorate
        ? "failed"
        : twins.length > 0 || view.online.length < spec.members.length
        ? "degraded"
        : "ok",
      now: `online=${online}, votes=${view.present}/${view.expected}, view=${view.epoch}` +
        twins.map((name) => `; ${name} runs twice`).join(""),
    },
    {
      name: "config",
      state: config.blocked !== null || !writable
        ? "failed"
        : config.peers.some((peer) => peer.diverged) || (config.verified?.report.count ?? 0) > 0
        ? "degraded"
        : "ok",
      now: config.blocked ??
        `${config.role}, term=${config.term}, index=${config.applied}, ` +
          `crc32=${formatCrc(config.stateCrc)}${differing(source)}`,
    },
    {
      name: "ha",
      state: !ha.guard.held && !ha.guard.suspended
        ? "failed"
        : bad || ha.mode !== "armed" || ha.faults.length > 0 || ha.out.length > 0
        ? "degraded"
        : "ok",
      now: ha.out.length > 0
        ? `nothing starts before ${
          ha.out.map(({ node, name }) => formerName(spec, node, name)).join(", ")
        } is confirmed dead`
        : `${disarmed}${running}/${ha.resources.length} started, ${guard}`,
    },
    {
      name: "storage",
      state: storage.disks.length === 0
        ? "idle"
        : ready === 0
        ? "failed"
        : storage.degraded.length > 0
        ? "degraded"
        : "ok",
      now: storage.disks.length === 0 ? "no shared disk" : [
        `${disks}${storage.witnessHeld ? ", witness vote held" : ""}`,
        ...tested === "" ? [] : [tested],
        ...storage.degraded,
        // Who would win, beforehand.
        ...spec.witness === null ? [] : [storage.verdict],
      ].join("; "),
    },
    { name: "join", state: "idle", now: `${spec.members.length} members` },
  ];
}
