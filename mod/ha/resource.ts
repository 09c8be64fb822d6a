/** A resource as `ha/resources.cfg` defines it. @module */
import { isResourceId, type ResourceId } from "../base/id.ts";
import type { Millis } from "../base/time.ts";
import type { RequestState } from "../streams.ts";
import { parseSections, propertiesOf, type Section } from "./section_config.ts";
import { splitWords } from "./words.ts";

/** Resources in one cluster. */
export const RESOURCES_MAX = 10_000;
/** Grace between SIGTERM and SIGKILL. */
const STOP_TIMEOUT_S = 10;
const MONITOR_INTERVAL_S = 10;
const MONITOR_TIMEOUT_S = 20;

/** A resource of kind `exec`: a command in a session of its own. */
export interface Resource {
  readonly id: ResourceId;
  readonly command: readonly string[];
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
  readonly stopTimeoutMs: Millis;
  /** A command whose exit status 0 means healthy; null: it is healthy while it runs. */
  readonly monitor: readonly string[] | null;
  readonly monitorIntervalMs: Millis;
  readonly monitorTimeoutMs: Millis;
  /** What it weighs when two nodes ask who goes first. */
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
  const broken = file.sections.length > RESOURCES_MAX;
  return { resources, unreadable, broken, faults };
}

function readOne(section: Section): Resource | string {
  const id = `${section.type}:${section.id}`;
  if (!isResourceId(id)) return `"${id}" is not kind:name`;
  if (section.type !== "exec") return `the kind "${section.type}" is not known here`;
  const properties = propertiesOf(section);
  const command = splitWords(properties.get("command") ?? "");
  if (command === null || command.length === 0) return `"${id}" has no command that can be read`;
  const monitor = properties.get("monitor");
  const watch = monitor === undefined ? null : splitWords(monitor);
  if (monitor !== undefined && (watch === null || watch.length === 0)) {
    return `"${id}" has a monitor that cannot be read`;
  }
  const wanted = properties.get("state") ?? "started";
  if (!isRequestState(wanted)) return `"${wanted}" is none of started, stopped, disabled, ignored`;
  const recoverOn = properties.get("recover_on") ?? "death";
  if (recoverOn !== "death" && recoverOn !== "storage") {
    return `"${recoverOn}" is neither death nor storage`;
  }
  const number = (key: string, otherwise: number): number => {
    const value = properties.get(key);
    return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : otherwise;
  };
  return {
    id,
    command,
    wanted,
    maxRestart: number("max_restart", 1),
    maxRelocate: number("max_relocate", 1),
    failback: properties.get("failback") !== "0",
    priority: number("priority", 0),
    recoverOn,
    stopTimeoutMs: 1000 * number("stop_timeout", STOP_TIMEOUT_S),
    monitor: watch,
    monitorIntervalMs: 1000 * Math.max(1, number("monitor_interval", MONITOR_INTERVAL_S)),
    monitorTimeoutMs: 1000 * Math.max(1, number("monitor_timeout", MONITOR_TIMEOUT_S)),
    diskLock: number("disk_lock", 1),
  };
}

function isRequestState(text: string): text is RequestState {
  return ["started", "stopped", "disabled", "ignored"].includes(text);
}

/** A resource id as the conversation says it: `exec-web`. */
export function spoken(id: ResourceId): string {
  return id.replace(":", "-");
}
