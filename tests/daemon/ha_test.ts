/** An administrator's night: what is moved, what died, and why, from three real daemons. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";
import { pentad as command } from "../../scripts/pentad_command.ts";

const NAMES = ["nodeA", "nodeB", "nodeC"];

async function withThree(body: (cluster: LocalCluster) => Promise<void>): Promise<void> {
  const cluster = new LocalCluster({ names: NAMES, disk: false, watchdog: "process" });
  try {
    await cluster.form();
    await body(cluster);
  } finally {
    await cluster.close();
  }
}

interface Line {
  readonly about: string;
  readonly text: string;
  readonly code: string | null;
  readonly cause: number | null;
}

/** Codes (or what it is about) from the newest decision back to its first cause. */
function chain(lines: readonly Line[]): string[] {
  const found: string[] = [];
  let at: number | null = lines.findLastIndex(({ about }) => about === "resource");
  while (at !== null) {
    const line: Line | undefined = lines[at];
    found.push(line?.code ?? line?.about ?? "?");
    at = line?.cause ?? null;
  }
  return found;
}

async function logOf(node: LocalNode, ...more: string[]): Promise<Line[]> {
  return JSON.parse(await node.run(...more, "ha", "log", "exec:web", "--json")).lines;
}

Deno.test("orders with --wait; a death and its reasons, told by all, the dead too", async () => {
  await withThree(async (cluster) => {
    const first = cluster.node(0);
    await first.run("ha", "add", "exec:web", "--command", "sleep 1000", "--wait", "30");
    const at = async (node: LocalNode) =>
      JSON.parse(await node.run("ha", "show", "exec:web", "--json"));
    const from = (await at(first)).node;
    const target = NAMES.find((name) => name !== from) ?? "";
    await first.run("ha", "relocate", "exec:web", target, "--wait", "30");
    assert.equal((await at(first)).node, target);
    assert.deepEqual(chain(await logOf(first)), ["ha.placed", "ha.migrated", "order"]);
    await first.run("ha", "stop", "exec:web", "--wait", "30");
    assert.equal((await at(first)).state, "stopped");
    await first.run("ha", "start", "exec:web", "--wait", "30");
    const owner = cluster.nodes.find(({ name }) => name === target) as LocalNode;
    const others = cluster.nodes.filter((node) => node !== owner);
    const [witness] = others as [LocalNode];
    assert.equal((await at(witness)).state, "started");
    const place = (await at(witness)).node;
    const dying = cluster.nodes.find(({ name }) => name === place) as LocalNode;
    const left = cluster.nodes.filter((node) => node !== dying);
    await dying.powerCut();
    const [survivor] = left as [LocalNode];
    await survivor.until(
      `exec:web runs elsewhere than on ${place}`,
      ({ resources }) => resources.some(({ state, node }) => state === "started" && node !== place),
    );
    const wanted = ["ha.placed", "ha.fence-wait", "heartbeat.silent"];
    for (const node of left) {
      // One may still have to apply what the other knows.
      await node.until(
        "it knows where",
        ({ resources }) =>
          resources.some(({ state, node }) => state === "started" && node !== place),
      );
      assert.deepEqual(chain(await logOf(node)), wanted, node.name);
    }
    const text = await survivor.run("ha", "log", "exec:web", "-o", "table");
    assert.match(text, new RegExp(`why it is so[^]*${place}: online → fence: ${place} was silent`));
    // Its files tell what it knew.
    const data = ["--data", `${dying.folder}/state`];
    const { stdout, code, stderr } = await pentad(...data, "ha", "log", "exec:web", "--json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(chain(JSON.parse(stdout).lines).at(-1), "definition");
    // Reading goes on where nothing can be written.
    const [, last] = left as [LocalNode, LocalNode];
    await last.powerCut();
    await survivor.until("it has no quorum", ({ quorate }) => !quorate);
    assert.deepEqual(chain(await logOf(survivor)), wanted);
    assert.equal((await survivor.cli("ha", "stop", "exec:web")).code, 4);
  });
});

async function pentad(...args: string[]) {
  const [program, ...words] = command();
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...words, ...args],
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out ?? "", stderr: err ?? "" };
}

Deno.test("disarmed daemons keep what runs without a quorum; armed again they guard it", async () => {
  await withThree(async (cluster) => {
    const first = cluster.node(0);
    await first.run("ha", "add", "exec:web", "--command", "sleep 1000", "--wait", "30");
    await first.run("ha", "disarm", "--wait", "30");
    const { resources } = await first.until("it is disarmed", ({ ha }) => ha.mode === "disarmed");
    const owner = cluster.nodes.find(({ name }) => name === resources[0]?.node) as LocalNode;
    const [pid] = owner.pids("sleep");
    const others = cluster.nodes.filter((node) => node !== owner);
    for (const node of others) node.signal("SIGSTOP", "daemon");
    await owner.until("it is alone", ({ quorate }) => !quorate);
    // A daemon that begins anew takes it over as it is, and nobody has ended it in between.
    await owner.crash();
    await owner.start();
    await owner.until(
      "it is alone still",
      ({ quorate, guard }) => !quorate && guard.state !== "held",
    );
    for (const node of others) node.signal("SIGCONT", "daemon");
    await owner.until(
      "all is well",
      ({ quorate, guard }) => quorate && guard.state === "suspended",
    );
    assert.deepEqual(owner.pids("sleep"), [pid]);
    await owner.run("ha", "arm", "--wait", "30");
    await owner.until("it is guarded", ({ guard, armed }) => guard.state === "held" && armed);
    assert.deepEqual(owner.pids("sleep"), [pid]);
  });
});
