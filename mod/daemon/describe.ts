/** What a host says of itself to one that may join it, or that it may join. @module */
import manifest from "../../deno.json" with { type: "json" };
import { nameOf } from "../base/cluster.ts";
import type { Settings } from "../base/settings.ts";
import { vmidOf } from "../config/mod.ts";
import { type Description, JOIN_VERSION } from "../join/mod.ts";
import { statusOf } from "../node/mod.ts";
import type { NodeRuntime } from "../runtime/mod.ts";

/** Where Proxmox VE keeps the guests of a node: `nodes/NODE/…`. */
const GUEST_FOLDERS = ["qemu-server", "lxc"];

/** Describes a member whose tree is mounted there (or nowhere), or (runtime null) a host that is none. */
export function describeHost(
  runtime: NodeRuntime | null,
  settings: Settings,
  mounted: string | null,
): Description {
  const head = {
    schema: "pentad.join-describe/1",
    version: manifest.version,
    join: JOIN_VERSION,
    time_ms: Date.now(),
  } as const;
  if (runtime === null) {
    const { name, links, peer, mount } = settings;
    return {
      ...head,
      cluster: null,
      node: name,
      quorate: false,
      mount: mount === "off" ? null : mount,
      nodes: [{ name, links, peer }],
      guests: mount === "off" ? [] : guestsBelow(mount),
    };
  }
  const { spec } = runtime;
  const at = new Date().toISOString();
  const mount = { path: null, state: "off", why: null } as const;
  const { quorate } = statusOf(runtime, { name: settings.name, at, mount });
  return {
    ...head,
    cluster: { id: spec.id, name: spec.name },
    node: nameOf(spec, runtime.self),
    quorate,
    mount: mounted,
    nodes: spec.members.map(({ name, links, peer }) => ({ name, links, peer })),
    guests: guestsIn(runtime),
  };
}

function guestsIn({ node: { config } }: NodeRuntime): string[] {
  const guests: string[] = [];
  for (const { path } of config.list("nodes") ?? []) {
    for (const folder of GUEST_FOLDERS) {
      const files = config.list(`${path}/${folder}`) ?? [];
      guests.push(...files.map((file) => vmidOf(nameIn(file.path))).filter((id) => id !== null));
    }
  }
  return guests;
}

/** Guests of a folder that is to become the mount point: what a host had before it joined. */
function guestsBelow(root: string): string[] {
  const folders = GUEST_FOLDERS.map((folder) => `${root}/${folder}`);
  for (const node of names(`${root}/nodes`)) {
    folders.push(...GUEST_FOLDERS.map((folder) => `${root}/nodes/${node}/${folder}`));
  }
  const found = folders.flatMap(names).map(vmidOf).filter((vmid) => vmid !== null);
  // `qemu-server` is a link to the node's own folder.
  return [...new Set(found)];
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    // Not there, or not readable: no guests that anybody could merge.
    return [];
  }
}
