/** A resource as `ha/resources.cfg` defines it. @module */
import { isResourceId, type ResourceId } from "../base/id.ts";
import type { Millis } from "../base/time.ts";
import type { RequestState } from "../streams.ts";
import { type Action, KIND_TIMEOUTS, readAction } from "./agents/action.ts";
import { splitWords } from "./words.ts";
import { parseSections, propertiesOf, type Section } from "./section_config.ts";

/** Resources in one cluster. */
export const RESOURCES_MAX = 10_000;
/**
 * What the decisions about all resources may take, in bytes: `ha/manager_status` is one file, which
 * holds 1 MiB, and nodes are in it too.
 */
export const DECISIONS_BYTES_MAX = 1_000_000;
/** What a decision takes beside its id, without its reason: 55 at rest, more while it moves. */
const DECISION_BYTES = 80;
/** Shared disks of one resource. */
const LUNS_MAX = 8;
/** What a disk of a running resource weighs, by the resource's kind; others weigh 1. */
const DISK_LOCKS: Readonly<Record<string, number>> = { exec: 1 };
const MONITOR_INTERVAL_S = 10;

/** A resource: what it is, and how much is done for it. */
export interface Resource {
  readonly id: ResourceId;
  readonly action: Action;
  readonly wanted: RequestState;
  /** Starts on the same node after a failure, before another node is tried. */
  readonly maxRestart: number;
  /** Other nodes that are tried after that. */
  readonly maxRelocate: number;
  /** It goes back to a node of higher priority, by its rule, once there is one. */
  readonly failback: boolean;
  /** Who is placed first: the higher. */
  readonly priority: number;
  /** `storage`: the proof that its node can write no more is enough. */
  readonly recoverOn: "death" | "storage";
  /** What a stop that fails means: its node is fenced, or it stays where it is. */
  readonly onStopFailure: "fence" | "block";
  /** Null: as its agent says. */
  readonly startTimeoutMs: Millis | null;
  readonly stopTimeoutMs: Millis | null;
  readonly monitorIntervalMs: Millis;
  readonly monitorTimeoutMs: Millis | null;
  /**
   * Shared disks that it lives on, by the uuids of their labels. Empty: it may live on any of them,
   * and a storage proof must cover all.
   */
  readonly luns: readonly string[];
  /** What each of its disks (or it, where it names none) weighs when two nodes ask who goes first. */
  readonly diskLock: number;
}

/**
 * What a file defines, and what is wrong with it: line and clause. What cannot be read must not be
 * mistaken for what was taken out: resources of a section in `unreadable`, and all of them where the
 * file is `broken`, are left as they are.
 */
export interface Definitions {
  readonly resources: ReadonlyMap<ResourceId, Resource>;
  readonly unreadable: ReadonlySet<string>;
  readonly broken: boolean;
  readonly faults: readonly { readonly line: number; readonly why: string }[];
}

/** Reads `ha/resources.cfg`. A section with a fault defines nothing; the others stand. */
export function readResources(text: string): Definitions {
  const file = parseSections(text);
  const resources = new Map<ResourceId, Resource>();
  const unreadable = new Set<string>();
  if ("why" in file) return { resources, unreadable, broken: true, faults: [file] };
  const faults: { line: number; why: string }[] = [];
  for (const section of file.sections.slice(0, RESOURCES_MAX)) {
    const resource = readOne(section);
    if (typeof resource !== "string") resources.set(resource.id, resource);
    else {
      faults.push({ line: section.at, why: resource });
      unreadable.add(`${section.type}:${section.id}`);
    }
  }
  const most = file.sections.length > RESOURCES_MAX ? `${RESOURCES_MAX} resources` : null;
  const why = most ??
    (decisionBytes(resources.keys()) > DECISIONS_BYTES_MAX ? "so many ids" : null);
  if (why !== null) {
    const last = file.sections.at(-1)?.at ?? 1;
    faults.unshift({ line: last, why: `nothing of it holds: more than ${why} cannot be decided` });
  }
  const broken = why !== null;
  return { resources, unreadable, broken, faults };
}

/** What the decisions about these resources take, in bytes, when their reasons are left out. */
export function decisionBytes(ids: Iterable<ResourceId>): number {
  let bytes = 0;
  for (const id of ids) bytes += id.length + DECISION_BYTES;
  return bytes;
}

function readOne(section: Section): Resource | string {
  const { type: kind, id: name } = section;
  const id = `${kind}:${name}`;
  if (!isResourceId(id)) return `"${id}" is not kind:name`;
  const properties = propertiesOf(section);
  const read = readAction({ kind, name }, properties);
  if (typeof read === "string") return read;
  const wanted = properties.get("state") ?? "started";
  if (!isRequestState(wanted)) return `"${wanted}" is none of started, stopped, disabled, ignored`;
  const recoverOn = properties.get("recover_on") ?? "death";
  if (recoverOn !== "death" && recoverOn !== "storage") {
    return `"${recoverOn}" is neither death nor storage`;
  }
  const luns = splitWords((properties.get("luns") ?? "").replaceAll(",", " ")) ?? [""];
  const odd = luns.find((uuid) => !/^[0-9a-f]{32}$/.test(uuid));
  if (odd !== undefined || luns.length > LUNS_MAX) {
    return `"luns" takes up to ${LUNS_MAX} disk uuids of 32 hex digits`;
  }
  const onStopFailure = properties.get("on_stop_failure") ?? "fence";
  if (onStopFailure !== "fence" && onStopFailure !== "block") {
    return `"${onStopFailure}" is neither fence nor block`;
  }
  // Whom it is taken from by such a proof may be alive and have the address still.
  const action = read.kind === "ip" ? { ...read, probe: recoverOn === "death" } : read;
  const number = (key: string, otherwise: number): number => {
    const value = properties.get(key);
    return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : otherwise;
  };
  const timeout = (of: "start" | "stop" | "monitor"): Millis | null => {
    const seconds = number(`${of}_timeout`, -1);
    return seconds < 0
      ? KIND_TIMEOUTS[read.kind][of]
      : 1000 * Math.max(of === "stop" ? 0 : 1, seconds);
  };
  return {
    id,
    action,
    wanted,
    maxRestart: number("max_restart", 1),
    maxRelocate: number("max_relocate", 1),
    failback: properties.get("failback") !== "0",
    priority: number("priority", 0),
    recoverOn,
    onStopFailure,
    startTimeoutMs: timeout("start"),
    stopTimeoutMs: timeout("stop"),
    monitorIntervalMs: 1000 * Math.max(1, number("monitor_interval", MONITOR_INTERVAL_S)),
    monitorTimeoutMs: timeout("monitor"),
    luns: [...new Set(luns)],
    diskLock: number("disk_lock", DISK_LOCKS[section.type] ?? 1),
  };
}

function isRequestState(text: string): text is RequestState {
  return ["started", "stopped", "disabled", "ignored"].includes(text);
}

/** Disk locks of a resource that runs here. */
export function locksOf(resource: Resource | undefined): number {
  return resource === undefined ? 1 : resource.diskLock * Math.max(1, resource.luns.length);
}

/** A resource id as the conversation says it: `exec-web`. */
export function spoken(id: ResourceId): string {
  return id.replace(":", "-");
}
