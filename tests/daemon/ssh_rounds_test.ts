/** Joins over SSH and departures, again and again: what is left on both sides, and what others saw. */
import assert from "node:assert/strict";
import { pause } from "../../scripts/local_cluster.ts";
import { sshHostsMissing } from "../../scripts/ssh_hosts.ts";
import { lines, logsIn, runAt, withHosts, type World } from "./ssh_world.ts";

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  rounds of joins over SSH: ${missing}`);
const skip = { ignore: missing !== null };
const ROUNDS = 10;
const LATIN1 = new TextDecoder("latin1");

/** Network namespace of one of the hosts, as /proc shows it. */
function networkOf({ hosts }: World, at: number): string {
  const word = hosts.prefix(at).find((each) => each.startsWith("--net=")) ?? "";
  return `net:[${Deno.statSync(word.slice("--net=".length)).ino}]`;
}

/** Looks at the arguments and the environment of all processes of both hosts until it is told to end. */
async function overhear(networks: readonly string[], signal: AbortSignal): Promise<Set<string>> {
  const heard = new Set<string>();
  while (!signal.aborted) {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        if (!networks.includes(Deno.readLinkSync(`/proc/${name}/ns/net`))) continue;
        for (const file of ["cmdline", "environ"]) {
          const text = LATIN1.decode(Deno.readFileSync(`/proc/${name}/${file}`));
          heard.add(text.replaceAll("\0", " "));
        }
      } catch {
        // It ended while we looked.
      }
    }
    await pause(2);
  }
  return heard;
}

Deno.test(
  "ten joins and departures, by every way out, leave each key once and nobody else's",
  skip,
  async () => {
    await withHosts(["nodeA", "nodeB"], async (world) => {
      const { hosts, cluster, join, pentad } = world;
      const [nodeA, nodeB] = [cluster.node(0), cluster.node(1)];
      const [own, known] = ["authorized_keys2", "known_hosts2"].map((name) =>
        `${hosts.home(1)}/.ssh/${name}`
      );
      const owners = async (path: string, word: number) =>
        (await lines(nodeA, path)).map((line) => line.split(" ").at(word)).sort();
      const ending = new AbortController();
      const networks = [networkOf(world, 0), networkOf(world, 1)];
      const hearing = overhear(networks, ending.signal);
      const waysOut = [
        { name: "undo", go: () => join(["--undo"]) },
        { name: "leave", go: () => pentad(1, ["leave"]) },
        {
          name: "remove",
          go: async () => {
            const removed = await pentad(0, ["config", "member", "remove", "nodeB"]);
            assert.equal(removed.code, 0, removed.stderr);
            assert.match(removed.stderr, /join renew-key/);
            assert.match(await logsIn(hosts, 1, 0), /^in$/, "by the key that a person let in");
            return await pentad(1, ["leave"]);
          },
        },
      ];
      for (let round = 0; round < ROUNDS; round++) {
        const joined = await join();
        assert.equal(joined.code, 0, `round ${round}: ${joined.stderr}`);
        assert.deepEqual(await owners("priv/authorized_keys", -1), [
          "pentad:nodeA",
          "pentad:nodeB",
        ]);
        assert.equal((await lines(nodeA, "priv/known_hosts")).length, 2, `round ${round}`);
        assert.equal(await logsIn(hosts, 0, 1), "in");
        const way = waysOut[round % waysOut.length];
        const gone = await way?.go();
        assert.equal(gone?.code, 0, `${way?.name}: ${gone?.stderr}`);
        assert.deepEqual(await owners("priv/authorized_keys", -1), ["pentad:nodeA"], way?.name);
        assert.equal((await lines(nodeA, "priv/known_hosts")).length, 1, way?.name);
        assert.match(await logsIn(hosts, 0, 1), /Permission denied|verification failed/, way?.name);
        for (const link of [own ?? "", known ?? ""]) {
          assert.throws(() => Deno.lstatSync(link), Deno.errors.NotFound, `${way?.name}: ${link}`);
        }
        assert.equal((await nodeB.status())?.cluster, null);
        assert.ok((await nodeA.status())?.quorate);
      }
      ending.abort();
      const heard = [...await hearing];
      // It would have been seen: both programs were, with what they were told.
      assert.ok(heard.some((text) => /ssh .*ControlMaster.* ticket /.test(text)), "ssh was seen");
      assert.ok(heard.some((text) => text.includes(" join ")), "the join was seen");
      const pair = Deno.readTextFileSync(`${hosts.home(1)}/.ssh/id_ed25519`).split("\n");
      const { key } = JSON.parse(Deno.readTextFileSync(`${nodeA.folder}/state/node.json`));
      for (const secret of ["pentad-ticket-", key, ...pair.slice(1, -2)]) {
        assert.deepEqual(heard.filter((text) => text.includes(secret)), []);
      }
      // Neither half of a pair left its host; no private half is in the tree.
      const exported = await (await nodeA.api("GET", "/v1/config-export")).text();
      const history = await (await nodeA.api("GET", "/v1/history?limit=1000")).text();
      for (const line of pair.slice(1, -2)) {
        for (const text of [exported, history]) assert.ok(!text.includes(line));
        for (const { data = "" } of exported.trim().split("\n").map((each) => JSON.parse(each))) {
          assert.ok(!atob(data).includes(line));
        }
      }
    });
  },
);

Deno.test("of a hostile copy nothing but files and folders arrives", skip, async () => {
  await withHosts(["nodeA", "nodeB"], async ({ hosts }) => {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-copy-" });
    try {
      const script =
        `mkdir -p ${folder}/from/sub && cd ${folder}/from && printf text > sub/file && ` +
        `printf x > setuid && chmod 6755 setuid && ln -s /etc/shadow link && ln -s /etc up && ` +
        `mkfifo fifo && mknod null c 1 3 && mkdir ${folder}/to && ` +
        `ssh-keyscan ${hosts.address(0)} > ${folder}/known 2> /dev/null`;
      assert.equal((await hosts.run(1, ["sh", "-c", script])).code, 0);
      const program = `import { Ssh } from ${JSON.stringify(SSH_MODULE)};` +
        `const target = { user: "root", host: "${hosts.address(0)}", port: null };` +
        `const ssh = new Ssh(target, "${folder}/known", "${folder}", false);` +
        `await ssh.copy("${folder}/from", "${folder}/to"); await ssh.close();`;
      const ran = await runAt(hosts, 1, [Deno.execPath(), "eval", "--no-check", program]);
      assert.equal(ran.code, 0, ran.stderr);
      const names = [...Deno.readDirSync(`${folder}/to`)].map(({ name }) => name).sort();
      assert.deepEqual(names, ["setuid", "sub"]);
      assert.equal(Deno.readTextFileSync(`${folder}/to/sub/file`), "text");
      assert.equal((Deno.statSync(`${folder}/to/setuid`).mode ?? 0) & 0o7000, 0);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
});

const SSH_MODULE = new URL("../../mod/host/linux/ssh.ts", import.meta.url).href;
