/** `pentad join HOST` with real sshds, homes and host keys, a namespace for each host. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode, pentad } from "../../scripts/local_cluster.ts";
import { SshHosts, sshHostsMissing } from "../../scripts/ssh_hosts.ts";

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  joins over SSH: ${missing}`);
const skip = { ignore: missing !== null };
const DECODER = new TextDecoder();

interface World {
  readonly hosts: SshHosts;
  readonly cluster: LocalCluster;
  /** `pentad …` beside the daemon of a host; stops it when a line of its progress is `until`. */
  pentad(at: number, words: readonly string[], until?: RegExp): Promise<Ran>;
  /** `pentad join` of host 1 with host 0. */
  join(words?: readonly string[], until?: RegExp): Promise<Ran>;
  /** `pentad WORDS HOST` on host 1 about host 0, whose key is known. */
  about(words: readonly string[]): Promise<Ran>;
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function withHosts(
  names: readonly string[],
  body: (world: World) => Promise<void>,
): Promise<void> {
  const hosts = await SshHosts.make(names.length);
  const cluster = new LocalCluster({
    names,
    disk: false,
    watchdog: "none",
    network: hosts,
    mount: true,
  });
  try {
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await cluster.node(0).run("init", "prod", "--profile", "fast");
    await cluster.node(0).until(
      "it writes",
      ({ config, mount }) => config.writable && mount.state === "mounted",
    );
    await hosts.letIn(1, 0);
    const run = (at: number, words: readonly string[], until?: RegExp) =>
      runAt(hosts, at, [...command(cluster.node(at)), ...words], until);
    const fingerprint = await hosts.fingerprint(0);
    const far = ["--remote-pentad", remote(hosts, cluster.node(0))];
    await body({
      hosts,
      cluster,
      pentad: run,
      join: (words = [], until) => {
        const known = words.includes("--fingerprint") ? [] : ["--fingerprint", fingerprint];
        return run(1, ["join", hosts.address(0), ...known, ...far, ...words], until);
      },
      about: (words) => run(1, [...words, hosts.address(0), "--fingerprint", fingerprint, ...far]),
    });
  } finally {
    await cluster.close();
    await hosts.close();
  }
}

function command(node: LocalNode): string[] {
  return [Deno.execPath(), ...pentad(), "--socket", node.socket];
}

/** How pentad is called by an SSH session, whose environment is bare. */
function remote(hosts: SshHosts, node: LocalNode): string {
  const [environment] = hosts.prefix(0).filter((word) => word.startsWith("DENO_DIR="));
  return ["env", environment, ...command(node)].join(" ");
}

async function runAt(
  hosts: SshHosts,
  at: number,
  words: readonly string[],
  until?: RegExp,
): Promise<Ran> {
  const [program = "", ...args] = [...hosts.prefix(at), ...words];
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = new Response(child.stdout).text();
  let stderr = "";
  for await (const chunk of child.stderr) {
    stderr += DECODER.decode(chunk, { stream: true });
    if (until?.test(stderr)) {
      // nsenter and env become the program: this is its pid.
      child.kill("SIGKILL");
      break;
    }
  }
  const { code } = await child.status;
  return { code, stdout: await stdout, stderr };
}

/** Lines of a file of the tree. */
async function lines(node: LocalNode, path: string): Promise<string[]> {
  const answer = await node.api("GET", `/v1/config/${path}`);
  return answer.status === 404 ? [] : (await answer.text()).trim().split("\n");
}

async function logsIn(hosts: SshHosts, from: number, to: number): Promise<string> {
  const { code, stderr } = await hosts.run(from, [
    ...["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"],
    ...[`root@${hosts.address(to)}`, "true"],
  ]);
  return code === 0 ? "in" : DECODER.decode(stderr);
}

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
