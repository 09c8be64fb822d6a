/** One round of the manager over a large cluster in which a node died: how long it thinks. @module */
import type { Member } from "../mod/base/cluster.ts";
import {
  bootId,
  clusterId,
  type NodeId,
  nodeId,
  type ResourceId,
  resourceId,
} from "../mod/base/id.ts";
import { EPOCH, instant } from "../mod/base/time.ts";
import { timingOf } from "../mod/base/timing.ts";
import { plan } from "../mod/ha/plan.ts";
import { Machines } from "../mod/ha/machines.ts";
import { readResources } from "../mod/ha/resource.ts";
import { RuleBook } from "../mod/ha/rule_book.ts";
import { readRules } from "../mod/ha/rules.ts";
import type { Situation } from "../mod/ha/situation.ts";
import type { NodeEntry, ServiceEntry } from "../mod/ha/status.ts";
import type { Report } from "../mod/ha/wire.ts";

const NODES = 64;
const RESOURCES = 10_000;
/** Resources of each rule. */
const RULED = 10;

/** Milliseconds of the round in which half of all nodes are proven dead: 5000 takeovers under rules. */
export function benchPlan(): { readonly quietMs: number; readonly recoveryMs: number } {
  const quiet = situationOf(0);
  const recovery = situationOf(NODES / 2);
  plan(quiet);
  return { quietMs: timeOf(quiet), recoveryMs: timeOf(recovery) };
}

function timeOf(situation: Situation): number {
  const started = performance.now();
  plan(situation);
  return performance.now() - started;
}

function situationOf(dead: number): Situation {
  const boot = bootId("00000000000000aa");
  const members = Array.from({ length: NODES }, (_, at): Member => ({
    ...{ id: nodeId(at + 1), name: `node${at + 1}`, role: "voter", votes: 1 },
    ...{ links: [`127.0.0.1:${at + 1}`], peer: "127.0.0.1:1" },
  }));
  const isDead = (node: NodeId) => node > NODES - dead;
  const nodes = new Map<NodeId, NodeEntry>(members.map(({ id }) => [id, {
    ...{ state: isDead(id) ? "dead" : "online", maintenance: false, armed: true, confirmed: false },
    proof: isDead(id) ? "wait" : null,
    ...{ shutdown: null, unguarded: false, why: null },
  }]));
  const ids = Array.from({ length: RESOURCES }, (_, at) => resourceId(`exec:r${at}`));
  const services = new Map<ResourceId, ServiceEntry>();
  const reports = new Map<NodeId, Report["services"][number][]>(
    members.map(({ id }) => [id, []]),
  );
  ids.forEach((id, at) => {
    const node = nodeId(1 + at % NODES);
    const state = isDead(node) ? "fence" : "started";
    services.set(id, { state, node, target: null, home: null, tried: [], why: null });
    reports.get(node)?.push({ id, state: "running", why: "" });
  });
  const present = (node: NodeId): Report | null =>
    isDead(node) ? null : {
      ...{ version: 1, boot, status: 7, departure: "none", watchdog: "armed" },
      services: reports.get(node) ?? [],
    };
  return {
    ...{
      self: nodeId(1),
      timing: timingOf("standard"),
      scheduling: "dynamic",
      mode: "armed",
      commands: [],
      statusVersion: 7,
      out: new Map(),
    },
    spec: {
      ...{ id: clusterId("0".repeat(32)), name: "bench", profile: "standard", members },
      witness: null,
    },
    status: { nodes, services },
    definitions: readResources(ids.map((id) => `exec: ${id.slice(5)}\n\tcommand run\n`).join("")),
    rules: new RuleBook(readRules(rulesOf(ids))),
    machines: new Machines(),
    health: (node) => ({
      ...{ node, state: isDead(node) ? "down" : "online", boot, vitals: null },
      ...{ lastHeard: EPOCH, vouched: instant(isDead(node) ? 1e6 : 0) },
    }),
    vitals: () => null,
    news: () => null,
    ...{ present, report: present, words: () => null, goneFor: () => 0, guardless: () => 0 },
    ...{ storageFenced: () => false, steady: () => false },
  };
}

/** In turn: apart, together, rather apart, and a node rule with priorities. */
function rulesOf(ids: readonly ResourceId[]): string {
  const lines: string[] = [];
  for (let at = 0; at + RULED <= ids.length; at += RULED) {
    // Neighbours are on different nodes; those of one node are NODES apart.
    const some = ids.slice(at, at + RULED);
    const kind = (at / RULED) % 4;
    const body = kind === 0
      ? `resource-affinity: r${at}\n\taffinity negative`
      : kind === 1
      ? `ordering: r${at}`
      : kind === 2
      ? `resource-affinity: r${at}\n\taffinity negative\n\tweight 5`
      : `node-affinity: r${at}\n\tnodes node${1 + at % NODES}:2,node${
        1 + (at + 7) % NODES
      }\n\tweight 3`;
    lines.push(`${body}\n\tresources ${some.join(",")}\n`);
  }
  return lines.join("\n");
}

if (import.meta.main) {
  const runs = Array.from({ length: 5 }, benchPlan);
  const told = (key: keyof ReturnType<typeof benchPlan>) =>
    runs.map((run) => run[key].toFixed(0)).join(", ");
  console.log(`${NODES} nodes, ${RESOURCES} resources, ${RULED} under each rule`);
  console.log(`  a round in which all is well        ${told("quietMs")} ms`);
  console.log(`  half of all nodes are proven dead   ${told("recoveryMs")} ms`);
}
