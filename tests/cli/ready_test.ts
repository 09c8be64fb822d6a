/** `pentad check reboot` and `check upgrade`: what would become of votes and resources, and its code. */
import assert from "node:assert/strict";
import { FORMATS } from "../../mod/base/formats.ts";
import type { Finding } from "../../mod/cli/check/finding.ts";
import {
  type Installed,
  rebootFindings,
  upgradeFindings,
  votesWithout,
} from "../../mod/cli/check/readiness.ts";
import type { StatusDocument } from "../../mod/node/view.ts";
import { healthy } from "../api/healthy.ts";
import { cli, withDaemon } from "./world.ts";

/** Three nodes and no disk, of which these are away. */
function three(change: Partial<StatusDocument> = {}, away: readonly string[] = []): StatusDocument {
  const pair = healthy();
  const [a, b] = pair.nodes;
  assert.ok(a !== undefined && b !== undefined);
  const nodes = [a, b, { ...b, name: "nodeC", id: 3 }].map((node) =>
    away.includes(node.name) ? { ...node, state: "dead" } : node
  );
  const present = 3 - away.length;
  return { ...pair, nodes, votes: { present, expected: 3, needed: 2 }, ...change };
}

const moved = {
  quorate: true,
  resources: [{
    ...{ id: "exec:web", state: "started", node: "nodeB" },
    ...{ why: "", runs: true, wanted: true },
  }],
};

function told(findings: readonly Finding[], level: Finding["level"]): string[] {
  return findings.filter((each) => each.level === level).map(({ check }) => check);
}

Deno.test("votesWithout() counts who is heard, and what is left for a shared disk", () => {
  const left = (status: StatusDocument, name: string) => votesWithout(status, name).left;
  assert.equal(left(three(), "nodeA"), 2);
  assert.equal(left(three({}, ["nodeC"]), "nodeA"), 1);
  assert.equal(left(three({}, ["nodeC"]), "nodeC"), 2);
  // Of a pair with a disk one vote is left, and the disk's.
  assert.deepEqual(votesWithout(healthy(), "nodeB"), { left: 2, needed: 2, witness: 1 });
  const pair = { ...healthy(), votes: { present: 2, expected: 2, needed: 2 } };
  assert.deepEqual(votesWithout(pair, "nodeA"), { left: 1, needed: 2, witness: 0 });
  // A learner has no vote to leave behind.
  const learning = three();
  const nodes = learning.nodes.map((each) => each.name === "nodeC" ? { ...each, vote: 0 } : each);
  const votes = { present: 2, expected: 2, needed: 2 };
  assert.equal(left({ ...learning, nodes, votes }, "nodeA"), 1);
});

Deno.test("a reboot is well where the others have a majority and take over, and it comes back", () => {
  const found = rebootFindings(three(), moved, true);
  assert.deepEqual(told(found, "fail"), []);
  assert.deepEqual(told(found, "warn"), []);
  const whats = found.map(({ what }) => what).join("\n");
  assert.match(whats, /without it 2 votes are there, and 2 are needed/);
  assert.match(whats, /exec:web moves to nodeB/);
  assert.match(whats, /it leads, and hands over/);
  assert.match(whats, /pentad node drain nodeA --reboot/);
});

Deno.test("each thing that stands against a reboot is one finding with a remedy", () => {
  const lost = { ...moved, resources: moved.resources.map((each) => ({ ...each, runs: false })) };
  const disarmed: StatusDocument["ha"] = { mode: "disarmed", unguarded: [] };
  const readOnly = { ...healthy().config, writable: false };
  const table: [string, readonly Finding[], string[]][] = [
    ["no quorum", rebootFindings(three({ quorate: false }), moved, null), ["quorum"]],
    ["read-only", rebootFindings(three({ config: readOnly }), moved, null), ["quorum"]],
    ["one is away", rebootFindings(three({}, ["nodeC"]), moved, null), ["votes"]],
    ["it runs nowhere", rebootFindings(three(), lost, null), ["resources"]],
    ["disarmed", rebootFindings(three({ ha: disarmed }), null, null), ["resources"]],
    ["not enabled", rebootFindings(three(), moved, false), ["boot"]],
  ];
  for (const [what, found, wanted] of table) {
    assert.deepEqual(told(found, "fail"), wanted, what);
    for (const { level, fix } of found) assert.equal(fix === "", level === "ok", what);
  }
  assert.deepEqual(told(rebootFindings(three({}, ["nodeC"]), moved, null), "warn"), ["others"]);
  // What runs elsewhere and would be lost too is told, what stays there is not.
  const elsewhere = three({
    resources: [...three().resources, {
      ...three().resources[0],
      id: "exec:db",
      node: "nodeB",
    }] as StatusDocument["resources"],
  });
  const [web] = moved.resources;
  const both = (runs: boolean) => ({ ...moved, resources: [web, { ...web, id: "exec:db", runs }] });
  const texts = (runs: boolean) =>
    rebootFindings(elsewhere, both(runs) as typeof moved, null).map(({ what }) => what).join("\n");
  assert.doesNotMatch(texts(true), /exec:db/);
  assert.match(texts(false), /exec:db would run nowhere/);
  const free = { ...healthy(), cluster: null, node: null, nodes: [] };
  assert.deepEqual(told(rebootFindings(free, null, null), "fail"), []);
});

const here: Installed = { version: "1.0.0", formats: FORMATS, managed: true, freeBytes: 10 ** 9 };
const next = { version: "1.1.0", formats: FORMATS, bytes: 10 ** 8 };

Deno.test("an upgrade is well where the file fits, and nobody freezes while the daemon restarts", () => {
  const found = upgradeFindings(three(), here, next);
  assert.deepEqual([told(found, "fail"), told(found, "warn")], [[], []]);
  assert.match(found.map(({ what }) => what).join("\n"), /it is pentad 1.1.0; in use is 1.0.0/);
  assert.deepEqual(told(upgradeFindings(three(), here, null), "warn"), []);
});

Deno.test("each thing that stands against an upgrade is one finding with a remedy", () => {
  const speaks = { ...next, formats: { ...FORMATS, peer: FORMATS.peer + 1 } };
  const stores = { ...next, formats: { ...FORMATS, database: FORMATS.database + 1 } };
  const pair = { ...healthy(), votes: { present: 2, expected: 2, needed: 2 } };
  const table: [string, readonly Finding[], string[], string[]][] = [
    ["it speaks otherwise", upgradeFindings(three(), here, speaks), ["formats"], []],
    ["no way back", upgradeFindings(three(), here, stores), [], ["formats"]],
    ["no room", upgradeFindings(three(), { ...here, freeBytes: 10 ** 8 }, next), ["space"], []],
    ["the same", upgradeFindings(three(), here, { ...next, version: "1.0.0" }), [], ["file"]],
    ["by hand", upgradeFindings(three(), { ...here, managed: false }, next), [], ["install"]],
    ["a pair alone", upgradeFindings(pair, here, next), [], ["restart"]],
    ["no quorum", upgradeFindings(three({ quorate: false }), here, next), ["quorum"], []],
  ];
  for (const [what, found, failed, warned] of table) {
    assert.deepEqual([told(found, "fail"), told(found, "warn")], [failed, warned], what);
    for (const { level, fix } of found) assert.equal(fix === "", level === "ok", what);
  }
});

Deno.test("check reboot and check upgrade ask the daemon, and end with 0, 3, 5 or 7", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-ready-" });
  const file = `${folder}/next`;
  const said = { schema: "pentad.version/1", version: "9.9.9", formats: FORMATS };
  Deno.writeTextFileSync(file, `#!/bin/sh\necho '${JSON.stringify(said)}'\n`, { mode: 0o755 });
  try {
    await withDaemon(async ({ node, cli }) => {
      await cli(["ha", "add", "exec:web", "--command", "x"]);
      const good = await cli(["check", "reboot", "--json"]);
      const { schema, what, ok, findings } = JSON.parse(good.out);
      assert.deepEqual([schema, what, ok], ["pentad.check-ready/1", "reboot", true]);
      assert.ok([0, 3].includes(good.code), good.err);
      const moves = findings.find((each: Finding) => each.check === "resources");
      assert.equal(moves?.what, "exec:web moves to nodeB");
      const upgrade = await cli(["check", "upgrade", file]);
      assert.ok([0, 3].includes(upgrade.code), upgrade.err);
      assert.match(upgrade.out, /it is pentad 9.9.9/);
      const before = node.document;
      node.document = { ...before, votes: { present: 2, expected: 2, needed: 2 } };
      const bad = await cli(["check", "reboot"]);
      assert.equal(bad.code, 7);
      assert.match(bad.out, /fail.*votes.*without it 1 votes are there, and 2 are needed.*fix: /);
      assert.equal((await cli(["check", "upgrade", `${folder}/none`])).code, 1);
      const odd = { ...said, formats: { ...FORMATS, beat: FORMATS.beat + 1 } };
      Deno.writeTextFileSync(file, `#!/bin/sh\necho '${JSON.stringify(odd)}'\n`);
      assert.equal((await cli(["check", "upgrade", file])).code, 7);
    });
    for (const words of [["check", "reboot"], ["check", "upgrade"]]) {
      const lonely = await cli(["--socket", `${folder}/none.sock`, ...words]);
      assert.equal(lonely.code, 5, lonely.err);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("who is away already is away in what is foreseen too", async () => {
  await withDaemon(async ({ node, cli }) => {
    const before = node.document;
    const states = (state: string) =>
      before.nodes.map((each) => each.self ? each : { ...each, state });
    for (
      const [state, wanted] of [
        ["online", []],
        ["maintenance", ["maintenance", "delay"]],
        ["dead", ["power", "delay"]],
        ["unknown", ["power", "delay"]],
      ] as const
    ) {
      node.document = { ...before, nodes: states(state) };
      const { events, witness } = JSON.parse((await cli(["simulate", "--show-input"])).out);
      assert.deepEqual(events.map(({ event }: { event: string }) => event), wanted, state);
      assert.equal(witness, true);
    }
  });
});
