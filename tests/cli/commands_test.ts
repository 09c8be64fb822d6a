/** Every command against a daemon, for people and with --json. */
import assert from "node:assert/strict";
import { cli, type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

/** What a command answered with --json: one object, nothing for people. */
function json(ran: Ran): Record<string, unknown> {
  done(ran);
  assert.equal(ran.err, "");
  assert.ok(ran.out.endsWith("}\n"));
  return JSON.parse(ran.out);
}

const DONE = { schema: "pentad.done/1", done: true };

Deno.test("init, join, join ticket new and leave say what was done and what comes next", async () => {
  await withDaemon(async ({ node, cli }) => {
    const made = done(await cli(["init", "prod", "--profile", "fast", "--disk", "/dev/sdb"]));
    assert.equal(made.out, "");
    assert.match(made.err, /^cluster "prod" is made\nnext: pentad join ticket new/);
    assert.deepEqual(json(await cli(["init", "prod", "--json"])), DONE);
    const ticket = done(await cli(["join", "ticket", "new", "--minutes", "5"]));
    assert.equal(ticket.out, "pentad-ticket-abc\n");
    assert.match(ticket.err, /pentad join --ticket -\nvalid for one join within 5 minutes/);
    assert.equal(json(await cli(["join", "ticket", "new", "--json"])).ticket, "pentad-ticket-abc");
    const joined = done(await cli(["join", "--ticket", "-"], { input: " good \n" }));
    assert.match(joined.err, /next: pentad status/);
    assert.deepEqual(json(await cli(["join", "--ticket", "good", "--json"])), DONE);
    assert.match(done(await cli(["leave"])).err, /no member any more/);
    assert.deepEqual(json(await cli(["leave", "--json"])), DONE);
    assert.deepEqual(node.calls, [
      { init: { name: "prod", profile: "fast", disk: "/dev/sdb", with: [] } },
      { init: { name: "prod", profile: "standard", disk: null, with: [] } },
      { ticket: 5 },
      { ticket: 30 },
      { join: { ticket: "good", disk: null } },
      { join: { ticket: "good", disk: null } },
      "leave",
      "leave",
    ]);
  });
});

Deno.test("join ticket list and revoke show what a ticket became, and what is left to do", async () => {
  await withDaemon(async ({ node, cli }) => {
    const list = done(await cli(["join", "ticket", "list"]));
    assert.deepEqual(list.out.trim().split("\n").map((line) => line.split("\t")), [
      ["TICKET", "STATE", "NODE", "LEFT"],
      ["00112233", "open", "-", "1 min 30 s"],
      ["44556677", "pending", "nodeC", "10 min 0 s"],
      ["8899aabb", "used", "nodeB", "30 min 0 s"],
    ]);
    const shown = json(await cli(["join", "ticket", "list", "--json"]));
    assert.equal(shown.schema, "pentad.tickets/1");
    assert.deepEqual((shown.tickets as unknown[])[0], {
      ...{ id: "00112233", state: "open", node: null, left_s: 90 },
    });
    const said = async (id: string) => done(await cli(["join", "ticket", "revoke", id])).err;
    assert.equal(await said("00112233"), "ticket 00112233 lets nobody in any more\n");
    assert.match(await said("44556677"), /nodeC.* got no key; .*member remove nodeC/);
    assert.match(await said("8899aabb"), /joined with it and stays: .*member remove nodeB/);
    const ended = json(await cli(["join", "ticket", "revoke", "8899aabb", "--json"]));
    assert.equal(ended.schema, "pentad.ticket-revoked/1");
    const none = await cli(["join", "ticket", "revoke", "ffffffff"]);
    assert.equal(none.code, 9);
    assert.match(none.err, /code {3}join\.no-such-ticket/);
    for (const bad of ["0011223", "0011223G", "../tickets", ""]) {
      assert.equal((await cli(["join", "ticket", "revoke", bad])).code, 2, bad);
    }
    assert.equal(node.calls.length, 5);
  });
});

Deno.test("join renew-key goes on until it is done, tells each stage, and names who is missing", async () => {
  await withDaemon(async ({ node, cli }) => {
    const renewed = done(await cli(["join", "renew-key"]));
    assert.deepEqual(renewed.err.split("\n").slice(0, 4), [
      "key 00112233aabbccdd: everybody gets the new key",
      "key 00112233aabbccdd: everybody seals with the new key",
      "key 00112233aabbccdd: the old key is refused",
      "the cluster's key is 00112233aabbccdd; the one before opens nothing any more",
    ]);
    assert.deepEqual(node.calls, [
      { renewKey: "start" },
      { renewKey: "go-on" },
      { renewKey: "go-on" },
    ]);
    assert.equal(json(await cli(["join", "renew-key", "--json"])).stage, "done");
    assert.match(done(await cli(["join", "renew-key", "--cancel"])).err, /no other key is offered/);
    node.renewals = [{ stage: "offer", id: "00112233aabbccdd", waiting: ["nodeB", "nodeC"] }];
    const late = await cli(["join", "renew-key", "--wait", "2"]);
    assert.equal(late.code, 8);
    assert.match(late.err, /why {4}in stage "offer", nodeB, nodeC\n.*member remove/);
    assert.ok(late.err.includes(`code   ${"join.key-waits"}`));
  });
});

Deno.test("status --json is the document of the API, byte for byte a schema that scripts keep", async () => {
  await withDaemon(async ({ node, cli }) => {
    const status = json(await cli(["status", "--json"]));
    assert.deepEqual(status, node.document);
    assert.equal(status.schema, "pentad.status/1");
    const keys = (value: unknown) => Object.keys(value as object);
    assert.deepEqual(keys(status), [
      ...["schema", "cluster", "node", "at", "quorate", "votes", "armed", "watchdog", "guard"],
      ...["dc", "dc_epoch", "leader", "nodes", "streams", "resources", "config", "backup", "mount"],
      "ha",
    ]);
    assert.deepEqual(keys(status.votes), ["present", "expected", "needed"]);
    assert.deepEqual(keys((status.nodes as unknown[])[0]), [
      ...["name", "id", "self", "boot", "role", "state", "vote", "links", "rtt_ms", "disk_pulse_s"],
      ...["armed", "load", "memory", "io_delay", "resources"],
    ]);
    assert.deepEqual(keys((status.streams as unknown[])[0]), ["name", "state", "now"]);
    const resource = keys((status.resources as unknown[])[0]);
    assert.deepEqual(resource, ["id", "state", "wanted", "node", "reason", "detail"]);
    assert.deepEqual(keys(status.config), [
      ...["version", "term", "index", "crc32", "content", "writable", "verified"],
    ]);
    for (const form of [["-o", "json"], ["-ojson"], ["--output=json"]]) {
      const ran = await cli(["status", ...form]);
      assert.deepEqual(json(ran), status);
    }
  });
});

Deno.test("status -w looks again until it is told to stop", async () => {
  await withDaemon(async ({ node, cli }) => {
    const stop = new AbortController();
    const ran = await cli(["status", "-w", "--json"], {
      signal: stop.signal,
      heard: () => stop.abort(),
    });
    assert.deepEqual(json(ran), node.document);
  });
});

Deno.test("events prints lines, jsonl with --json, filters, and tells of a gap", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.dropped = 10;
    node.say("beat", { routine: true });
    node.say("evil \x1b[2J\u202e", { stream: "config" });
    const lines = done(await cli(["events"])).out;
    assert.match(lines, /^\d\d:\d\d:01\.123 config evil \\x1b\[2J\\x202e\n$/);
    const all = done(await cli(["events", "--routine", "--json"])).out.trimEnd().split("\n");
    assert.deepEqual(all.map((line) => JSON.parse(line)), node.lines);
    assert.equal(done(await cli(["events", "--stream", "ha"])).out, "");
    const gap = done(await cli(["events", "--since", "5", "--routine"]));
    assert.match(gap.err, /^gap: .*"first":11/);
    assert.equal(gap.out.split("\n").length, 3);
    assert.equal(node.listeners, 0);
  });
});

Deno.test("config ls, get, set, rm, mkdir and history", async () => {
  await withDaemon(async ({ node, cli }) => {
    assert.match(done(await cli(["config", "mkdir", "d"])).err, /^committed txn_id=0x/);
    const set = await cli(["config", "set", "/d/ä b", "one", "--reason", "a test", "--json"]);
    const { schema, version } = json(set);
    assert.equal(schema, "pentad.change/1");
    assert.equal(node.text("d/ä b"), "one");
    assert.equal(node.asks.at(-1)?.reason, "a test");
    assert.equal(
      done(await cli(["config", "ls", "d"])).out,
      [
        "VERSION\tSIZE\tWRITER\tNAME\n",
        `${version}\t3\tnodeA\tä b\n`,
      ].join(""),
    );
    assert.match(done(await cli(["config", "ls", "-q"])).out, /^\d+\t–\tnodeA\td\/\n$/);
    const listing = json(await cli(["config", "ls", "d", "--json"]));
    assert.equal((listing.entries as { path: string }[])[0]?.path, "d/ä b");
    assert.equal(done(await cli(["config", "get", "d/ä b", "--read", "quorum"])).out, "one");
    assert.deepEqual(json(await cli(["config", "get", "d/ä b", "--json"])), {
      schema: "pentad.file/1",
      path: "d/ä b",
      version,
      content: "one",
    });
    done(await cli(["config", "set", "d/ä b", "two", "--expect", `v${version}`]));
    done(await cli(["config", "set", "d/ä b", "--file", "f"], { files: { f: "three" } }));
    assert.equal(node.text("d/ä b"), "three");
    done(await cli(["config", "set", "d/ä b", ""]));
    assert.equal(node.text("d/ä b"), "");
    done(await cli(["config", "rm", "d/ä b"]));
    assert.equal(node.entry("d/ä b"), null);
    const history = done(await cli(["config", "history", "/d", "--limit", "1"]));
    assert.match(history.out, /\n0x7f3e\t1970-01-01T00:00:01\.000Z\troot@nodeA\tapi PUT\tha\//);
    assert.deepEqual(node.calls.at(-1), { history: { limit: 1, path: "d", after: null } });
    assert.equal(json(await cli(["config", "history", "--json"])).schema, "pentad.history/1");
  });
});

Deno.test("config set without --expect begins anew where another client was faster", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.put("f", "old");
    let rivals = 1;
    node.meddle = () => {
      if (rivals-- > 0) node.put("f", "rival");
    };
    done(await cli(["config", "set", "f", "mine"]));
    assert.equal(node.text("f"), "mine");
  });
});

Deno.test("ha add takes resources of every kind, with their own options", async () => {
  await withDaemon(async ({ node, cli }) => {
    const add = async (...args: string[]) => done(await cli(["ha", "add", ...args]));
    await add("ip:10.0.0.5", "--cidr", "24", "--interface", "eth0");
    await add("ip:six", "--address", "fd00::5/64");
    await add(
      ...["ocf:fs", "--agent", "heartbeat:Filesystem", "--param", "device=/dev/sdb"],
      ...["--param", "directory=/srv/it's here", "--check-level", "20", "--start-timeout", "60"],
    );
    await add("systemd:nginx", "--on-stop-failure", "block", "--monitor-interval", "5");
    assert.equal(
      node.text("ha/resources.cfg"),
      "ip: 10.0.0.5\n\tstate started\n\tcidr 24\n\tinterface eth0\n\n" +
        "ip: six\n\tstate started\n\taddress fd00::5/64\n\n" +
        "ocf: fs\n\tstate started\n\tagent heartbeat:Filesystem\n" +
        "\tparams device=/dev/sdb 'directory=/srv/it'\\''s here'\n" +
        "\tcheck_level 20\n\tstart_timeout 60\n\n" +
        "systemd: nginx\n\tstate started\n\ton_stop_failure block\n\tmonitor_interval 5\n",
    );
  });
});

Deno.test("ha add, set, list, remove and migrate", async () => {
  await withDaemon(async ({ node, cli }) => {
    const added = await cli(["ha", "add", "exec:web", "--command", "x y", "--max-restart", "3"]);
    assert.match(done(added).err, /"exec:web" is added/);
    assert.equal(
      node.text("ha/resources.cfg"),
      "exec: web\n\tstate started\n\tcommand x y\n\tmax_restart 3\n",
    );
    const set = json(await cli(["ha", "set", "exec:web", "--state", "stopped", "--json"]));
    assert.equal(set.wanted, "stopped");
    const list = done(await cli(["ha", "list"], { terminal: true, env: { NO_COLOR: "1" } }));
    assert.equal(
      list.out,
      [
        "RESOURCE  STATE      NODE   WANTED   REASON\n",
        "exec:web  started ✓  nodeA  stopped  placed\n",
      ].join(""),
    );
    assert.equal(json(await cli(["ha", "list", "--json"])).schema, "pentad.resources/1");
    assert.match(done(await cli(["ha", "migrate", "exec:web", "nodeB"])).err, /^ordered: /);
    assert.equal(node.text("ha/crm_commands"), "migrate exec:web nodeB\n");
    const show = done(
      await cli(["ha", "show", "exec:web"], { terminal: true, env: { NO_COLOR: "1" } }),
    );
    assert.match(show.out, /command +x y[^]*printed on nodeA:\nhello\n/);
    assert.equal(json(await cli(["ha", "show", "exec:web", "--json"])).output, "hello\n");
    assert.match(done(await cli(["ha", "remove", "exec:web"])).err, /is removed/);
    assert.equal(node.text("ha/resources.cfg"), "");
  });
});

Deno.test("node list, maintenance and confirm-dead", async () => {
  await withDaemon(async ({ node, cli }) => {
    const list = done(await cli(["node", "list"])).out.split("\n");
    assert.match(list[0] ?? "", /^NODE\tSTATE\t/);
    assert.equal(list[1], "nodeA *\tonline\tvoter\tyes\tself\t–\t1 s ago\tarmed\texec:web");
    assert.equal(json(await cli(["node", "list", "--json"])).schema, "pentad.nodes/1");
    assert.match(done(await cli(["node", "maintenance", "nodeB"])).err, /"nodeB" on; see/);
    done(await cli(["node", "standby", "nodeB", "off"]));
    assert.equal(node.text("ha/crm_commands"), "maintenance nodeB on\nmaintenance nodeB off\n");
    node.document = {
      ...node.document,
      nodes: node.document.nodes.map((each) => each.self ? each : { ...each, state: "down" }),
    };
    const rehearsed = await cli(["node", "confirm-dead", "nodeB", "--dry-run"]);
    assert.match(rehearsed.out, /confirm-dead nodeB/);
    assert.deepEqual(node.calls, []);
    done(await cli(["node", "confirm-dead", "nodeB", "--yes", "--wait", "1"]));
    assert.deepEqual(node.calls, [{ dead: "nodeB" }]);
    const set = (state: string) => {
      const nodes = node.document.nodes.map((each) => ({ ...each, state }));
      node.document = { ...node.document, nodes };
    };
    set("online");
    const late = await cli(["node", "maintenance", "nodeB", "--wait", "1"]);
    assert.equal(late.code, 8, late.err);
    assert.match(late.err, /"nodeB" is online still/);
    set("maintenance");
    const empty = done(await cli(["node", "maintenance", "nodeB", "--wait", "9"]));
    assert.match(empty.err, /takes nothing more\n"nodeB" is empty/);
    set("online");
    assert.match(
      done(await cli(["node", "maintenance", "nodeB", "off", "--wait", "9"])).err,
      /"nodeB" is online/,
    );
  });
});

Deno.test("heartbeat show and timing, storage show and format", async () => {
  await withDaemon(async ({ node, cli }) => {
    const show = done(await cli(["heartbeat", "show"])).out;
    assert.equal(
      show,
      "NAME\tVALUE\nstream\theartbeat\nlinks.0.peer\tnodeB\nlinks.0.up\ttrue\n",
    );
    assert.equal(done(await cli(["quorum", "show"])).out, show);
    assert.equal(json(await cli(["heartbeat", "show", "--json"])).schema, "pentad.heartbeat/1");
    assert.match(
      done(await cli(["heartbeat", "timing"])).out,
      /^NAME\tVALUE\tFORMULA\nbeatMs\t200\t/,
    );
    assert.equal(json(await cli(["heartbeat", "timing", "--json"])).schema, "pentad.timing/1");
    assert.match(done(await cli(["storage", "show"])).out, /stream\tstorage/);
    const looked = await cli(["storage", "format", "/dev/sdb"]);
    assert.equal(looked.code, 10, "a real run would change something");
    assert.equal(looked.out, `/dev/sdb\tnothing\t${"00".repeat(16)}\n`);
    assert.match(looked.err, /nothing was written/);
    const labelled = json(await cli(["storage", "format", "/dev/sdb", "--commit", "--json"]));
    assert.equal(labelled.committed, true);
    assert.deepEqual(node.calls, [
      { format: "/dev/sdb", with: [], commit: false },
      { format: "/dev/sdb", with: [], commit: true },
    ]);
  });
});

Deno.test("version, help and completion need no daemon", async () => {
  const version = done(await cli(["version"])).out;
  assert.match(version, /^pentad \d+\.\d+\.\d+ \(deno /);
  for (const words of [["--version"], ["-V"]]) {
    assert.equal(done(await cli(words)).out, version);
  }
  assert.equal(json(await cli(["--version", "--json"])).schema, "pentad.version/1");
  assert.match(done(await cli(["help"])).out, /^Usage: pentad .*\n[^]*\n {2}storage /);
  const help = done(await cli(["help", "ha", "add"])).out;
  assert.match(help, /^Usage: .*add .*<id>/);
  assert.equal(done(await cli(["ha", "add", "--help"])).out, help);
  for (const shell of ["bash", "zsh", "fish"]) {
    assert.match(done(await cli(["completion", shell])).out, /maintenance/);
  }
});

Deno.test("daemon starts with good settings, and --check only reads them", async () => {
  const settings = '{"name": "nodeA", "links": ["192.0.2.1:5405"], "peer": "192.0.2.1:5406"}';
  const files = { "/etc/pentad/settings.json": settings };
  assert.equal(done(await cli(["daemon"], { files })).out, "daemon nodeA\n");
  const checked = done(await cli(["daemon", "--check"], { files }));
  assert.equal(checked.out, "");
  assert.match(checked.err, /is well/);
  const api = `${settings.slice(0, -1)}, "api": {"listen": "127.0.0.1:0", "token": "${
    "x".repeat(16)
  }"}}`;
  const withToken = { "/etc/pentad/settings.json": api };
  assert.equal(done(await cli(["daemon"], { files: withToken })).err, "");
  const open = done(await cli(["daemon"], { files: withToken, openToOthers: true }));
  assert.match(open.err, /^warning: others may read the token in .* fix: chmod o= /);
  assert.equal(done(await cli(["daemon"], { files, openToOthers: true })).err, "");
});

Deno.test("disk workers and the keeper are not commands for people", async () => {
  assert.equal((await cli(["disk-worker"])).code, 0);
  assert.equal((await cli(["keeper", "x"])).code, 0);
  assert.doesNotMatch((await cli(["help"])).out, /disk-worker|keeper/);
});
