/**
 * What the replicated tree says to stream 3, kept as it was last applied here: the resources, the
 * manager's decisions, the orders that wait for it, and who holds its lock.
 *
 * @module
 */
import { decodeText } from "../base/bytes.ts";
import { type ClusterSpec, memberOf, nameOf } from "../base/cluster.ts";
import { NODE_ID_MAX, type NodeId, nodeId } from "../base/id.ts";
import type { Change } from "../streams.ts";
import { type Datacenter, DATACENTER_FILE, readDatacenter } from "./datacenter.ts";
import { isMachinePath, Machines } from "./machines.ts";
import { DISARM_FILE, type Mode, modeIn } from "./mode.ts";
import { type Definitions, readResources } from "./resource.ts";
import { NO_RULES, RuleBook } from "./rule_book.ts";
import { readRules, type RuleFile, RULES_FILE } from "./rules.ts";
import { EMPTY_STATUS, type ManagerStatus, parseStatus, STATUS_FILE } from "./status.ts";

export const RESOURCES_FILE = "ha/resources.cfg";
/** Orders of people to the manager, one in each line. */
export const COMMANDS_FILE = "ha/crm_commands";
/** Nodes that were put out of the cluster by force and may live: a line `ID NAME` for each. */
export const OUT_FILE = "ha/out_nodes";
/** The distributed lock: a directory. Its version is the epoch, its writer the holder. */
export const LOCK = "priv/lock/ha_manager_lock";

const NO_DEFINITIONS: Definitions = readResources("");
const NOT_TEXT: Definitions = {
  ...NO_DEFINITIONS,
  broken: true,
  faults: [{ line: 1, why: "it is not UTF-8" }],
};

const RULES_NOT_TEXT: RuleFile = {
  ...{ rules: [], broken: true },
  faults: [{ line: 1, why: "it is not UTF-8" }],
};

/** Who is the manager, by the lock. */
export interface Lock {
  readonly epoch: number;
  readonly holder: NodeId;
}

/** See the module's note. */
export class HaFiles {
  /** Log index of the newest change seen. */
  index = 0;
  definitions: Definitions = NO_DEFINITIONS;
  /** As they were last read; after a start with a file that cannot be read there are none. */
  rules: RuleBook = NO_RULES;
  datacenter: Datacenter = readDatacenter("");
  readonly machines = new Machines();
  status: ManagerStatus = EMPTY_STATUS;
  /** Version of the status file; 0 where there is none. */
  statusVersion = 0;
  /** The status file is there and cannot be read: nothing is decided and nothing started. */
  damaged = false;
  commands: readonly string[] = [];
  commandsVersion = 0;
  lock: Lock | null = null;
  /** Who was put out by force, and may run what is decided here to run nowhere. */
  out: ReadonlyMap<NodeId, string> = new Map();
  /** The list of them cannot be read: it may name anybody. */
  outDamaged = false;
  outVersion = 0;
  mode: Mode = "armed";
  /** Version of the file that says so; 0 where there is none. */
  modeVersion = 0;
  readonly #directories = new Set<string>();

  /** Takes over what a transaction changed; `whole`: what is not named is not there. */
  apply(changes: readonly Change[], index: number, whole: boolean): void {
    if (whole) this.#clear();
    this.index = Math.max(this.index, index);
    for (const change of changes) {
      this.machines.apply(change);
      this.#one(change);
    }
  }

  /** True where a directory is there; known for those that stream 3 makes itself. */
  hasDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  /** Nodes that are no members and may run something still, with what people call them. */
  former(spec: ClusterSpec): ReadonlyMap<NodeId, string> {
    const gone = [...this.status.nodes.keys()].filter((id) => memberOf(spec, id) === undefined);
    return new Map([...gone.map((id) => [id, nameOf(spec, id)] as const), ...this.out]);
  }

  #clear(): void {
    this.definitions = NO_DEFINITIONS;
    this.rules = NO_RULES;
    this.machines.clear();
    this.datacenter = readDatacenter("");
    this.status = EMPTY_STATUS;
    this.statusVersion = 0;
    this.damaged = false;
    this.commands = [];
    this.commandsVersion = 0;
    this.lock = null;
    this.#setOut("", 0);
    this.mode = "armed";
    this.modeVersion = 0;
    this.#directories.clear();
  }

  #one({ path, kind, version, data, writer }: Change): void {
    if (kind === "directory" && DIRECTORIES.includes(path)) this.#directories.add(path);
    else this.#directories.delete(path);
    const bytes = kind === "file" ? data : null;
    switch (path) {
      case LOCK:
        this.lock = kind === "directory" ? { epoch: version, holder: writer } : null;
        return;
      case RESOURCES_FILE: {
        const text = bytes === null ? "" : decodeText(bytes);
        this.definitions = text === null ? NOT_TEXT : readResources(text);
        return;
      }
      case RULES_FILE: {
        const text = bytes === null ? "" : decodeText(bytes);
        const file = text === null ? RULES_NOT_TEXT : readRules(text);
        // What cannot be read as a whole takes no rule away.
        this.rules = file.broken ? this.rules.withFaults(file.faults) : new RuleBook(file);
        return;
      }
      case DATACENTER_FILE:
        this.datacenter = readDatacenter(bytes === null ? "" : decodeText(bytes) ?? "");
        return;
      case STATUS_FILE: {
        const status = bytes === null ? EMPTY_STATUS : parseStatus(bytes);
        this.damaged = status === null;
        this.status = status ?? EMPTY_STATUS;
        this.statusVersion = bytes === null ? 0 : version;
        return;
      }
      case COMMANDS_FILE:
        this.commands = linesOf(bytes);
        this.commandsVersion = bytes === null ? 0 : version;
        return;
      case DISARM_FILE:
        this.mode = kind === "gone" ? "armed" : modeIn(bytes ?? new Uint8Array(0));
        this.modeVersion = kind === "gone" ? 0 : version;
        return;
      case OUT_FILE: {
        const text = kind === "gone" ? "" : bytes === null ? null : decodeText(bytes);
        return this.#setOut(text, kind === "gone" ? 0 : version);
      }
    }
  }

  #setOut(text: string | null, version: number): void {
    const lines = (text ?? "").split("\n").filter((line) => line.trim() !== "");
    const parsed = lines.map((line) => /^(\d{1,5}) (\S+)$/.exec(line.trim()));
    const whole = parsed.flatMap((match) => {
      const id = Number(match?.[1]);
      return id >= 1 && id <= NODE_ID_MAX ? [[nodeId(id), match?.[2] ?? ""] as const] : [];
    });
    this.out = new Map(whole);
    this.outDamaged = text === null || whole.length < lines.length;
    this.outVersion = version;
  }
}

/** The directories above the files of this stream, parents first. */
export const DIRECTORIES: readonly string[] = ["ha", "priv", "priv/lock"];

const FILES: ReadonlySet<string> = new Set([
  ...[
    RESOURCES_FILE,
    RULES_FILE,
    DATACENTER_FILE,
    STATUS_FILE,
    COMMANDS_FILE,
    OUT_FILE,
    LOCK,
    DISARM_FILE,
  ],
  ...DIRECTORIES,
]);

/** Does this stream read what is there? */
export function isHaPath(path: string): boolean {
  return FILES.has(path) || isMachinePath(path);
}

function linesOf(bytes: Uint8Array | null): string[] {
  const text = bytes === null ? "" : decodeText(bytes) ?? "";
  return text.split("\n").filter((line) => line.trim() !== "");
}
