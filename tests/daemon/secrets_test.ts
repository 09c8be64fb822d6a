/** Real members, searched for whatever would let somebody in: in files, arguments, logs and answers. */
import assert from "node:assert/strict";
import { parseTicket } from "../../mod/join/mod.ts";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";
import { formsOf } from "./formed.ts";

const DECODER = new TextDecoder("latin1");
const TOKEN = "a-token-that-opens-the-api-0123456789";
const PRIVATE_TEXT = "a line of a private file of the tree";

/** Two nodes started by somebody whose files anybody may write: umask 0. */
function carelesslyStarted(): LocalCluster {
  const net = `127.${10 + Math.floor(Math.random() * 240)}.${Math.floor(Math.random() * 256)}`;
  const network = {
    address: (at: number) => `${net}.${at + 10}`,
    prefix: () => ["sh", "-c", 'umask 0; exec "$@"', "sh"],
  };
  return new LocalCluster({
    names: ["nodeA", "nodeB"],
    disk: true,
    watchdog: "process",
    network,
  });
}

/** Every path below a folder with its mode, those below `but` left out. */
function modesBelow(folder: string, but: readonly string[] = []): [string, number][] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }): [string, number][] => {
    const path = `${folder}/${name}`;
    if (but.includes(name)) return [];
    const mode = (Deno.lstatSync(path).mode ?? 0) & 0o7777;
    return [[path, mode], ...(isDirectory ? modesBelow(path) : [])];
  });
}

function keysOf({ folder }: LocalNode): string[] {
  const { key, other } = JSON.parse(Deno.readTextFileSync(`${folder}/state/node.json`));
  return [key, other].filter((each) => each !== undefined);
}

Deno.test("what a member keeps is its owner's alone, whatever the umask that it was started with", async () => {
  const cluster = carelesslyStarted();
  try {
    await cluster.form();
    const node = cluster.node(0);
    await node.run("ha", "add", "exec:web", "--command", "sh -c 'umask; exec sleep 31415'");
    await node.until(
      "it runs",
      ({ resources }) => resources.some((each) => each.state === "started"),
    );
    const keys = keysOf(node);
    const put = { body: PRIVATE_TEXT, headers: { "If-None-Match": "*" } };
    assert.equal((await node.api("PUT", "/v1/config/priv/shadow.cfg", put)).status, 201);
    await node.run("config", "backup");
    await node.run("join", "renew-key");
    keys.push(...keysOf(node));
    const [state, run] = [`${node.folder}/state`, `${node.folder}/run`];
    for (const [path, mode] of modesBelow(state)) {
      assert.equal(mode & 0o077, 0, `${path} has mode ${mode.toString(8)}`);
    }
    for (const name of ["node.json", "config.db", "config.db-wal", "backup"]) {
      assert.ok(modesBelow(state).some(([path]) => path === `${state}/${name}`), name);
    }
    assert.equal((Deno.statSync(run).mode ?? 0) & 0o777, 0o750);
    // Programs for agents are anybody's to read; the API's socket is its group's too.
    for (const [path, mode] of modesBelow(run, ["stand-ins"])) {
      const may = path === node.socket ? 0o660 : 0o700;
      assert.equal(mode & ~may & 0o777, 0, `${path} has mode ${mode.toString(8)}`);
    }
    assert.ok(modesBelow(run).some(([path]) => path.endsWith("/keeper.sock")));
    const lun = DECODER.decode(Deno.readFileSync(cluster.lun ?? ""));
    assert.ok(lun.includes("local"), "pentad has written there");
    for (const secret of [PRIVATE_TEXT, ...keys.flatMap(formsOf)]) {
      assert.ok(!lun.includes(secret), "the shared disk");
    }
    assert.match(Deno.readTextFileSync(`${run}/logs/exec:web.log`), /^0000\n/, "a resource's own");
    const { stdout } = await node.cli("check", "--json", "--settings", node.settings);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; what: string }[] };
    const found = findings.filter(({ check }) => check === "modes").map(({ what }) => what);
    assert.deepEqual(found.filter((what) => what.includes(state)), []);
  } finally {
    await cluster.close();
  }
});

Deno.test("a daemon does not begin in folders that others may change", async () => {
  const cluster = new LocalCluster({ names: ["nodeA"], disk: false, watchdog: "none" });
  try {
    const node = cluster.node(0);
    for (const folder of ["state", "run"]) {
      Deno.mkdirSync(`${node.folder}/${folder}`, { recursive: true });
      Deno.chmodSync(`${node.folder}/${folder}`, 0o1777);
      const { code, stderr } = await node.daemonOnce();
      assert.equal(code, 1);
      assert.ok(stderr.includes("node.open-directory"), stderr);
      assert.match(stderr, new RegExp(`/${folder}" has mode 0777: others may write in it`));
      Deno.chmodSync(`${node.folder}/${folder}`, 0o750);
    }
    await node.start();
  } finally {
    await cluster.close();
  }
});

Deno.test("keys, tickets and tokens are in no argument, environment, log, event, answer or refusal", async () => {
  const cluster = new LocalCluster({
    names: ["nodeA", "nodeB"],
    disk: false,
    watchdog: "process",
  });
  const [a, b] = [cluster.node(0), cluster.node(1)];
  try {
    const settings = JSON.parse(Deno.readTextFileSync(a.settings));
    settings.api = { listen: "127.0.0.1:0", token: TOKEN };
    Deno.writeTextFileSync(a.settings, JSON.stringify(settings));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await a.run("init", "prod", "--profile", "fast");
    const ticket = await a.run("join", "ticket", "new");
    const parts = parseTicket(ticket);
    assert.ok(parts !== null);
    await b.run("join", "--ticket", ticket);
    await b.until("it votes", ({ nodes }) => nodes.find(({ self }) => self)?.role === "voter");
    await a.run("ha", "add", "exec:web", "--command", "sleep 31416");
    await a.until("it runs", ({ resources }) => resources.some((each) => each.state === "started"));
    const headers = { "If-None-Match": "*" };
    const body = PRIVATE_TEXT;
    assert.equal((await a.api("PUT", "/v1/config/priv/shadow.cfg", { body, headers })).status, 201);
    const keys = [...keysOf(a)];
    // In the midst of a renewal there are two keys, and one of them is in the tree, sealed.
    const offer = { body: '{"how":"start"}', headers: { "Content-Type": "application/json" } };
    assert.equal((await a.api("POST", "/v1/join/renew-key", offer)).status, 200);
    for (const end = performance.now() + 20_000; keysOf(b).length < 2;) {
      assert.ok(performance.now() < end, "the offer arrives");
    }
    keys.push(...keysOf(b));
    const secrets = [
      ...[ticket, TOKEN, PRIVATE_TEXT, parts.secret, ...formsOf(parts.secret)],
      ...keys.flatMap(formsOf),
    ];
    const clean = (what: string, text: string) => {
      for (const secret of secrets) assert.ok(!text.includes(secret), `${what} holds ${secret}`);
    };

    const exported = await (await a.api("GET", "/v1/config-export")).text();
    for (const key of keys.flatMap(formsOf)) assert.ok(!exported.includes(key), "the tree");
    assert.ok(exported.includes("priv/cluster-key"), "what is offered is in it, sealed");
    const lines = exported.split("\n").flatMap((line) => line === "" ? [] : [JSON.parse(line)]);
    for (const { data = "" } of lines) {
      const text = atob(data);
      for (const key of keys.flatMap(formsOf)) assert.ok(!text.includes(key), "a file of it");
    }

    // What a stranger, a clumsy friend and a second machine are told.
    const refusals = [
      await b.cli("join", "--ticket", ticket),
      await b.cli("join", "--ticket", `${ticket.slice(0, -3)}xyz`),
      await b.cli("--json", "join", "--ticket", ticket.slice(0, 60)),
      await a.cli("join", "ticket", "revoke", parts.id.slice(0, 8)),
      await a.cli("join", "ticket", "list"),
    ];
    for (const { stdout, stderr } of refusals) clean("a refusal", stdout + stderr);
    assert.ok(refusals.slice(0, 3).every(({ code }) => code !== 0));

    await a.run("join", "renew-key");
    keys.push(...keysOf(a));
    secrets.push(...keysOf(a).flatMap(formsOf));
    for (const node of cluster.nodes) {
      for (const pid of node.pids()) {
        for (const file of ["cmdline", "environ"]) {
          clean(`/proc/${pid}/${file}`, DECODER.decode(Deno.readFileSync(`/proc/${pid}/${file}`)));
        }
      }
      clean("the daemon's output", node.log());
      for (const [path] of modesBelow(`${node.folder}/run`)) {
        if (Deno.statSync(path).isFile) clean(path, DECODER.decode(Deno.readFileSync(path)));
      }
      for (
        const path of [
          ...["/v1/events?follow=false&routine=true", "/v1/status", "/v1/heartbeat", "/v1/ha"],
          ...["/v1/storage", "/v1/join/describe", "/v1/join/tickets", "/v1/config-members"],
          ...["/v1/history?limit=1000", "/metrics"],
        ]
      ) clean(path, await (await node.api("GET", path)).text());
      // The database holds the private file, and no key: that is in the identity alone. Tickets are
      // nowhere.
      for (const [path] of modesBelow(`${node.folder}/state`)) {
        if (!Deno.statSync(path).isFile) continue;
        const bytes = DECODER.decode(Deno.readFileSync(path));
        const isIdentity = path.endsWith("/node.json");
        for (const key of isIdentity ? [] : keys.flatMap(formsOf)) {
          assert.ok(!bytes.includes(key), path);
        }
        for (const each of [ticket, parts.secret, ...formsOf(parts.secret)]) {
          assert.ok(!bytes.includes(each), path);
        }
      }
    }
  } finally {
    await cluster.close();
  }
});

/** A public key whose every byte is that one, as OpenSSH writes it: RFC 4253 section 6.6. */
function publicKey(byte: number): string {
  const name = new TextEncoder().encode("ssh-ed25519");
  const bytes = new Uint8Array(4 + name.length + 4 + 32).fill(byte);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length);
  bytes.set(name, 4);
  view.setUint32(4 + name.length, 32);
  return `ssh-ed25519 ${btoa(String.fromCharCode(...bytes))}`;
}

Deno.test("who leaves or is removed has no key in the tree any more; lines of people stay", async () => {
  const cluster = new LocalCluster({
    names: ["nodeA", "nodeB", "nodeC"],
    disk: false,
    watchdog: "none",
  });
  const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
  try {
    await cluster.form();
    const person = `${publicKey(9)} me@desk`;
    const names = ["nodeA", "nodeB", "nodeC", "before-renaming"];
    const keys = [person, ...names.map((name, at) => `${publicKey(at)} pentad:${name}`)];
    const { nodes } = await (await a.api("GET", "/v1/join/describe")).json();
    const host = (at: number) => nodes[at].peer.replace(/:\d+$/, "");
    const known = names.map((name, at) => `${name},${host(at % 3)} ${publicKey(at)}`);
    for (const [path, all] of [["authorized_keys", keys], ["known_hosts", known]] as const) {
      const put = { body: `${all.join("\n")}\n`, headers: { "If-None-Match": "*" } };
      const answer = await a.api("PUT", "/v1/config/priv?type=directory", {
        headers: { "If-None-Match": "*" },
      });
      assert.ok([201, 412].includes(answer.status));
      assert.equal((await a.api("PUT", `/v1/config/priv/${path}`, put)).status, 201);
    }
    const linesOf = async (path: string) =>
      (await (await a.api("GET", `/v1/config/priv/${path}?read=quorum`)).text()).trim().split("\n");
    // Removed while it is away, by the API itself.
    await c.crash();
    await a.until(
      "it is away",
      (status) => status.nodes.some(({ name, state }) => name === "nodeC" && state !== "online"),
    );
    assert.equal((await a.api("DELETE", "/v1/config-members/nodeC")).status, 200);
    assert.deepEqual(await linesOf("authorized_keys"), keys.slice(0, 3));
    assert.ok((await linesOf("known_hosts")).every((line) => !/^nodeC|nodeC,/.test(line)));
    const left = await b.cli("leave");
    assert.equal(left.code, 0, left.stderr);
    assert.match(left.stderr, /pentad join renew-key/);
    assert.deepEqual(await linesOf("authorized_keys"), keys.slice(0, 2));
    // Who cannot leave loses nothing.
    const last = await a.cli("leave");
    assert.ok(last.stderr.includes("join.last-member"), last.stderr);
    assert.deepEqual(await linesOf("authorized_keys"), keys.slice(0, 2));
  } finally {
    await cluster.close();
  }
});
