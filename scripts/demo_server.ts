/**
 * The demo's resource: a web server that counts its visitors in a file on "shared storage", and
 * writes down there when it runs, so that two of it at once cannot stay unseen.
 *
 * @module
 */
const [address, folder] = Deno.args;
if (!address || !folder) throw new Error("Usage: demo_server.ts HOST:PORT FOLDER");
const at = address.lastIndexOf(":");
const node = Deno.env.get("PENTAD_NODE_NAME") ?? "?";
const token = crypto.randomUUID().slice(0, 8);

function note(what: string): void {
  Deno.writeTextFileSync(`${folder}/journal`, `${Date.now()} ${node} ${token} ${what}\n`, {
    append: true,
  });
}

function count(): number {
  let before = 0;
  try {
    before = Number(Deno.readTextFileSync(`${folder}/counter`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.writeTextFileSync(`${folder}/counter`, String(before + 1));
  return before + 1;
}

Deno.serve({
  hostname: address.slice(0, at),
  port: Number(address.slice(at + 1)),
  onListen: () => note("start"),
}, () => Response.json({ node, token, visits: count() }));
setInterval(() => note("run"), 50);
