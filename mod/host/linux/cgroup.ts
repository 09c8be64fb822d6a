/**
 * Control groups of resources (cgroups(7), Documentation/admin-guide/cgroup-v2.rst): nothing that a
 * process does, short of what only root may do on purpose, takes its children out of its group. So a
 * child that left the session, cleared its environment and lost its parents is still found.
 *
 * Where this process may make no group (it is not root, or there is no cgroup2), the other marks of
 * process_hunt.ts must do.
 *
 * @module
 */
import { isResourceId, type ResourceId } from "../../base/id.ts";

/** The folder of all of pentad's groups, below the mount of cgroup2. */
const ROOT = "pentad";
/** Groups below groups that a resource may have made for itself; deeper ones are its own affair. */
const DEPTH_MAX = 8;

/** What the processes of a group do. */
export type GroupKind = typeof GROUP_KINDS[number];
const GROUP_KINDS = ["resource", "monitor", "undo"] as const;

/** The groups of one node and one kind: `pentad/TOKEN/resource/exec:web`. See the module's note. */
export class ControlGroups {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null where no group can be made. */
  static of(token: string, kind: GroupKind): ControlGroups | null {
    for (const mount of mounts()) {
      const folder = `${mount}/${ROOT}/${token}/${kind}`;
      try {
        Deno.mkdirSync(folder, { recursive: true });
        return new ControlGroups(folder);
      } catch {
        // Read-only, or not ours: another mount may do.
      }
    }
    return null;
  }

  /** Removes all groups of a node that are empty, of every kind. */
  static removeAll(token: string): void {
    for (const kind of GROUP_KINDS) ControlGroups.of(token, kind)?.remove();
  }

  /** Makes the group of `id`; a process joins by writing 0 into its `cgroup.procs`. */
  make(id: ResourceId): string {
    const folder = `${this.#folder}/${id}`;
    Deno.mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Whose each process is. */
  members(): Map<number, ResourceId> {
    const found = new Map<number, ResourceId>();
    for (const id of this.#ids()) {
      for (const folder of tree(`${this.#folder}/${id}`)) {
        for (const pid of readPids(`${folder}/cgroup.procs`)) found.set(pid, id);
      }
    }
    return found;
  }

  /** SIGKILL to all of `id`, or of everything, at once, faster than it can fork (Linux 5.14). */
  kill(id?: ResourceId): void {
    for (const each of id === undefined ? this.#ids() : [id]) {
      try {
        Deno.writeTextFileSync(`${this.#folder}/${each}/cgroup.kill`, "1", { create: false });
      } catch {
        // An older kernel, or no such group: each process is signalled by itself.
      }
    }
  }

  /** True where something lives in the group of `id`. */
  isBusy(id: ResourceId): boolean {
    return tree(`${this.#folder}/${id}`).some((folder) =>
      readPids(`${folder}/cgroup.procs`).length > 0
    );
  }

  /** Removes the groups that are empty; what is not stays, and with it all above it. */
  remove(): void {
    for (const id of this.#ids()) {
      for (const folder of tree(`${this.#folder}/${id}`).reverse()) removeFolder(folder);
    }
    const token = parentOf(this.#folder);
    for (const folder of [this.#folder, token, parentOf(token)]) removeFolder(folder);
  }

  #ids(): ResourceId[] {
    return folders(this.#folder).filter(isResourceId);
  }
}

/** Where cgroup2 is mounted: alone at /sys/fs/cgroup, or beside the first version's controllers. */
function mounts(): string[] {
  try {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS… - TYPE SOURCE OPTIONS (proc_pid_mountinfo(5))
    return Deno.readTextFileSync("/proc/self/mountinfo").split("\n").flatMap((line) => {
      const [place, type] = line.split(" - ");
      const point = place?.split(" ")[4];
      return type?.startsWith("cgroup2 ") && point !== undefined ? [point] : [];
    });
  } catch {
    return [];
  }
}

/** A folder and all below it, parents first. */
function tree(folder: string, depth = 0): string[] {
  if (depth > DEPTH_MAX) return [];
  return [
    folder,
    ...folders(folder).flatMap((name) => tree(`${folder}/${name}`, depth + 1)),
  ];
}

function folders(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter((each) => each.isDirectory).map(({ name }) => name);
  } catch {
    return [];
  }
}

function readPids(path: string): number[] {
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "").map(Number);
  } catch {
    return [];
  }
}

function parentOf(folder: string): string {
  return folder.slice(0, folder.lastIndexOf("/"));
}

function removeFolder(folder: string): void {
  try {
    Deno.removeSync(folder);
  } catch {
    // Something lives in it, or it is gone.
  }
}
