/** `pentad ha …` beyond definitions: orders and their outcome, the log, the whole stack. */
import assert from "node:assert/strict";
import { backAgain } from "../../mod/cli/commands/node_drain.ts";
import { healthy } from "../api/healthy.ts";
import { type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

/** What a command answered with --json: one object, nothing for people. */
function json(ran: Ran): Record<string, unknown> {
  done(ran);
  assert.equal(ran.err, "");
  return JSON.parse(ran.out);
}

const DONE = { schema: "pentad.done/1", done: true };

Deno.test("ha start, stop and relocate order it; with --wait they see to its end, and say how it ended", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const [web] = node.document.resources;
    assert.ok(web);
    const set = (change: Partial<typeof web>) => {
      node.document = { ...node.document, resources: [{ ...web, ...change }] };
    };
    const stop = done(await cli(["ha", "stop", "exec:web"]));
    assert.match(stop.err, /"exec:web" is wanted stopped; .*: pentad ha log exec:web/);
    assert.match(node.text("ha/resources.cfg"), /state stopped/);
    const late = await cli(["ha", "stop", "exec:web", "--wait", "1"]);
    assert.equal(late.code, 8, late.err);
    assert.match(late.err, /exec:web is started on nodeA \(placed\)/);
    set({ state: "stopped" });
    assert.match(done(await cli(["ha", "stop", "exec:web", "--wait", "9"])).err, /is stopped/);
    set({ state: "started", node: "nodeB" });
    const run = done(await cli(["ha", "start", "exec:web", "--wait", "9"]));
    assert.match(run.err, /"exec:web" runs on nodeB/);
    const there = done(await cli(["ha", "relocate", "exec:web", "nodeB", "--wait", "9"]));
    assert.match(there.err, /ordered: .*\n"exec:web" runs on nodeB/);
    assert.equal(node.text("ha/crm_commands"), "migrate exec:web nodeB cold\n");
    assert.deepEqual(
      json(await cli(["ha", "relocate", "exec:web", "nodeB", "--wait", "9", "--json"])),
      DONE,
    );
    set({ state: "error", reason: "it failed everywhere" });
    const failed = await cli(["ha", "relocate", "exec:web", "nodeB", "--wait", "9"]);
    assert.equal(failed.code, 1);
    assert.match(failed.err, /exec:web is error on nodeA \(it failed everywhere\)/);
    assert.ok(failed.err.includes("ha.not-reached"));
    for (const verb of ["start", "stop"]) {
      assert.equal((await cli(["ha", verb, "exec:none"])).code, 9);
    }
    done(await cli(["ha", "migrate", "exec:web", "nodeB"]));
    assert.match(node.text("ha/crm_commands") ?? "", /^migrate exec:web nodeB$/m);
    assert.equal((await cli(["ha", "relocate", "exec:web", "nodeZ"])).code, 9);
    set({ state: "stopped" });
    assert.equal((await cli(["ha", "remove", "exec:web", "--wait", "1"])).code, 8);
    node.document = { ...node.document, resources: [] };
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const removed = done(await cli(["ha", "remove", "exec:web", "--wait", "9"]));
    assert.match(removed.err, /nothing of "exec:web" runs any more/);
  });
});

Deno.test("ha log tells what became of a resource, with the chain of causes and what this node said", async () => {
  await withDaemon(async ({ node, cli }) => {
    const at = { time: 1_790_000_000, author: "ha@nodeB" };
    node.story.push(
      {
        txn_id: 7,
        ...at,
        about: "node",
        text: "nodeA: online → fence",
        code: "heartbeat.silent",
        why: "nodeA was silent",
        cause: null,
      },
      {
        txn_id: 9,
        ...at,
        about: "resource",
        text: "fence on nodeA → started on nodeB",
        code: "ha.placed",
        why: "score \x1b[2J",
        cause: 0,
      },
    );
    node.say("exec-web started  (exec:web started on nodeA)", { stream: "ha" });
    node.say("exec-web2 started  (exec:web2 started on nodeA)", { stream: "ha" });
    const human = { terminal: true, env: { NO_COLOR: "1" } };
    const { out } = done(await cli(["ha", "log", "exec:web", "--limit", "5"], human));
    assert.match(out, /TIME +TXN +WHAT/);
    assert.match(out, /0x9 +fence on nodeA → started on nodeB +score \\x1b\[2J +ha\.placed/);
    const chain = out.slice(out.indexOf("why it is so, the last cause first:\n")).split("\n");
    assert.match(chain[1] ?? "", /^\d.*fence on nodeA → started on nodeB.* {3}ha\.placed$/);
    const led = /^ {2}└ \d.* nodeA: online → fence: nodeA was silent {3}heartbeat\.silent$/;
    assert.match(chain[2] ?? "", led);
    assert.match(out, /said on nodeA:\n.*exec-web started/);
    assert.ok(!out.includes("exec-web2"));
    assert.deepEqual(node.calls.at(-1), { resourceLog: { id: "exec:web", limit: 5 } });
    const document = json(await cli(["ha", "log", "exec:web", "--json"]));
    assert.equal(document.schema, "pentad.story/1");
    assert.deepEqual(document.lines, node.story);
    node.story.length = 0;
    assert.equal((await cli(["ha", "log", "exec:none"])).code, 9);
    assert.equal((await cli(["ha", "log", "none"])).code, 9);
  });
});

Deno.test("ha disarm and arm: what it means first, refused while something moves, waited for with --wait", async () => {
  await withDaemon(async ({ node, cli }) => {
    const set = (change: Partial<typeof node.document>) => {
      node.document = { ...node.document, ...change };
    };
    const dry = await cli(["ha", "disarm", "--dry-run"]);
    assert.equal(dry.code, 10);
    assert.match(dry.out, /1 resources go on without guard and watchdog/);
    assert.equal(node.text("ha/crm_commands"), "");
    assert.match(done(await cli(["ha", "disarm"])).err, /ordered: 1 resources go on/);
    assert.equal(node.text("ha/crm_commands"), "disarm\n");
    const late = await cli(["ha", "disarm", "--wait", "1"]);
    assert.equal(late.code, 8);
    assert.match(late.err, /HA is armed, waits for nodeA, nodeB/);
    const [web] = node.document.resources;
    assert.ok(web);
    set({ resources: [{ ...web, state: "relocate" }] });
    const moving = await cli(["ha", "disarm"]);
    assert.equal(moving.code, 7);
    assert.ok(moving.err.includes("ha.not-settled"));
    set({
      resources: [web],
      nodes: node.document.nodes.map((each) => ({ ...each, armed: false })),
    });
    set({ ha: { mode: "disarmed", unguarded: ["nodeA", "nodeB"] } });
    assert.match(done(await cli(["ha", "disarm", "--wait", "9"])).err, /HA is disarmed/);
    assert.equal((await cli(["ha", "disarm", "--dry-run"])).code, 0);
    for (
      const words of [["ha", "relocate", "exec:web", "nodeB"], ["node", "maintenance", "nodeB"]]
    ) {
      if (words[0] === "ha") done(await cli(["ha", "add", "exec:web", "--command", "x"]));
      const refused = await cli(words);
      assert.equal(refused.code, 7, words.join(" "));
      assert.ok(refused.err.includes("ha.disarmed"), refused.err);
    }
    assert.ok((await cli(["node", "confirm-dead", "nodeC", "--yes"])).err.includes("ha.disarmed"));
    const stop = await cli(["node", "ok-to-stop", "nodeA"]);
    assert.equal(stop.code, 7);
    assert.match(stop.err, /HA is disarmed: exec:web would start nowhere else/);
    const status = await cli(["status"]);
    assert.equal(status.code, 3);
    assert.match(status.out, /^prod-a {3}quorate .* {3}HA DISARMED {3}/);
    assert.match(
      status.out,
      /! ha\.disarmed {2}HA is disarmed: nothing is started.*fix: pentad ha arm/,
    );
    set({ ha: { mode: "arming", unguarded: ["nodeB"] } });
    const arming = await cli(["ha", "arm", "--wait", "1"]);
    assert.equal(arming.code, 8);
    assert.match(arming.err, /HA is arming, waits for nodeB/);
    assert.match((await cli(["status"])).out, /! ha\.arming {2}nodeB has not said/);
    set({ ha: { mode: "armed", unguarded: [] } });
    assert.match(done(await cli(["ha", "arm", "--wait", "9"])).err, /HA is armed/);
  });
});

Deno.test("node drain --reboot orders it for this life, waits for the next one, and does this node last", async () => {
  await withDaemon(async ({ node, cli }) => {
    const before = node.document;
    const orders: string[] = [];
    node.meddle = () => {
      // What was ordered last has come about.
      orders.push(node.text("ha/crm_commands"));
      const nodes = before.nodes.map((each) =>
        each.self ? each : { ...each, boot: "1".repeat(16) }
      );
      node.document = { ...before, nodes };
    };
    node.document = { ...before, votes: { present: 2, expected: 2, needed: 2 } };
    const refused = await cli(["node", "drain", "nodeB", "--reboot"]);
    assert.equal(refused.code, 7, "a pair has no quorum then");
    assert.ok(refused.err.includes("node.not-ok-to-stop"));
    const risk = ["--accept-risk", "not-ok-to-stop"];
    const ran = done(await cli(["node", "drain", "--all", "--reboot", ...risk, "--wait", "20"]));
    assert.match(ran.err, /"nodeB" is back, and everything runs\n.*"nodeA" is emptied/s);
    const lines = node.text("ha/crm_commands").trim().split("\n");
    assert.deepEqual(lines, ["reboot nodeB fedcba9876543210", "reboot nodeA 0123456789abcdef"]);
    node.meddle = null;
    const late = await cli(["node", "drain", "nodeB", "--reboot", ...risk, "--wait", "1"]);
    assert.equal(late.code, 8);
    assert.match(late.err, /"nodeB" is online, still in its old life/);
    assert.equal((await cli(["node", "drain", "nodeA", "nodeB"])).code, 2);
    assert.equal((await cli(["node", "drain"])).code, 2);
    assert.equal((await cli(["node", "drain", "nodeZ", "--reboot", ...risk])).code, 9);
    node.document = { ...before, ha: { mode: "disarmed", unguarded: [] } };
    assert.equal((await cli(["node", "drain", "nodeB", "--reboot", ...risk])).code, 7);
  });
});

Deno.test("backAgain() wants another life, online, everything as well as before, and a writable config", () => {
  const before = healthy();
  const now = healthy();
  const ask = { name: "nodeB", boot: "old", before };
  const [web] = before.resources;
  assert.ok(web);
  const nodeB = (change: object) => ({
    nodes: now.nodes.map((each) => each.name === "nodeB" ? { ...each, ...change } : each),
  });
  assert.deepEqual(backAgain(now, ask), { done: '"nodeB" is back, and everything runs' });
  const not = (change: object) => {
    const look = backAgain({ ...now, ...change }, ask);
    return "now" in look ? look.now : "done";
  };
  assert.match(not(nodeB({ boot: "old", state: "stopping" })), /stopping, still in its old life/);
  assert.match(not(nodeB({ state: "down" })), /is down/);
  assert.match(
    not({ resources: [{ ...web, state: "relocate", reason: "it goes home" }] }),
    /goes home/,
  );
  assert.match(not({ config: { ...now.config, writable: false } }), /read-only/);
  assert.throws(() => backAgain(now, { ...ask, name: "nodeZ" }), /is none of: nodeA, nodeB/);
});
