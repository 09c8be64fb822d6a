/** The bundle of a real member, searched for everything that would let somebody in. */
import assert from "node:assert/strict";
import { parseTicket } from "../../mod/join/mod.ts";
import { LocalCluster } from "../../scripts/local_cluster.ts";
import { formsOf } from "./formed.ts";

const DECODER = new TextDecoder("latin1");

async function unzipped(file: string): Promise<string> {
  const stream = new Blob([Deno.readFileSync(file)]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return DECODER.decode(await new Response(stream).arrayBuffer());
}

Deno.test("a bundle of a living member and of a dead one holds no secret of the cluster", async () => {
  const cluster = new LocalCluster({ names: ["nodeA"], disk: false, watchdog: "none" });
  try {
    const node = cluster.node(0);
    const token = "a-token-that-opens-the-api-0123456789";
    const settings = JSON.parse(Deno.readTextFileSync(node.settings));
    settings.api = { listen: "127.0.0.1:0", token };
    Deno.writeTextFileSync(node.settings, JSON.stringify(settings));
    await node.start();
    await node.run("init", "prod", "--profile", "fast");
    await node.until("it writes", ({ config }) => config.writable);

    const ticket = await node.run("join", "ticket", "new");
    const parts = parseTicket(ticket);
    assert.ok(parts !== null);
    const secretFile = "a line of a private file of the tree";
    const openFile = "a line of an open file of the tree";
    for (const [path, text] of [["priv/shadow.cfg", secretFile], ["user.cfg", openFile]] as const) {
      const headers = { "If-None-Match": "*" };
      const put = await node.api("PUT", `/v1/config/${path}`, { body: text, headers });
      assert.equal(put.status, 201);
    }
    // While its key is renewed a member has two.
    const offer = { body: '{"how":"start"}', headers: { "Content-Type": "application/json" } };
    assert.equal((await node.api("POST", "/v1/join/renew-key", offer)).status, 200);
    const identity = `${node.folder}/state/node.json`;
    let { key, other } = JSON.parse(Deno.readTextFileSync(identity));
    for (const end = performance.now() + 10_000; other === undefined;) {
      assert.ok(performance.now() < end, "what it offers it has itself");
      ({ key, other } = JSON.parse(Deno.readTextFileSync(identity)));
    }
    const password = "a-password-in-a-command";
    await node.run("ha", "add", "exec:web", "--command", `sleep 2718281 ${password}`);
    const secrets = [
      password,
      ...[token, ticket, secretFile, openFile],
      ...[...formsOf(key), ...formsOf(other), ...formsOf(parts.secret), parts.id],
    ];

    const search = async (name: string) => {
      const file = `${cluster.folder}/${name}.tar.gz`;
      const { code, stderr } = await node.cli(
        ...["bundle", "-w", file, "--settings", node.settings],
      );
      assert.ok([0, 3].includes(code), stderr);
      const text = await unzipped(file);
      for (const secret of secrets) assert.ok(!text.includes(secret), `${name}: ${secret}`);
      return text;
    };
    const living = await search("living");
    // It is not empty: what a helper asks first is there.
    for (const wanted of ["pentad.status/1", "priv/shadow.cfg", "(removed)", "ticket="]) {
      assert.ok(living.includes(wanted), wanted);
    }
    // A careless person wrote the keys where they do not belong.
    await node.crash();
    const careless = { ...settings, mount: `/${key}`, disks: [`/${other}`] };
    Deno.writeTextFileSync(node.settings, JSON.stringify(careless));
    const dead = await search("dead");
    assert.ok(dead.includes('"mount": "/(removed)"'));
    assert.ok(dead.includes('"/(removed)"\n  ]'), "the one that it is to have too");
  } finally {
    await cluster.close();
  }
});
