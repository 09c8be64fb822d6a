/** An administrator of a simulated cluster: writes files and orders by whichever node can. @module */
import { encodeText } from "../base/bytes.ts";
import { requestId, type ResourceId, resourceId } from "../base/id.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Operation } from "../streams.ts";
import type { SimCluster } from "./cluster.ts";

/** Between two tries of a write that nobody could take. */
const AGAIN_MS = 500;
const RESOURCES_FILE = "ha/resources.cfg";
export const COMMANDS_FILE = "ha/crm_commands";
export const RULES_FILE = "ha/rules.cfg";
export const DATACENTER_FILE = "datacenter.cfg";

/** What a run's resources are called, one kind after the other. */
export function drawnResource(at: number): ResourceId {
  const names = [`exec:r${at}`, `ip:10.9.0.${at}`, `ocf:r${at}`, `systemd:r${at}`];
  return resourceId(names[at % names.length] ?? "");
}

/** What a run's virtual machines are called. */
export function drawnMachine(at: number): ResourceId {
  return resourceId(`vm:${FIRST_VMID + at}`);
}

const FIRST_VMID = 100;

/** See the module's note. */
export class Admin {
  readonly #cluster: SimCluster;
  readonly #sections = new Map<ResourceId, Map<string, string>>();
  #requests = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Defines a resource, or changes it; call {@link apply} to have it written. */
  set(id: ResourceId, properties: Readonly<Record<string, string>>): void {
    const section = this.#sections.get(id) ?? new Map([...wantsOf(id), ["state", "started"]]);
    for (const [key, value] of Object.entries(properties)) {
      if (value === "") section.delete(key);
      else section.set(key, value);
    }
    this.#sections.set(id, section);
  }

  /** Takes a resource out. */
  remove(id: ResourceId): void {
    this.#sections.delete(id);
  }

  /** Writes the resource file. */
  apply(): void {
    const sections = [...this.#sections].map(([id, properties]) => {
      const [kind, name] = id.split(":");
      const lines = [...properties].map(([key, value]) => `\t${key} ${value}\n`);
      return `${kind}: ${name}\n${lines.join("")}`;
    });
    this.write(RESOURCES_FILE, sections.join("\n"));
  }

  /** Gives the manager an order. */
  order(line: string): void {
    this.write(COMMANDS_FILE, `${line}\n`);
  }

  /** Changes the tree by whoever can write now. */
  change(make: (config: NodeRuntime["node"]["config"]) => readonly Operation[]): void {
    const { nodes } = this.#cluster;
    const runtime = nodes.find((node) => node.runtime?.board.position?.writable)?.runtime;
    if (runtime) this.#propose(runtime, make(runtime.node.config));
  }

  /** Replaces a file; tried again while nobody can take it. */
  write(path: string, text: string): void {
    const { world, nodes } = this.#cluster;
    const runtime = nodes.find((node) => node.runtime?.board.position?.writable)?.runtime;
    if (!runtime) return void world.after(AGAIN_MS, () => this.write(path, text));
    const { config } = runtime.node;
    const parts = path.split("/");
    const parents = parts.slice(1).map((_, at) => parts.slice(0, at + 1).join("/"));
    const operations: Operation[] = [
      ...parents.filter((parent) => config.stat(parent) === null).map((parent) =>
        ({ op: "mkdir", path: parent }) as const
      ),
      config.stat(path) === null ? { op: "create", path } : { op: "truncate", path, size: 0 },
      { op: "write", path, offset: 0, data: encodeText(text) },
    ];
    this.#propose(runtime, operations);
    // Looked at rather than listened to: an administrator does not know who will answer.
    world.after(2 * AGAIN_MS, () => {
      const now = nodes.find((node) => node.runtime !== null)?.runtime?.node.config.read(path);
      const there = now !== undefined && now !== null;
      if (!there && path !== COMMANDS_FILE) this.write(path, text);
    });
  }

  #propose(runtime: NodeRuntime, operations: readonly Operation[]): void {
    const request = requestId((++this.#requests).toString(16).padStart(16, "0"));
    runtime.request({
      request: "config.propose",
      tag: `admin:${this.#requests}`,
      transaction: {
        request,
        base: runtime.node.config.view().applied,
        expect: [],
        operations,
        ...{ author: "admin", reason: "", time: 0 },
      },
    });
  }
}

/** What a resource of this kind cannot do without. */
function wantsOf(id: ResourceId): readonly (readonly [string, string])[] {
  if (id.startsWith("exec:")) return [["command", "run"]];
  // A machine is given two minutes otherwise, longer than a healed cluster may take to come to rest.
  if (id.startsWith("vm:")) return [["stop_timeout", "10"]];
  return id.startsWith("ocf:") ? [["agent", "sim:Dummy"]] : [];
}
