/** `pentad simulate`, with a file and with the cluster as it is. */
import assert from "node:assert/strict";
import { readSimulation, simulationOf } from "../../mod/cli/simulation_file.ts";
import { simulate } from "../../mod/sim/mod.ts";
import { cli, type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

const THREE = [{ name: "pve1", load: 0.2 }, { name: "pve2" }, { name: "pve3", memory: 0.5 }];
const APART = "resource-affinity: apart\n\tresources exec:web,exec:db\n\taffinity negative\n";

function fileOf(more: object = {}): string {
  return JSON.stringify({
    ...{ profile: "fast", nodes: THREE, rules: APART, seconds: 10 },
    resources: [{ id: "exec:web", node: "pve1" }, { id: "exec:db", node: "pve3" }],
    events: [{ event: "power", node: "pve1", to: "off" }],
    ...more,
  });
}

Deno.test("simulate() begins where resources are, keeps rules, and says who was fenced and why", () => {
  const { lines, resources, fenced, quorate } = simulate(simulationOf(readSimulation(fileOf())));
  assert.deepEqual(
    resources.map(({ id, node, runs }) => [id, node, runs]),
    [["exec:db", "pve3", true], ["exec:web", "pve2", true]],
  );
  assert.deepEqual([fenced, quorate], [["pve1"], true]);
  const codes = lines.map(({ because }) => because?.code);
  for (const code of ["ha.node-fail", "ha.fence-wait", "ha.placed"] as const) {
    assert.ok(codes.includes(code), code);
  }
});

Deno.test("simulate() runs machines where they are, and takes them over", () => {
  const resources = [{ id: "vm:100", node: "pve1" }, { id: "vm:101" }, { id: "exec:web" }];
  const events = [
    { event: "define", id: "vm:102", properties: {} },
    { at: 3, event: "power", node: "pve1", to: "off" },
  ];
  const file = fileOf({ resources, events, rules: "" });
  const ran = simulate(simulationOf(readSimulation(file)));
  assert.deepEqual(ran.violations, []);
  assert.deepEqual(ran.resources.map(({ id, runs }) => [id, runs]), [
    ...[["exec:web", true], ["vm:100", true], ["vm:101", true], ["vm:102", true]],
  ]);
  assert.ok(ran.resources.every(({ node }) => node !== "pve1"));
});

Deno.test("simulate() plays each kind of event, and the same file always alike", () => {
  const events = [
    { event: "migrate", id: "exec:web", node: "pve2" },
    { at: 3, event: "maintenance", node: "pve2", to: "on" },
    { event: "delay", seconds: 3 },
    { event: "maintenance", node: "pve2", to: "off" },
    { event: "service", id: "exec:db", state: "stopped" },
    { at: 10, event: "network", node: "pve3", to: "off" },
    { at: 18, event: "network", node: "pve3", to: "on" },
    { at: 22, event: "shutdown", node: "pve1", how: "poweroff" },
    { at: 24, event: "power", node: "pve1", to: "off" },
  ];
  const play = () => simulate(simulationOf(readSimulation(fileOf({ events }))));
  const first = play();
  assert.deepEqual(play(), first);
  assert.deepEqual(first.violations, []);
  const [db, web] = first.resources;
  assert.deepEqual([db?.runs, db?.wanted, web?.runs, web?.node], [false, false, true, "pve2"]);
  assert.ok(first.fenced.includes("pve3"));
});

const REFUSED: readonly (readonly [object, RegExp])[] = [
  [{ nodes: [] }, /nodes: /],
  [{ nodes: [...THREE, { name: "pve1" }] }, /a name is there twice/],
  [{ extra: 1 }, /extra/],
  [{ resources: [{ id: "web" }] }, /resources\.0\.id: must be kind:name/],
  [{ events: [{ event: "power", node: "pve9", to: "off" }] }, /events\.0: there is no "pve9"/],
  [{ events: [{ event: "migrate", id: "exec:no", node: "pve1" }] }, /there is no "exec:no"/],
  [{ events: [{ event: "flood" }] }, /events\.0/],
  [{ events: [{ event: "disk", node: "pve1", to: "hung" }] }, /only a witness/],
  [{ nodes: [{ name: "pve1", load: 7 }] }, /nodes\.0\.load/],
];
for (const [more, expected] of REFUSED) {
  Deno.test(`readSimulation() refuses ${JSON.stringify(more).slice(0, 60)}`, () => {
    assert.throws(() => readSimulation(fileOf(more)), expected);
  });
}

Deno.test("pentad simulate reads a file without a daemon, and prints or answers JSON", async () => {
  const files = { "pair.json": fileOf(), "bad.json": "{" };
  const human = { terminal: true, env: { NO_COLOR: "1" }, files };
  const page = done(await cli(["simulate", "pair.json"], human)).out;
  assert.match(page, /> power pve1 off/);
  assert.match(page, /exec:web +started ✓ +pve2/);
  assert.match(page, /fenced: pve1\n$/);
  const answer = JSON.parse(done(await cli(["simulate", "pair.json", "--json"], { files })).out);
  assert.equal(answer.schema, "pentad.simulation/1");
  assert.match((await cli(["simulate", "bad.json"], { files })).err, /is not JSON/);
  assert.match((await cli(["simulate", "none.json"], { files })).err, /cannot read "none.json"/);
  const schema = JSON.parse(done(await cli(["simulate", "--schema"])).out);
  assert.ok("nodes" in schema.properties && "events" in schema.properties);
});

Deno.test("what runs nowhere in the end is told by exit code 3", async () => {
  const alone = fileOf({
    rules: "node-affinity: only\n\tresources exec:web\n\tnodes pve1\n\tstrict 1\n",
  });
  const ran = await cli(["simulate", "-"], { input: alone });
  assert.equal(ran.code, 3, ran.err);
  assert.match(ran.out, /no node may run exec:web: pve2 is closed by rule "only"/);
});

Deno.test("the cluster as it is: simulate, --dry-run and ok-to-stop change nothing", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const before = node.text("ha/resources.cfg");
    const input = JSON.parse(done(await cli(["simulate", "--show-input"])).out);
    assert.deepEqual(input.nodes.map(({ name }: { name: string }) => name), ["nodeA", "nodeB"]);
    const dry = async (code: number, ...words: string[]) => {
      const ran = await cli([...words, "--dry-run"]);
      assert.equal(ran.code, code, ran.err);
      return ran.out;
    };
    for (const verb of ["migrate", "relocate"]) {
      const moved = await dry(10, "ha", verb, "exec:web", "nodeB");
      assert.match(moved, /exec:web moves from nodeA to nodeB: asked for by a person/);
    }
    assert.match(await dry(10, "node", "maintenance", "nodeA"), /nodeA is in maintenance/);
    assert.match(await dry(10, "ha", "stop", "exec:web"), /exec:web is wanted stopped/);
    assert.match(await dry(10, "ha", "remove", "exec:web"), /exec:web is wanted removed/);
    assert.match(await dry(10, "ha", "set", "exec:web", "--state", "disabled"), /wanted disabled/);
    const more = await dry(10, "ha", "add", "ip:10.0.0.9", "--cidr", "24");
    assert.match(more, /define ip:10.0.0.9 state=started cidr=24/);
    assert.match(more, /ip:10.0.0.9 started on node/);
    await dry(0, "ha", "start", "exec:web");
    await dry(0, "ha", "set", "exec:web", "--max-restart", "3");
    await dry(9, "ha", "stop", "exec:none");
    await dry(9, "ha", "set", "exec:none", "--max-restart", "3");
    const witnessed = node.document;
    const stop = done(await cli(["node", "ok-to-stop", "nodeA"]));
    assert.match(stop.err, /"nodeA" may be stopped/, "the disk has a vote");
    node.document = { ...witnessed, votes: { present: 2, expected: 2, needed: 2 } };
    const alone = await cli(["node", "ok-to-stop", "nodeA"]);
    assert.equal(alone.code, 7);
    assert.match(alone.err, /the others have 1 votes then, and 2 are needed/);
    node.document = witnessed;
    assert.match((await cli(["simulate", "--power-off", "nodeZ"])).err, /is no node of it/);
    assert.equal(node.text("ha/resources.cfg"), before);
    assert.equal(node.text("ha/crm_commands"), "");
  });
});

Deno.test("the cluster as it is: the dead stay dead in a simulation, and a learner has no vote", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const [first, second] = node.document.nodes;
    assert.ok(first && second);
    const third = { ...second, name: "nodeC", id: 3, resources: [] };
    const set = (nodeB: object, nodeC: object) => {
      const nodes = [first, { ...second, ...nodeB }, { ...third, ...nodeC }];
      const expected = nodes.reduce((sum, { vote }) => sum + vote, 0);
      const needed = Math.floor(expected / 2) + 1;
      node.document = { ...node.document, nodes, votes: { present: expected, expected, needed } };
    };
    set({}, {});
    done(await cli(["node", "ok-to-stop", "nodeB"]));
    for (const state of ["down", "unknown", "isolated", "stopping"]) {
      set({}, { state });
      const stop = await cli(["node", "ok-to-stop", "nodeB"]);
      assert.equal(stop.code, 7, state);
      assert.match(stop.err, /the others have \d votes then, and \d are needed/);
      done(await cli(["node", "ok-to-stop", "nodeC"]));
    }
    const lost = await cli(["simulate", "--power-off", "nodeB"]);
    assert.equal(lost.code, 3);
    assert.match(lost.out, /> power nodeC off.*> power nodeB off.*no quorum is left/s);
    set({}, { role: "learner", vote: 0 });
    assert.equal((await cli(["node", "ok-to-stop", "nodeB"])).code, 7);
    set({ state: "maintenance" }, {});
    assert.match(done(await cli(["node", "ok-to-stop", "nodeA"])).out, /exec:web\tstarted\tnodeC/);
    // What runs nowhere now is not lost by it.
    done(await cli(["ha", "add", "exec:ill", "--command", "x"]));
    const only = ["--resources", "exec:ill", "--nodes", "nodeB", "--strict", "1"];
    done(await cli(["ha", "rules", "add", "node-affinity", "only", ...only]));
    set({}, {});
    const [web] = node.document.resources;
    assert.ok(web);
    const ill = (state: string) => ({ ...web, id: "exec:ill", node: "nodeB", state });
    node.document = { ...node.document, resources: [web, ill("started")] };
    assert.match((await cli(["node", "ok-to-stop", "nodeB"])).err, /exec:ill would run nowhere/);
    node.document = { ...node.document, resources: [web, ill("error")] };
    done(await cli(["node", "ok-to-stop", "nodeB"]));
    done(await cli(["ha", "rules", "remove", "only"]));
    done(await cli(["ha", "remove", "exec:ill"]));
    // A pair with a disk that has a vote.
    const storage = (state: "ok" | "degraded") => [{ name: "storage" as const, state, now: "" }];
    node.document = {
      ...{ ...node.document, nodes: [first, second], streams: storage("ok") },
      votes: { present: 2, expected: 3, needed: 2 },
    };
    done(await cli(["node", "ok-to-stop", "nodeA"]));
    node.document = { ...node.document, streams: storage("degraded") };
    assert.equal((await cli(["node", "ok-to-stop", "nodeA"])).code, 7);
    const nodes = [first, { ...second, state: "down" }];
    node.document = { ...node.document, nodes, streams: storage("ok") };
    assert.equal((await cli(["node", "ok-to-stop", "nodeA"])).code, 7);
  });
});

Deno.test("docs/simulate.md: the file is played as it says, and each kind of event is in it", async () => {
  const text = Deno.readTextFileSync(new URL("../../docs/simulate.md", import.meta.url));
  const blockOf = (kind: string) => text.split(`\`\`\`${kind}\n`)[1]?.split("\n```")[0] ?? "";
  const { out } = done(await cli(["simulate", "-"], { input: blockOf("json") }));
  assert.equal(out.trimEnd(), blockOf("text"));
  const { events } = JSON.parse(done(await cli(["simulate", "--schema"])).out).properties;
  const kinds = events.items.oneOf.map((each: { properties: { event: { const: string } } }) =>
    each.properties.event.const
  );
  const told = [...text.matchAll(/^\| `([a-z-]+)` \| .* \| .* \|$/gm)].map(([, kind]) => kind);
  assert.deepEqual(kinds.filter((kind: string) => !told.includes(kind)), []);
});
