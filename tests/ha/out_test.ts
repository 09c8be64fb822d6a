/** Who was put out by force may run anything: nothing starts before a person has vouched for it. */
import assert from "node:assert/strict";
import { decodeText, encodeText } from "../../mod/base/bytes.ts";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { formatReason } from "../../mod/base/reason.ts";
import { parseCommand } from "../../mod/ha/commands.ts";
import { HaFiles, OUT_FILE } from "../../mod/ha/files.ts";
import { planNodes } from "../../mod/ha/node_plan.ts";
import { plan } from "../../mod/ha/plan.ts";
import { instant } from "../../mod/base/time.ts";
import type { Change } from "../../mod/streams.ts";
import { Desk, specOf, TIMING } from "./desk.ts";
import { sceneOf, WEB } from "./scene.ts";

const OUT = new Map([[nodeId(2), "nodeB"], [nodeId(3), "nodeC"]]);

function fileOf(text: string | null, kind: Change["kind"] = "file"): Change {
  const data = text === null ? null : encodeText(text);
  return { path: OUT_FILE, kind, version: 7, data, writer: nodeId(1) };
}

Deno.test("HaFiles reads who is out, and whatever it cannot read may be anybody", () => {
  const files = new HaFiles();
  const read = (change: Change) => {
    files.apply([change], 1, false);
    return [[...files.out.keys()].join(), files.outDamaged];
  };
  assert.deepEqual(read(fileOf("2 nodeB\n3 nodeC\n")), ["2,3", false]);
  assert.deepEqual(read(fileOf("")), ["", false]);
  assert.deepEqual(read(fileOf("2 nodeB\nwhat?\n")), ["2", true]);
  assert.deepEqual(read(fileOf("0 nodeB\n")), ["", true]);
  assert.deepEqual(read(fileOf(null, "directory")), ["", true]);
  assert.deepEqual(read(fileOf(null, "gone")), ["", false]);
});

Deno.test("parseCommand() lets former members be vouched for, by name or number, and nothing else", () => {
  const spec = specOf(1);
  const read = (line: string) => parseCommand(line, spec, OUT);
  assert.deepEqual(read("confirm-dead nodeB"), { order: "confirm-dead", node: 2 });
  assert.deepEqual(read("confirm-dead 3"), { order: "confirm-dead", node: 3 });
  assert.equal(read("confirm-dead nodeZ"), null);
  assert.equal(read("maintenance nodeB on"), null);
  assert.equal(read("migrate exec:web nodeB"), null);
  // Digits may be a name: then it goes first, and "#" is for the number.
  const named = { ...spec, members: spec.members.map((each) => ({ ...each, name: "3" })) };
  const call = (line: string) => parseCommand(line, named, new Map([...OUT, [nodeId(9), "2"]]));
  assert.deepEqual(call("confirm-dead 3"), { order: "confirm-dead", node: 1 });
  assert.deepEqual(call("confirm-dead #3"), { order: "confirm-dead", node: 3 });
  assert.deepEqual(call("confirm-dead 2"), { order: "confirm-dead", node: 9 });
  assert.deepEqual(call("confirm-dead #2"), { order: "confirm-dead", node: 2 });
  assert.equal(call("confirm-dead #1"), null, "a member is called by its name");
  assert.equal(call("maintenance #2 on"), null);
});

Deno.test("plan() gives nothing to anybody while one that was put out is not vouched for", () => {
  const scene = sceneOf({});
  const spec = { ...scene.spec, members: scene.spec.members.slice(0, 1) };
  const alone = { ...scene, spec, out: OUT };
  const held = plan(alone);
  assert.equal(held.status.services.get(WEB)?.state, "stopped");
  const why = held.status.services.get(WEB)?.why ?? null;
  assert.match(why === null ? "" : formatReason(why), /may run on nodeB, nodeC/);
  const again = { ...spec, members: spec.members.map((each) => ({ ...each, name: "nodeB" })) };
  const other = plan({ ...alone, spec: again }).status.services.get(WEB)?.why ?? null;
  assert.match(other === null ? "" : formatReason(other), /may run on 2 \(formerly nodeB\), nodeC/);
  const one = plan({ ...alone, commands: [{ order: "confirm-dead", node: nodeId(2) }] });
  assert.deepEqual([...one.out.keys()], [3]);
  assert.equal(one.status.services.get(WEB)?.state, "stopped");
  assert.equal(plan({ ...alone, out: new Map() }).status.services.get(WEB)?.state, "started");
});

Deno.test("planNodes() keeps a former member with resources in fence until a person vouches for it", () => {
  const services = { "exec:web": { state: "started", node: nodeId(2) } } as const;
  const scene = sceneOf({ services });
  const spec = { ...scene.spec, members: scene.spec.members.slice(0, 1) };
  const former = { ...scene, spec };
  const quiet = () => {};
  assert.equal(planNodes(former, quiet).get(nodeId(2))?.state, "fence");
  assert.equal(planNodes(former, quiet).has(nodeId(3)), false, "nothing is there");
  const commands = [{ order: "confirm-dead", node: nodeId(2) }] as const;
  const first = planNodes({ ...former, commands }, quiet);
  assert.equal(first.get(nodeId(2))?.state, "fence", "the word is kept, and not acted on at once");
  const status = { ...former.status, nodes: first };
  const early = { ...former, status, goneFor: () => TIMING.leaseMs + TIMING.slackMs - 1 };
  const waits = planNodes(early, quiet).get(nodeId(2));
  assert.equal(waits?.state, "fence", "it may have its lease still");
  assert.equal(waits?.confirmed, true, "the word is kept");
  const second = planNodes({ ...former, status }, quiet);
  assert.equal(second.get(nodeId(2))?.state, "dead");
  assert.equal(second.get(nodeId(2))?.proof, "confirmed");
});

Deno.test("a node that went on alone adopts what runs, starts nothing, and takes over when told", () => {
  const desk = new Desk(1);
  const kept = resourceId("exec:kept");
  desk.write("ha/resources.cfg", "exec: kept\n\tcommand run\n");
  desk.run(3000);
  assert.deepEqual([...desk.node(0).running], [kept]);
  desk.write(OUT_FILE, "2 nodeB\n");
  desk.write("ha/resources.cfg", "exec: web\n\tcommand run\n\nexec: kept\n\tcommand run\n");
  desk.run(3000);
  const node = desk.restart(0);
  desk.run(3000);
  assert.deepEqual([...node.running], [kept], "what runs goes on");
  assert.deepEqual(node.core.view().out, [{ node: 2, name: "nodeB" }]);
  desk.write("ha/crm_commands", "confirm-dead nodeB\n");
  desk.run(3000);
  assert.deepEqual([...node.running].sort(), [kept, WEB]);
  assert.deepEqual(node.core.view().out, []);
  // A member bears the name of one that was put out.
  desk.write(OUT_FILE, "2 nodeA\n");
  desk.run(3000);
  const request = { request: "ha.confirm-dead", tag: "t", node: nodeId(2) } as const;
  const [ask] = node.core.step({ kind: "request", request }, instant(desk.now));
  assert.ok(ask?.kind === "ask" && ask.request.request === "config.propose");
  const written = ask.request.transaction.operations.find(({ op }) => op === "write");
  assert.ok(written?.op === "write");
  assert.equal(decodeText(written.data), "confirm-dead #2\n");
});
