/** `pentad join HOST` with real sshds, homes and host keys, a namespace for each host. */
import assert from "node:assert/strict";
import type { LocalNode } from "../../scripts/local_cluster.ts";
import { sshHostsMissing } from "../../scripts/ssh_hosts.ts";
import { command, lines, logsIn, runAt, withHosts } from "./ssh_world.ts";

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  joins over SSH: ${missing}`);
const skip = { ignore: missing !== null };
const DECODER = new TextDecoder();

Deno.test("two commands make a pair whose roots know each other", skip, async () => {
  await withHosts(["nodeA", "nodeB"], async ({ hosts, cluster, join, pentad, about }) => {
    const [nodeA, nodeB] = [cluster.node(0), cluster.node(1)];
    // What the machine had before.
    Deno.mkdirSync(`${nodeB.mount}/qemu-server`, { recursive: true });
    Deno.writeTextFileSync(`${nodeB.mount}/qemu-server/100.conf`, "name: old\n");

    const unknown = await pentad(0, ["join", "renew-key", "--ssh"]);
    assert.equal(unknown.code, 9);
    assert.ok(unknown.stderr.includes(`code   ${"join.no-ssh-key"}`), unknown.stderr);
    // A host that is no member yet looks at one that is.
    const looked = await about(["check", "--json"]);
    const { findings } = JSON.parse(looked.stdout) as {
      findings: { check: string; level: string }[];
    };
    const levelOf = (check: string) => findings.find((each) => each.check === check)?.level;
    assert.deepEqual(["quorum", "clocks", "daemon"].map(levelOf), ["ok", "ok", "ok"]);
    assert.ok([1, 3].includes(looked.code), looked.stderr);

    const plan = await join(["--dry-run"]);
    assert.equal(plan.code, 10, plan.stderr);
    assert.match(plan.stderr, /\[4\/11\] preconditions: cluster "prod" of nodeA\n/);
    assert.match(plan.stderr, /\[7\/11\] member: would get a one-time ticket/);
    assert.equal((await nodeB.status())?.cluster, null);
    assert.deepEqual(await lines(nodeA, "priv/authorized_keys"), []);

    const joined = await join();
    assert.equal(joined.code, 0, joined.stderr);
    assert.match(joined.stderr, /\[11\/11\] links: nodeA 1\/1 links up/);
    await nodeA.until(
      "both are online",
      ({ nodes }) => nodes.length === 2 && nodes.every(({ state }) => state === "online"),
    );
    const moved = await nodeA.api("GET", "/v1/config/nodes/nodeB/qemu-server/100.conf");
    assert.equal(await moved.text(), "name: old\n");

    for (const [from, to] of [[0, 1], [1, 0]] as const) {
      assert.equal(await logsIn(hosts, from, to), "in");
    }
    const again = await join();
    assert.equal(again.code, 0, again.stderr);
    const keys = await lines(nodeB, "priv/authorized_keys");
    assert.deepEqual(keys.map((line) => line.split(" ").at(-1)).sort(), [
      "pentad:nodeA",
      "pentad:nodeB",
    ]);
    assert.equal((await lines(nodeB, "priv/known_hosts")).length, 2);
    const secret = Deno.readTextFileSync(`${hosts.home(1)}/.ssh/id_ed25519`).split("\n")[2] ?? "x";
    for (const path of ["priv/authorized_keys", "priv/known_hosts"]) {
      assert.ok(!(await lines(nodeA, path)).join("\n").includes(secret));
    }
    const mode = Deno.statSync(`${hosts.home(1)}/.ssh/id_ed25519`).mode ?? 0;
    assert.equal(mode & 0o777, 0o600);

    // Another key for the first one's root: whoever has the one before gets in nowhere.
    const own = `${hosts.home(0)}/.ssh/id_ed25519`;
    const renewed = await pentad(0, ["join", "renew-key", "--ssh", "--json"]);
    assert.equal(renewed.code, 0, renewed.stderr);
    const { kept } = JSON.parse(renewed.stdout) as { kept: string };
    const trusted = async (node: LocalNode) => (await lines(node, "priv/authorized_keys")).join();
    for (const end = performance.now() + 10_000; await trusted(nodeA) !== await trusted(nodeB);) {
      assert.ok(performance.now() < end, "the other one learns of it");
    }
    assert.equal(await logsIn(hosts, 0, 1), "in");
    assert.equal((Deno.statSync(own).mode ?? 0) & 0o777, 0o600);
    const old = await hosts.run(0, [
      ...["ssh", "-i", kept, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
      ...[`root@${hosts.address(1)}`, "true"],
    ]);
    assert.match(DECODER.decode(old.stderr), /Permission denied/);
    assert.equal((await lines(nodeA, "priv/authorized_keys")).length, 2, "one key for each node");

    const undone = await join(["--undo"]);
    assert.equal(undone.code, 0, undone.stderr);
    assert.match(undone.stderr, /had before a join is .* in "[^"]*\.before-join\.done-\d+"\n/);
    assert.equal((await nodeB.status())?.cluster, null);
    const left = await lines(nodeA, "priv/authorized_keys");
    assert.deepEqual(left.map((line) => line.split(" ").at(-1)), ["pentad:nodeA"]);
    assert.equal((await lines(nodeA, "priv/known_hosts")).length, 1);
    assert.ok((await nodeA.status())?.quorate);
    const list = await pentad(0, ["config", "member", "list"]);
    assert.doesNotMatch(list.stdout, /nodeB/);
  });
});

Deno.test("what stands against a join is said, and nothing is changed", skip, async () => {
  await withHosts(["nodeA", "nodeB"], async ({ hosts, cluster, join, pentad }) => {
    const [nodeA, nodeB] = [cluster.node(0), cluster.node(1)];
    const refused = async (what: RegExp, code: string, words: readonly string[] = []) => {
      const { stderr, code: exit } = await join(words);
      assert.notEqual(exit, 0);
      assert.match(stderr, what);
      assert.match(stderr, new RegExp(`code   ${code.replaceAll(".", "\\.")}`));
      assert.equal((await nodeB.status())?.cluster, null);
      assert.deepEqual(await lines(nodeA, "priv/authorized_keys"), []);
    };
    await refused(/has SHA256:/, "join.host-key", ["--fingerprint", "SHA256:wrong"]);
    const far = hosts.address(0);
    const unasked = await pentad(1, ["join", far]);
    assert.match(unasked.stderr, /nobody is here to compare it/);

    const deaf = await pentad(1, ["join", `${far}:1`, "--fingerprint", "SHA256:x"]);
    assert.ok(deaf.stderr.includes(`code   ${"join.no-way"}`), deaf.stderr);

    const keys = `${hosts.home(0)}/.ssh/authorized_keys`;
    Deno.renameSync(keys, `${keys}.away`);
    await refused(/Permission denied/, "join.login");
    Deno.renameSync(`${keys}.away`, keys);

    await refused(/not found|No such file/, "join.far-side", ["--remote-pentad", "no-such-pentad"]);

    for (const folder of ["nodes", "nodes/nodeA", "nodes/nodeA/qemu-server"]) {
      const made = await nodeA.api("PUT", `/v1/config/${folder}?type=directory`);
      assert.equal(made.status, 201);
    }
    const bare = await runAt(hosts, 1, [
      ...["env", "PATH=/nonexistent", ...command(nodeB)],
      ...["join", hosts.address(0), "--fingerprint", "SHA256:x"],
    ]);
    assert.match(bare.stderr, new RegExp("join.missing-program"));
    assert.match(bare.stderr, /its package is openssh-client/);
    await hosts.run(0, ["mount", "--bind", "/dev/null", "/usr/bin/rsync"]);
    await refused(/has no rsync/, "join.copy");
    await hosts.run(0, ["umount", "/usr/bin/rsync"]);

    const put = (path: string, body: string) =>
      nodeA.api("PUT", `/v1/config/${path}`, { body, headers: { "If-None-Match": "*" } });
    assert.equal((await put("nodes/nodeA/qemu-server/100.conf", "name: a\n")).status, 201);
    Deno.mkdirSync(`${nodeB.mount}/qemu-server`, { recursive: true });
    Deno.writeTextFileSync(`${nodeB.mount}/qemu-server/100.conf`, "name: b\n");
    await refused(/VMIDs on both sides: 100/, "join.precondition");
    Deno.removeSync(`${nodeB.mount}/qemu-server/100.conf`);

    assert.equal((await put("storage.cfg", "dir: a\n")).status, 201);
    Deno.writeTextFileSync(`${nodeB.mount}/storage.cfg`, "dir: b\n");
    await refused(/other content in: storage\.cfg/, "join.precondition");
    Deno.removeSync(`${nodeB.mount}/storage.cfg`);

    const joined = await join();
    assert.equal(joined.code, 0, joined.stderr);
  });
});

Deno.test("a join that is cut after any step is finished by repeating it", skip, async () => {
  await withHosts(["nodeA", "nodeB"], async ({ cluster, join }) => {
    const nodeA = cluster.node(0);
    for (const step of ["login", "copy", "keys", "member", "voter", "trust"]) {
      await join([], new RegExp(`\\] ${step}: `));
      assert.ok((await nodeA.status())?.quorate, `after ${step}`);
    }
    const joined = await join();
    assert.equal(joined.code, 0, joined.stderr);
    await nodeA.until(
      "both are online",
      ({ nodes }) => nodes.length === 2 && nodes.every(({ state }) => state === "online"),
    );
    assert.equal((await lines(nodeA, "priv/authorized_keys")).length, 2);
  });
});
