/**
 * Finds every process that belongs to a resource of this node, and kills no other.
 *
 * A process is ours if it is in one of our control groups, if it was started with our token in its
 * environment, if its session holds one of ours, if its parent is ours, or if we once found it to be
 * ours and it is still the same. So neither setsid(2), nor a cleared environment, nor a dead parent
 * alone lets one escape; with control groups, not even all of them together.
 *
 * @module
 */
import { isResourceId, type ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import { SIGKILL, signalProcess } from "../ffi/pidfd.ts";
import { ControlGroups, type GroupKind } from "./cgroup.ts";
import { isAlive, isBlank, type ProcessName, readAllStats, readEnvironment } from "./proc.ts";
import { type ProcessStat, readStat, valueOf } from "./proc.ts";

/** In the environment of each process of a node: whose it is. */
export const NODE_VARIABLE = "PENTAD_NODE";
/** In the environment of a resource: `TOKEN:ID`. One variable, for nodes may be nested. */
export const RESOURCE_VARIABLE = "PENTAD_RESOURCE";
/** In the environment of a monitor command: `TOKEN:ID`. */
export const MONITOR_VARIABLE = "PENTAD_MONITOR";

/** In the environment of an operation that undoes something: `TOKEN:ID`. */
export const UNDO_VARIABLE = "PENTAD_UNDO";

/** Which variable marks the processes of which kind. */
export const VARIABLE_OF: Readonly<Record<GroupKind, string>> = {
  resource: RESOURCE_VARIABLE,
  monitor: MONITOR_VARIABLE,
  undo: UNDO_VARIABLE,
};

/** A kill of everything is tried so long before it counts as failed. */
export const KILL_LIMIT_MS: Millis = 10_000;
/** Between two looks at processes that are about to end. */
const LOOK_MS: Millis = 10;
/**
 * Empty looks in a row that prove that nothing is left: while /proc is read, a process may fork a
 * child behind the place of reading and end before it.
 */
const EMPTY_LOOKS = 2;
/** Looks at processes that show nothing of themselves; who still does then is no resource of ours. */
const BLANK_LOOKS = 50;

/** A process of a resource. */
export interface OwnProcess extends ProcessName {
  readonly id: ResourceId;
}

/** Which processes to look for. */
export interface HuntScope {
  /**
   * Look into environments too. Reading one can block behind a process that hangs in the kernel, so
   * what must be quick looks without first.
   */
  readonly environments: boolean;
  /** Only of this resource. */
  readonly id?: ResourceId;
}

/** See the module's note. */
export class ProcessHunt {
  readonly #prefix: string;
  /** Null where this process may make none. */
  readonly groups: ControlGroups | null;
  readonly #known = new Map<number, OwnProcess>();
  /** In the last look there was one that did not show whose it is. */
  #blank = false;

  /** Hunts for processes of this kind, in whose environment its variable is `TOKEN:ID`. */
  constructor(kind: GroupKind, token: string) {
    this.#prefix = `${VARIABLE_OF[kind]}=${token}:`;
    this.groups = ControlGroups.of(token, kind);
  }

  /** A process that is ours although nobody can see it by its environment. */
  know(process: OwnProcess): void {
    this.#known.set(process.pid, process);
  }

  /** All living processes of this node's resources. */
  find({ environments, id }: HuntScope): OwnProcess[] {
    const stats = readAllStats().filter(({ pid, session }) => pid !== Deno.pid && session !== 0);
    // After the look at /proc: a number that was used again since names another start time there.
    const members = this.groups?.members();
    const owners = new Map<number, ResourceId>();
    this.#blank = false;
    for (const stat of stats) {
      const owner = members?.get(stat.pid) ?? this.#ownerOf(stat, environments);
      if (owner !== null) owners.set(stat.pid, owner);
    }
    spread(stats, owners);
    const found = stats.flatMap(({ pid, start }) => {
      const owner = owners.get(pid);
      return owner === undefined ? [] : [{ pid, start, id: owner }];
    });
    if (environments) this.#known.clear();
    for (const each of found) this.#known.set(each.pid, each);
    return id === undefined ? found : found.filter((each) => each.id === id);
  }

  #ownerOf({ pid, start }: ProcessStat, environments: boolean): ResourceId | null {
    const known = this.#known.get(pid);
    if (known?.start === start) return known.id;
    if (!environments) return null;
    const environment = readEnvironment(pid);
    if (environment === "" && isBlank(pid)) this.#blank = true;
    const id = valueOf(environment, this.#prefix);
    return id !== null && isResourceId(id) ? id : null;
  }

  /** SIGKILL until nothing of `id` (or of any resource) is left; resolves with what would not end. */
  async killAll(scope: { readonly id?: ResourceId }, limitMs: Millis): Promise<OwnProcess[]> {
    const end = performance.now() + limitMs;
    this.groups?.kill(scope.id);
    for (const each of this.find({ ...scope, environments: false })) signal(each, SIGKILL);
    let looks = 0;
    for (let empty = 0; empty < EMPTY_LOOKS;) {
      const left = this.find({ ...scope, environments: true });
      for (const each of left) signal(each, SIGKILL);
      const proven = left.length === 0 && (!this.#blank || ++looks > BLANK_LOOKS);
      empty = proven ? empty + 1 : 0;
      if (left.length > 0 && performance.now() > end) return left;
      await pause(LOOK_MS);
    }
    return [];
  }
}

/** Signals exactly this process; false where it is gone. */
export function signal(process: ProcessName, number: number): boolean {
  return signalProcess(process.pid, number, () => isAlive(process));
}

/** Processes whose chain of parents leads to `root`, without it. */
export function descendants(root: ProcessName): ProcessName[] {
  if (!isAlive(root)) return [];
  const stats = readAllStats();
  const found = new Map<number, ProcessName>([[root.pid, root]]);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const stat of stats) if (found.has(stat.parent)) found.set(stat.pid, stat);
  }
  found.delete(root.pid);
  return [...found.values()];
}

/** Prints processes for people: `3 processes do not end: 17, 18, 19`. */
export function describeLeft(left: readonly ProcessName[]): string {
  const shown = left.slice(0, 8).map(({ pid }) => pid).join(", ");
  return `${left.length} processes do not end: ${shown}`;
}

/** Waits; only between two looks at /proc. */
export function pause(ms: Millis): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ours are also the members of our processes' sessions, and our processes' children. */
function spread(stats: readonly ProcessStat[], owners: Map<number, ResourceId>): void {
  const sessions = new Map<number, ResourceId>();
  const own = readStat(Deno.pid)?.session;
  for (let before = -1; before < owners.size;) {
    before = owners.size;
    for (const { pid, session } of stats) {
      const owner = owners.get(pid);
      if (owner !== undefined && session !== own) sessions.set(session, owner);
    }
    for (const { pid, session, parent } of stats) {
      if (owners.has(pid)) continue;
      const owner = sessions.get(session) ?? owners.get(parent);
      if (owner !== undefined) owners.set(pid, owner);
    }
  }
}
