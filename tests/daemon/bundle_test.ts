/** The bundle of a real member, searched for everything that would let somebody in. */
import assert from "node:assert/strict";
import { parseTicket } from "../../mod/join/mod.ts";
import { LocalCluster } from "../../scripts/local_cluster.ts";

const DECODER = new TextDecoder("latin1");

async function unzipped(file: string): Promise<string> {
  const stream = new Blob([Deno.readFileSync(file)]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return DECODER.decode(await new Response(stream).arrayBuffer());
}

/** Forms in which bytes could stand in a text. */
function formsOf(hex: string): string[] {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const raw = DECODER.decode(bytes);
  const base64 = btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");
  return [hex, hex.toUpperCase(), raw, base64, base64.replace(/\+/g, "-").replace(/\//g, "_")];
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
    const { key } = JSON.parse(Deno.readTextFileSync(`${node.folder}/state/node.json`));
    const secrets = [
      ...[token, ticket, secretFile, openFile],
      ...[...formsOf(key), ...formsOf(parts.secret), parts.id],
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
    // A careless person wrote the key where it does not belong.
    await node.crash();
    const careless = { ...settings, mount: `/${key}` };
    Deno.writeTextFileSync(node.settings, JSON.stringify(careless));
    const dead = await search("dead");
    assert.ok(dead.includes('"mount": "/(removed)"'));
  } finally {
    await cluster.close();
  }
});
