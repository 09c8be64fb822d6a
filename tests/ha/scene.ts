/** What a manager knows, made by hand: three nodes, all online, armed, reporting nothing. @module */
import { bootId, type NodeId, nodeId, type ResourceId, resourceId } from "../../mod/base/id.ts";
import { instant, type Millis } from "../../mod/base/time.ts";
import type { Command } from "../../mod/ha/commands.ts";
import type { Words } from "../../mod/ha/death.ts";
import { Machines } from "../../mod/ha/machines.ts";
import type { MigrationNews } from "../../mod/ha/migration_wire.ts";
import { readResources } from "../../mod/ha/resource.ts";
import { RuleBook } from "../../mod/ha/rule_book.ts";
import { readRules } from "../../mod/ha/rules.ts";
import type { Situation } from "../../mod/ha/situation.ts";
import type { NodeEntry, ServiceEntry } from "../../mod/ha/status.ts";
import type { LocalState, Report } from "../../mod/ha/wire.ts";
import type { MemberState, Vitals } from "../../mod/streams.ts";
import { specOf, TIMING } from "./desk.ts";
import { vitalsOf } from "./vitals.ts";

export const WEB = resourceId("exec:web");
export const BOOT = bootId("00000000000000aa");
const HEARD = 100_000;

/** By node id, what differs from the quiet scene. */
export interface Scene {
  readonly nodes?: Readonly<Record<number, Partial<NodeEntry> | null>>;
  readonly services?: Readonly<Record<string, Partial<ServiceEntry>>>;
  /** `ha/resources.cfg`; by default it wants `exec:web` started. */
  readonly resources?: string;
  /** By VMID: in whose folder its definition lies. */
  readonly machines?: Readonly<Record<number, string>>;
  readonly scheduling?: Situation["scheduling"];
  readonly mode?: Situation["mode"];
  /** `ha/rules.cfg`. */
  readonly rules?: string;
  readonly commands?: readonly Command[];
  /** Members without a vote. */
  readonly learners?: readonly number[];
  /** For how long each has said that it holds no guard. */
  readonly guardless?: Readonly<Record<number, Millis>>;
  readonly health?: Readonly<Record<number, MemberState>>;
  /** How long a majority vouches for the silence. */
  readonly silence?: Millis;
  readonly vitals?: Readonly<Record<number, Partial<Vitals>>>;
  /** What each node reports of its resources; null for no report. */
  readonly reports?: Readonly<Record<number, Readonly<Record<string, LocalState>> | null>>;
  /** What each node says of live migrations. */
  readonly news?: Readonly<Record<number, MigrationNews>>;
  readonly watchdog?: Readonly<Record<number, Report["watchdog"]>>;
  /** Nodes that report by an older status than this one. */
  readonly behind?: readonly number[];
  readonly departure?: Readonly<Record<number, Report["departure"]>>;
  /** For so long former members are known to be none. */
  readonly goneFor?: Millis;
  readonly words?: Readonly<Record<number, Words>>;
  readonly storageFenced?: readonly number[];
  readonly steady?: readonly ResourceId[];
}

/** `kind name key=value …` as a section. */
export function section(line: string): string {
  const [kind = "", name = "", ...pairs] = line.split(" ");
  return `${kind}: ${name}\n${pairs.map((each) => `\t${each.replace("=", " ")}\n`).join("")}`;
}

/** Definitions of machines as the tree tells them. */
export function machinesOf(places: Readonly<Record<number, string>>): Machines {
  const machines = new Machines();
  for (const [vmid, node] of Object.entries(places)) {
    const path = `nodes/${node}/qemu-server/${vmid}.conf`;
    const data = new Uint8Array();
    machines.apply({ path, kind: "file", version: 5, data, writer: nodeId(1) });
  }
  return machines;
}

export function sceneOf(scene: Scene): Situation {
  const members = specOf(3).members.map((member) =>
    scene.learners?.includes(member.id) ? { ...member, role: "learner" as const } : member
  );
  const spec = { ...specOf(3), members };
  const self = nodeId(1);
  const nodes = new Map<NodeId, NodeEntry>();
  const online = {
    state: "online",
    maintenance: false,
    armed: true,
    confirmed: false,
    shutdown: null,
  } as const;
  for (const { id } of spec.members) {
    const given = scene.nodes?.[id];
    if (given !== null) {
      nodes.set(id, { ...online, proof: null, unguarded: false, why: null, ...given });
    }
  }
  const services = new Map<ResourceId, ServiceEntry>();
  const blank = {
    state: "stopped",
    node: null,
    target: null,
    home: null,
    tried: [],
    why: null,
  } as const;
  for (const [id, entry] of Object.entries(scene.services ?? {})) {
    services.set(resourceId(id), { ...blank, ...entry });
  }
  const stateOf = (node: NodeId) => scene.health?.[node] ?? "online";
  const present = (node: NodeId): Report | null => {
    const told = scene.reports?.[node];
    if (told === null || (node !== self && stateOf(node) !== "online")) return null;
    return {
      ...{ version: 1, boot: BOOT, status: scene.behind?.includes(node) ? 6 : 7 },
      departure: scene.departure?.[node] ?? "none",
      watchdog: scene.watchdog?.[node] ?? "armed",
      services: Object.entries(told ?? {}).map(([id, state]) => ({ id, state, why: "it says so" })),
    };
  };
  return {
    self,
    spec,
    timing: TIMING,
    status: { nodes, services },
    statusVersion: 7,
    news: (node) => stateOf(node) === "online" || node === self ? scene.news?.[node] ?? null : null,
    definitions: readResources(scene.resources ?? "exec: web\n\tcommand run\n"),
    rules: new RuleBook(readRules(scene.rules ?? "")),
    machines: machinesOf(scene.machines ?? {}),
    scheduling: scene.scheduling ?? "dynamic",
    mode: scene.mode ?? "armed",
    commands: scene.commands ?? [],
    out: new Map(),
    health: (node) =>
      node === self ? null : {
        ...{ node, state: stateOf(node), boot: BOOT, vitals: null },
        lastHeard: instant(HEARD),
        vouched: instant(HEARD + (scene.silence ?? 0)),
      },
    vitals: (node) => vitalsOf(scene.vitals?.[node] ?? {}),
    present,
    report: (node) => scene.behind?.includes(node) ? null : present(node),
    guardless: (node) => scene.guardless?.[node] ?? 0,
    goneFor: () => scene.goneFor ?? Infinity,
    words: (node) => scene.words?.[node] ?? null,
    storageFenced: (node) => scene.storageFenced?.includes(node) ?? false,
    steady: (id) => scene.steady?.includes(id) ?? false,
  };
}
