/** The story of a resource: out of what real managers wrote on the desk. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText } from "../../mod/base/bytes.ts";
import { resourceId } from "../../mod/base/id.ts";
import { COMMANDS_FILE, RESOURCES_FILE } from "../../mod/ha/files.ts";
import { STATUS_FILE } from "../../mod/ha/status.ts";
import {
  type FileChange,
  type StoryLine,
  storyOf,
  StoryReader,
  type WrittenStep,
} from "../../mod/ha/story.ts";
import { Desk, TIMING } from "./desk.ts";
import { WEB } from "./scene.ts";

/** What the desk's log holds, as a history gives it. */
function written(desk: Desk): WrittenStep[] {
  const now = new Map<string, Uint8Array | null>();
  return desk.log.map((changes, at) => {
    const of = (path: string): FileChange | null => {
      const change = changes.find((each) => each.path === path);
      if (change === undefined) return null;
      const before = now.get(path) ?? null;
      const after = change.kind === "file" ? change.data : null;
      now.set(path, after);
      return { before, after };
    };
    return {
      ...{ txn_id: at + 1, time: 1000 + at, author: "somebody" },
      ...{ status: of(STATUS_FILE), commands: of(COMMANDS_FILE), resources: of(RESOURCES_FILE) },
    };
  });
}

function tell(desk: Desk, id = WEB): readonly StoryLine[] {
  const reader = new StoryReader(id);
  // Read as the daemon does: the newest first.
  const steps = written(desk).reverse().map((step) => reader.read(step)).reverse();
  return storyOf(id, steps, (node) => desk.spec.members[node - 1]?.name ?? "?");
}

/** From the newest line of the resource to its first cause. */
function chain(lines: readonly StoryLine[]): string[] {
  const all: string[] = [];
  let at: number | null = lines.findLastIndex(({ about }) => about === "resource");
  while (at !== null) {
    const line: StoryLine | undefined = lines[at];
    all.push(`${line?.text} [${line?.code ?? line?.about}]`);
    at = line?.cause ?? null;
  }
  return all;
}

function formed(): Desk {
  const desk = new Desk(3);
  desk.run(2000);
  desk.define();
  desk.run(2000);
  return desk;
}

function ownerOf(desk: Desk): number {
  return desk.nodes.findIndex(({ running }) => running.has(WEB));
}

Deno.test("storyOf() says why it failed over, back to the silence of its node", () => {
  const desk = formed();
  const from = ownerOf(desk);
  const { name } = desk.node(from);
  if (from === 0) desk.leader = desk.node(1).id;
  desk.node(from).joined = false;
  desk.run(TIMING.deadMs + TIMING.fenceWaitMs + 3000);
  const to = desk.node(ownerOf(desk)).name;
  assert.notEqual(to, name);
  assert.deepEqual(chain(tell(desk)), [
    `fence on ${name} → started on ${to} [ha.placed]`,
    `${name}: fence → dead, proof=wait [ha.fence-wait]`,
    `${name}: online → fence [heartbeat.silent]`,
  ]);
  const lines = tell(desk);
  const fence = lines.find(({ code }) => code === "ha.node-fail");
  assert.equal(lines[fence?.cause ?? -1]?.code, "heartbeat.silent");
  assert.match(fence?.why ?? "", /is DOWN; exec:web waits for the proof/);
});

Deno.test("storyOf() names the order, the maintenance, the wish that something came of", () => {
  const desk = formed();
  const from = desk.node(ownerOf(desk)).name;
  const to = desk.nodes.find(({ name }) => name !== from)?.name ?? "";
  desk.write(COMMANDS_FILE, `migrate exec:web ${to}\n`);
  desk.run(2000);
  assert.deepEqual(chain(tell(desk)), [
    `relocate on ${from} → started on ${to} [ha.placed]`,
    `started on ${from} → relocate on ${from} [ha.migrated]`,
    `migrate exec:web ${to} [order]`,
  ]);
  desk.write(COMMANDS_FILE, `maintenance ${to} on\n`);
  desk.run(2000);
  const away = chain(tell(desk));
  assert.deepEqual(away.slice(1), [
    `started on ${to} → relocate on ${to} [ha.drained]`,
    `${to}: maintenance on [node]`,
    `maintenance ${to} on [order]`,
  ]);
  desk.define("state stopped");
  desk.run(2000);
  assert.deepEqual(chain(tell(desk)).slice(1), [
    "changed: command /bin/web, state stopped [definition]",
  ]);
});

Deno.test("storyOf() finds who was vouched for by a number, as a former member is", () => {
  const node = (state: string) =>
    `"2": {"state":"${state}","maintenance":false,"armed":true,"confirmed":true,"proof":"confirmed"}`;
  const web = (at: number, state: string) =>
    `"${WEB}": {"state":"${state}","node":${at},"target":null,"tried":[],"why":null}`;
  const status = (nodes: string, services: string) =>
    encodeText(`{"form":1,"nodes":{${nodes}},"services":{${services}}}`);
  const [fenced, dead, moved] = [
    status(node("fence"), web(2, "fence")),
    status(node("dead"), web(2, "fence")),
    status(node("dead"), web(1, "started")),
  ];
  for (const word of ["2", "#2"]) {
    const steps: WrittenStep[] = [
      { commands: { before: null, after: encodeText(`confirm-dead ${word}\n`) }, status: null },
      { commands: null, status: { before: fenced, after: dead } },
      { commands: null, status: { before: dead, after: moved } },
    ].map((step, at) => ({ txn_id: at + 1, time: at, author: "root", resources: null, ...step }));
    const reader = new StoryReader(WEB);
    const lines = storyOf(WEB, steps.map((step) => reader.read(step)), (id) => `node ${id}`);
    assert.deepEqual(chain(lines), [
      "fence on node 2 → started on node 1 [resource]",
      "node 2: fence → dead, proof=confirmed [node]",
      `confirm-dead ${word} [order]`,
    ]);
  }
});

Deno.test("storyOf() leaves out what is others', and the nodes that it was never on", () => {
  const desk = formed();
  desk.write(COMMANDS_FILE, "migrate exec:other nodeB\nmaintenance nodeC on\n");
  desk.run(2000);
  const at = desk.node(ownerOf(desk)).name;
  if (at !== "nodeC") assert.ok(!tell(desk).some(({ text }) => text.includes("nodeC: maint")));
  assert.ok(!tell(desk).some(({ text }) => text.includes("exec:other")));
  assert.deepEqual(tell(desk, resourceId("exec:we")), []);
});

Deno.test("StoryReader and storyOf() take whatever stands in the files", () => {
  const bytes = fc.option(fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(
      '{"form":1,"nodes":{},"services":{"exec:web":{"state":"started","node":1,"target":null,"tried":[]}}}',
      '{"form":1,"nodes":{"1":{"state":"fence"}},"services":{}}',
      '{"form":1,"nodes":{"1":{"state":"dead","proof":"wait"}},"services":{}}',
      "exec: web\n\tcommand x\n",
      "migrate exec:web nodeA\nmaintenance nodeA on\ndisarm\n",
    ).map((text) => new TextEncoder().encode(text)),
  ));
  const change = fc.option(fc.record({ before: bytes, after: bytes }));
  const step = fc.record({
    ...{ txn_id: fc.nat(), time: fc.nat(), author: fc.string() },
    ...{ status: change, commands: change, resources: change },
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const reader = new StoryReader(WEB);
    const lines = storyOf(WEB, steps.map((each) => reader.read(each)), String);
    for (const [at, { cause }] of lines.entries()) {
      assert.ok(
        cause === null || (cause >= 0 && cause < at),
        "a cause stands before what it led to",
      );
    }
  }));
});
