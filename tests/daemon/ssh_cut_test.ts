/** Joins over SSH that are cut off: taken back whole, or finished when the network is there again. */
import assert from "node:assert/strict";
import { sshHostsMissing } from "../../scripts/ssh_hosts.ts";
import { lines, withHosts } from "./ssh_world.ts";

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  cut joins over SSH: ${missing}`);
const skip = { ignore: missing !== null };

Deno.test(
  "a join that is cut after any step is taken back, with what the machine had before",
  skip,
  async () => {
    await withHosts(["nodeA", "nodeB"], async ({ hosts, cluster, join }) => {
      const [nodeA, nodeB] = [cluster.node(0), cluster.node(1)];
      const own = [["qemu-server/100.conf", "name: old\n"], ["mine.cfg", "x\n"]] as const;
      Deno.mkdirSync(`${nodeB.mount}/qemu-server`, { recursive: true });
      for (const [path, text] of own) Deno.writeTextFileSync(`${nodeB.mount}/${path}`, text);
      for (const step of ["login", "copy", "keys", "member", "voter", "trust"]) {
        await join([], new RegExp(`\\] ${step}: `));
        const undone = await join(["--undo"]);
        assert.equal(undone.code, 0, `after ${step}: ${undone.stderr}`);
        assert.equal((await nodeB.status())?.cluster, null, step);
        for (const [path, text] of own) {
          assert.equal(Deno.readTextFileSync(`${nodeB.mount}/${path}`), text, `after ${step}`);
        }
        const owners = (await lines(nodeA, "priv/authorized_keys")).map((line) =>
          line.split(" ").at(-1)
        );
        assert.deepEqual(owners.filter((owner) => owner !== "pentad:nodeA"), [], step);
        for (const name of ["authorized_keys2", "known_hosts2"]) {
          const link = `${hosts.home(1)}/.ssh/${name}`;
          assert.throws(() => Deno.lstatSync(link), Deno.errors.NotFound, `after ${step}`);
        }
        const status = await nodeA.until(
          "it is alone and writes",
          ({ config, nodes, quorate }) => quorate && config.writable && nodes.length === 1,
        );
        assert.equal(status.nodes[0]?.name, "nodeA");
        // Nothing of what it had went into the tree.
        assert.equal((await nodeA.api("GET", "/v1/config/mine.cfg")).status, 404, step);
      }
      // What is left of all that stands in no way.
      const joined = await join();
      assert.equal(joined.code, 0, joined.stderr);
      const moved = await nodeA.api("GET", "/v1/config/nodes/nodeB/qemu-server/100.conf");
      assert.equal(await moved.text(), "name: old\n");
      assert.match(joined.stderr, /2 files are in the tree; the old folder is "/);
    });
  },
);

Deno.test(
  "a network that goes away in a join is told as that, and repeating it finishes",
  skip,
  async () => {
    await withHosts(["nodeA", "nodeB"], async ({ hosts, cluster, joinCut }) => {
      const nodeA = cluster.node(0);
      for (
        const [step, code] of [["host-key", "join.no-way"], ["member", "node.timeout"]] as const
      ) {
        const cut = await joinCut(new RegExp(`\\] ${step}: `), () => hosts.isolate(1));
        assert.notEqual(cut.code, 0);
        assert.ok(cut.stderr.includes(`code   ${code}`), `after ${step}: ${cut.stderr}`);
        await hosts.heal();
        await nodeA.until("it writes", ({ config, quorate }) => quorate && config.writable);
      }
      const { code, stderr } = await joinCut(/ no such line /, () => Promise.resolve());
      assert.equal(code, 0, stderr);
      await nodeA.until(
        "both are online",
        ({ nodes }) => nodes.length === 2 && nodes.every(({ state }) => state === "online"),
      );
    });
  },
);
