/** The plan under rules: what each rule makes of a scene, and what no rule may ever see. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type NodeId, nodeId, type ResourceId, resourceId } from "../../mod/base/id.ts";
import { plan } from "../../mod/ha/plan.ts";
import { RuleBook } from "../../mod/ha/rule_book.ts";
import { readRules } from "../../mod/ha/rules.ts";
import type { ManagerStatus } from "../../mod/ha/status.ts";
import type { LocalState } from "../../mod/ha/wire.ts";
import { type Scene, sceneOf, section } from "./scene.ts";

const RUNS = Number(Deno.env.get("RULES_RUNS") ?? 500);
const NAMES = ["a", "b", "c"] as const;

function resources(text: string): string {
  return text.split(" ").map((each) => {
    const [name = "", ...more] = each.split("/");
    const lines = more.map((pair) => `\t${pair.replace("=", " ")}\n`).join("");
    return `exec: ${name}\n\tcommand run\n${lines}`;
  }).join("");
}

/** `a@1 b@2`: what runs where, and says so. */
function running(text: string): Pick<Scene, "services" | "reports"> {
  const services: Record<string, { state: "started"; node: NodeId }> = {};
  const reports: Record<number, Record<string, LocalState>> = {};
  for (const each of text.split(" ").filter((word) => word !== "")) {
    const [name = "", node = "1"] = each.split("@");
    services[`exec:${name}`] = { state: "started", node: nodeId(Number(node)) };
    (reports[Number(node)] ??= {})[`exec:${name}`] = "running";
  }
  return { services, reports };
}

/** `a started@1 b relocate@1>2`. */
function told({ services }: ManagerStatus): string {
  return [...services].sort().map(([id, { state, node, target }]) =>
    `${id.slice(5)} ${state}@${node ?? "-"}${target === null ? "" : `>${target}`}`
  ).join(" ");
}

interface Row {
  readonly rules: readonly string[];
  readonly of: string;
  readonly at?: string;
  readonly scene?: Scene;
  readonly becomes: string;
}

const PAIR = "resources=exec:a,exec:b";
const strict = "node-affinity n resources=exec:a nodes=nodeB strict=1";
const tiers = "node-affinity n resources=exec:a nodes=nodeC:2,nodeB:1";
const near = `resource-affinity near ${PAIR} affinity=positive`;
const apart = `resource-affinity apart ${PAIR} affinity=negative`;
const order = `ordering o ${PAIR}`;
const out2: Scene = { nodes: { 2: { maintenance: true } } };
function dead(node: number): Scene {
  return { nodes: { [node]: { state: "dead", proof: "wait" } }, health: { [node]: "down" } };
}
function move(id: string, node: number): Scene {
  return { commands: [{ order: "migrate", id: resourceId(`exec:${id}`), node: nodeId(node) }] };
}

const TABLE: Readonly<Record<string, Row>> = {
  "strict: there and nowhere else": { rules: [strict], of: "a", becomes: "a started@2" },
  "strict: nobody may have it": { rules: [strict], of: "a", scene: out2, becomes: "a stopped@-" },
  "strict: it runs elsewhere": { rules: [strict], of: "a", at: "a@1", becomes: "a relocate@1>2" },
  "strict: it runs elsewhere, and may nowhere else": {
    ...{ rules: [strict], of: "a", at: "a@1", scene: out2, becomes: "a started@1" },
  },
  "strict: what does not run well yet is left alone": {
    ...{ rules: [strict], of: "a", at: "a@1", becomes: "a started@1" },
    scene: { reports: { 1: { "exec:a": "starting" } } },
  },
  "preferred: the highest that is there": { rules: [tiers], of: "a", becomes: "a started@3" },
  "preferred: the next": { rules: [tiers], of: "a", scene: dead(3), becomes: "a started@2" },
  "preferred: or any": {
    ...{ rules: [tiers], of: "a", becomes: "a started@1" },
    scene: { nodes: { 2: { maintenance: true }, 3: { maintenance: true } } },
  },
  "failback": { rules: [tiers], of: "a", at: "a@2", becomes: "a relocate@2>3" },
  "failback from a node that no rule names": {
    ...{ rules: [tiers], of: "a", at: "a@1", becomes: "a relocate@1>3" },
  },
  "no failback": { rules: [tiers], of: "a/failback=0", at: "a@2", becomes: "a started@2" },
  "no failback to where it failed": {
    ...{ rules: [tiers], of: "a", at: "a@2", becomes: "a started@2" },
    scene: { services: { "exec:a": { state: "started", node: nodeId(2), tried: [nodeId(3)] } } },
  },
  "no failback to a node in maintenance": {
    ...{ rules: [tiers], of: "a", at: "a@2", becomes: "a started@2" },
    scene: { nodes: { 3: { maintenance: true } } },
  },
  "equal priorities: it stays": {
    rules: ["node-affinity n resources=exec:a nodes=nodeA,nodeB"],
    ...{ of: "a", at: "a@2", becomes: "a started@2" },
  },
  "a leaning draws, and moves nothing": {
    rules: ["node-affinity n resources=exec:a,exec:b nodes=nodeC weight=30"],
    ...{ of: "a b", at: "a@1", becomes: "a started@1 b started@3" },
  },
  "a leaning gives way to a better score": {
    rules: ["node-affinity n resources=exec:a nodes=nodeC weight=30"],
    ...{ of: "a", becomes: "a started@1", scene: { vitals: { 3: { memory: 0.5 } } } },
  },
  "together: placed in one round": { rules: [near], of: "a b", becomes: "a started@1 b started@1" },
  "together: beside the one that runs": {
    ...{ rules: [near], of: "a b", at: "b@3", becomes: "a started@3 b started@3" },
  },
  "together: the fewer come": {
    rules: ["resource-affinity near resources=exec:a,exec:b,exec:c affinity=positive"],
    ...{ of: "a b c", at: "a@1 b@2 c@2", becomes: "a relocate@1>2 b started@2 c started@2" },
  },
  "together: one failed there, both go": {
    ...{ rules: [near], of: "a b", at: "a@1 b@1", becomes: "a started@1 b relocate@1>2" },
    scene: { reports: { 1: { "exec:a": "running", "exec:b": "failed" } } },
  },
  "together: an order for one is one for both": {
    ...{ rules: [near], of: "a b", at: "a@1 b@1", scene: move("b", 3) },
    becomes: "a relocate@1>3 b relocate@1>3",
  },
  "together: maintenance takes both to one node": {
    ...{ rules: [near], of: "a b", at: "a@2 b@2", scene: out2 },
    becomes: "a relocate@2>1 b relocate@2>1",
  },
  "together: they fail back together": {
    rules: [near, "node-affinity n resources=exec:b nodes=nodeC"],
    ...{ of: "a b", at: "a@1 b@1", becomes: "a relocate@1>3 b relocate@1>3" },
  },
  "together: one that may not fail back holds the other": {
    rules: [near, "node-affinity n resources=exec:b nodes=nodeC"],
    ...{ of: "a/failback=0 b", at: "a@1 b@1", becomes: "a started@1 b started@1" },
  },
  "apart: placed in one round": { rules: [apart], of: "a b", becomes: "a started@1 b started@2" },
  "apart: found on one node": {
    ...{ rules: [apart], of: "a b", at: "a@1 b@1", becomes: "a relocate@1>2 b started@1" },
  },
  "apart: not where the other may run still": {
    rules: [apart],
    ...{ of: "a b/state=stopped", at: "b@2", becomes: "a started@1 b request_stop@2" },
    scene: { nodes: { 3: { maintenance: true } }, vitals: { 1: { load: 0.9 } } },
  },
  "apart: no node is left": {
    ...{ rules: [apart], of: "a b", at: "b@1", becomes: "a stopped@- b started@1" },
    scene: { nodes: { 2: { maintenance: true }, 3: { maintenance: true } } },
  },
  "apart: no order brings them together": {
    ...{ rules: [apart], of: "a b", at: "a@1 b@2", scene: move("a", 2) },
    becomes: "a started@1 b started@2",
  },
  "apart by a leaning: together where nothing else is left": {
    rules: [`resource-affinity soft ${PAIR} affinity=negative weight=50`],
    ...{ of: "a b", becomes: "a started@1 b started@1" },
    scene: { nodes: { 2: { maintenance: true }, 3: { maintenance: true } } },
  },
  "apart by a leaning: apart where that is possible": {
    rules: [`resource-affinity soft ${PAIR} affinity=negative weight=50`],
    ...{ of: "a b", becomes: "a started@1 b started@3", scene: { vitals: { 2: { load: 0.6 } } } },
  },
  "order: the second waits": { rules: [order], of: "a b", becomes: "a started@1 b stopped@-" },
  "order: against the names": {
    rules: ["ordering o resources=exec:b,exec:a"],
    ...{ of: "a b", becomes: "a stopped@- b started@1" },
  },
  "order: the first runs": {
    ...{ rules: [order], of: "a b", at: "a@1", becomes: "a started@1 b started@2" },
  },
  "order: the first is not wanted": {
    ...{ rules: [order], of: "a/state=stopped b", becomes: "a stopped@- b started@1" },
  },
  "order, strict: the first is not wanted": {
    rules: [`${order} strict=1`],
    ...{ of: "a/state=stopped b", becomes: "a stopped@- b stopped@-" },
  },
  "order: what runs is not stopped": {
    rules: [`${order} strict=1`],
    ...{ of: "a/state=stopped b", at: "b@2", becomes: "a stopped@- b started@2" },
  },
  "order to a node that a strict rule closes": {
    ...{ rules: [strict], of: "a", at: "a@2", scene: move("a", 3), becomes: "a started@2" },
  },
  "order away from the highest priority": {
    ...{ rules: [tiers], of: "a", at: "a@3", scene: move("a", 2), becomes: "a started@3" },
  },
  "order away from it, and it may stay there": {
    ...{ rules: [tiers], of: "a/failback=0", at: "a@3", scene: move("a", 2) },
    becomes: "a relocate@3>2",
  },
  "two orders: the last one counts": {
    ...{ rules: [], of: "a", at: "a@1", becomes: "a relocate@1>3" },
    scene: { commands: [...move("a", 2).commands ?? [], ...move("a", 3).commands ?? []] },
  },
  "a rule that is off": {
    ...{ rules: [`${strict} disable=1`], of: "a", at: "a@1", becomes: "a started@1" },
  },
};

for (const [what, { rules, of, at = "", scene = {}, becomes }] of Object.entries(TABLE)) {
  Deno.test(`plan(): ${what}`, () => {
    const quiet = running(at);
    const next = plan(sceneOf({
      ...{ resources: resources(of), rules: rules.map(section).join("") },
      ...quiet,
      ...scene,
    }));
    assert.equal(told(next.status), becomes);
  });
}

Deno.test("plan() says what an order is refused for", () => {
  const scene = { resources: resources("a"), rules: section(strict), ...running("a@2") };
  const { said } = plan(sceneOf({ ...scene, ...move("a", 3) }));
  assert.deepEqual(said.map(({ because }) => because.code), ["ha.order-refused"]);
});

Deno.test("plan() says of every order that is about nothing that it is dropped", () => {
  const services = { "exec:a": { state: "error", node: nodeId(1) } } as const;
  const scene = sceneOf({ resources: resources("a b"), services, health: { 3: "down" } });
  const orders = [move("a", 2), move("b", 2), move("c", 2)].flatMap(({ commands = [] }) =>
    commands
  );
  const dead = [1, 2, 3].map((node) => ({ order: "confirm-dead", node: nodeId(node) } as const));
  const { said } = plan({ ...scene, commands: [...orders, ...dead] });
  assert.deepEqual(
    said.filter(({ text }) => text.includes("dropped")).map(({ because }) => because.args.why),
    ["its state is error", "it is not placed yet", "nobody defines it"]
      .concat("nodeA is alive", "nodeB is alive"),
  );
});

Deno.test("plan() places the higher priority first", () => {
  const scene = { resources: resources("a b/priority=9"), rules: section(apart), ...out2 };
  const only = { ...scene, nodes: { 2: { maintenance: true }, 3: { maintenance: true } } };
  assert.equal(told(plan(sceneOf(only)).status), "a stopped@- b started@1");
});

// ----------------------------------------------------------------------------- properties

const someNode = fc.integer({ min: 1, max: 3 });
const pick = fc.subarray(["exec:a", "exec:b", "exec:c"], { minLength: 2 });
const rule = fc.oneof(
  fc.record({
    of: fc.subarray(["exec:a", "exec:b", "exec:c"], { minLength: 1 }),
    strict: fc.boolean(),
  })
    .chain(({ of, strict }) =>
      fc.subarray(["nodeA", "nodeB:2", "nodeC:3"], { minLength: 1 }).map((nodes) =>
        `node-affinity R resources=${of} nodes=${nodes}${strict ? " strict=1" : ""}`
      )
    ),
  pick.chain((of) =>
    fc.constantFrom("positive", "negative", "negative weight=20").map((affinity) =>
      `resource-affinity R resources=${of} affinity=${affinity}`
    )
  ),
  pick.map((of) => `ordering R resources=${of}`),
);
const state = fc.constantFrom(
  ...["stopped", "started", "request_stop", "relocate", "fence", "recovery", "error"] as const,
);
const world = fc.record({
  rules: fc.array(rule, { maxLength: 4 }).map((all) =>
    all.map((each, at) => section(each.replace(" R ", ` r${at} `))).join("")
  ),
  services: fc.array(fc.option(fc.record({ state, node: someNode, target: someNode })), {
    ...{ minLength: 3, maxLength: 3 },
  }),
  local: fc.array(fc.constantFrom("running", "stopped", "failed" as LocalState), {
    ...{ minLength: 3, maxLength: 3 },
  }),
  nodes: fc.array(fc.constantFrom("well", "well", "well", "maintenance", "dead"), {
    ...{ minLength: 3, maxLength: 3 },
  }),
  orders: fc.array(fc.record({ name: fc.constantFrom(...NAMES), node: someNode }), {
    maxLength: 2,
  }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function sceneIn({ rules, services, local, nodes, orders }: World): Scene {
  const entries: NonNullable<Scene["services"]> = Object.fromEntries(
    services.flatMap((each, at) =>
      each === null ? [] : [[`exec:${NAMES[at]}`, {
        state: each.state,
        node: each.state === "stopped" ? null : nodeId(each.node),
        target: each.state === "relocate" ? nodeId(each.target) : null,
      }]]
    ),
  );
  const reports: Record<number, Record<string, LocalState>> = { 1: {}, 2: {}, 3: {} };
  services.forEach((each, at) => {
    const report = each === null ? undefined : reports[each.node];
    if (report !== undefined) report[`exec:${NAMES[at]}`] = local[at] ?? "running";
  });
  return {
    ...{ rules, services: entries, reports, resources: resources("a b c") },
    nodes: Object.fromEntries(nodes.map((each, at) => [
      at + 1,
      each === "dead" ? { state: "dead", proof: "wait" } : { maintenance: each === "maintenance" },
    ])),
    // Our own node is never down.
    health: Object.fromEntries(
      nodes.map((each, at) => [at + 1, each === "dead" ? "down" : "online"]),
    ),
    commands: orders.map(({ name, node }) => ({
      ...{ order: "migrate", id: resourceId(`exec:${name}`), node: nodeId(node) },
    })),
  };
}

/** Where it runs, may run, or is to run. */
function placesIn(status: ManagerStatus, id: ResourceId): readonly NodeId[] {
  const entry = status.services.get(id);
  if (entry === undefined || entry.state === "stopped") return [];
  return [entry.node, entry.target].flatMap((each) => each ?? []);
}

Deno.test("plan() never sends anything where a strict rule forbids, and loses nothing", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const scene = sceneOf(sceneIn(drawn));
      const book = new RuleBook(readRules(drawn.rules));
      const { status } = plan(scene);
      for (const name of NAMES) {
        const id = resourceId(`exec:${name}`);
        const before = placesIn(scene.status, id);
        const added = placesIn(status, id).filter((node) => !before.includes(node));
        assert.ok(status.services.has(id), `${id} is lost`);
        const { nodeRules, apart } = book.bound(id);
        for (const node of added) {
          const host = scene.spec.members.find((member) => member.id === node)?.name ?? "";
          for (const each of nodeRules) assert.ok(each.nodes.has(host), `${id} on ${host}`);
          for (const each of apart.filter(({ resources }) => resources.includes(id))) {
            for (const other of each.resources.filter((one) => one !== id)) {
              const there = placesIn(status, other).includes(node);
              const entry = status.services.get(other);
              const gone = entry?.state === "error" || entry?.state === "recovery";
              assert.ok(!there || gone, `${id} and ${other} on ${host}`);
            }
          }
        }
      }
    }),
    { numRuns: RUNS },
  );
});

/** Plays what the agents do with a plan until nothing changes; null where it never ends. */
function settled(drawn: World): ManagerStatus | null {
  let scene = sceneOf({ ...sceneIn(drawn), commands: [] });
  for (let round = 0; round < 40; round++) {
    const { status } = plan(scene);
    const reports = new Map<NodeId, Record<string, LocalState>>();
    for (const [id, { state: now, node }] of status.services) {
      if (now !== "started" || node === null) continue;
      reports.set(node, { ...reports.get(node), [id]: "running" });
    }
    const same = told(status) === told(scene.status);
    const given = Object.fromEntries([1, 2, 3].map((id) => [id, reports.get(nodeId(id)) ?? {}]));
    const now = sceneOf({ ...sceneIn(drawn), commands: [], reports: given });
    const health = scene;
    scene = { ...now, status, present: now.present, report: now.report, health: health.health };
    if (same && round > 0) return status;
  }
  return null;
}

Deno.test("plan() comes to rest under any rules, and then they hold wherever they can", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const status = settled(drawn);
      assert.ok(status !== null, "it moves for ever");
      const book = new RuleBook(readRules(drawn.rules));
      for (const name of NAMES) {
        const group = book.together(resourceId(`exec:${name}`));
        const nodes = group.flatMap((each) => {
          const entry = status.services.get(each);
          return entry?.state === "started" && entry.node !== null ? [entry.node] : [];
        });
        // Where no node may have them, or each of them failed somewhere, nothing moves.
        const { nodeRules } = book.bound(resourceId(`exec:${name}`));
        const able = drawn.nodes.some((each, at) =>
          each === "well" && nodeRules.every((rule) => rule.nodes.has(`node${"ABC".charAt(at)}`))
        );
        const failed = group.filter((each) => status.services.get(each)?.tried.length !== 0);
        const well = nodes.every((node) => drawn.nodes[node - 1] === "well");
        const stuck = !able || !well || failed.length > 1;
        assert.ok(
          stuck || new Set(nodes).size <= 1,
          `${group.join(" and ")} on ${nodes.join(" and ")}`,
        );
      }
    }),
    { numRuns: RUNS },
  );
});
