/** A running cluster is upgraded node by node under clients' load, and one node is rolled back. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { executable } from "../../scripts/pentad_command.ts";
import { sshHostsMissing } from "../../scripts/ssh_hosts.ts";
import { pause } from "../../scripts/local_cluster.ts";
import { build, nextVersion } from "./built.ts";
import { PENTAD, ServedMachines } from "./served_world.ts";

const NAMES = ["nodeA", "nodeB", "nodeC"];
const NEXT = "99.0.0";
/** Writes that must be acknowledged in each phase, whatever restarts in it. */
const WRITES = 20;

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  an upgrade of a running cluster: ${missing}`);

/** Clients that write a new file after the other, wherever somebody takes it. */
class Load {
  /** What was acknowledged. */
  readonly done = new Map<string, string>();
  readonly #machines: ServedMachines;
  readonly #running: Promise<void>[];
  #stopped = false;

  constructor(machines: ServedMachines, clients: number) {
    this.#machines = machines;
    this.#running = Array.from({ length: clients }, (_, client) => this.#write(client));
  }

  /** Waits for so many more. */
  async more(count: number): Promise<void> {
    for (const wanted = this.done.size + count; this.done.size < wanted;) await pause(20);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #write(client: number): Promise<void> {
    for (let at = 0; !this.#stopped; at++) {
      const [path, body] = [`load/c${client}-${at}`, `${client} ${at}`];
      const headers = { "If-None-Match": "*" };
      const answer = await this.#machines.api(
        (client + at) % NAMES.length,
        "PUT",
        `/v1/config/${path}`,
        {
          body,
          headers,
        },
      );
      if (answer?.status === 201) this.done.set(path, body);
      else await pause(20);
    }
  }
}

Deno.test(
  "an upgrade node by node loses no acknowledged write, and nothing that runs is touched",
  { ignore: missing !== null },
  async () => {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-upgrade-" });
    try {
      const file = executable() ?? await build(`${folder}/first/pentad`);
      const next = await nextVersion(folder, NEXT);
      const machines = await ServedMachines.make(NAMES, file);
      try {
        await form(machines);
        await upgradeAll(machines, next);
      } finally {
        await machines.close();
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
);

async function form(machines: ServedMachines): Promise<void> {
  // As administrators have it: a restart within six seconds is no death.
  await machines.must(0, PENTAD, "init", "prod", "--profile", "standard");
  for (const at of [1, 2]) {
    const ticket = await machines.must(0, PENTAD, "join", "ticket", "new");
    await machines.must(at, PENTAD, "join", "--ticket", ticket);
  }
  for (const at of NAMES.keys()) await whole(machines, at);
  assert.equal((await machines.api(0, "PUT", "/v1/config/load?type=directory"))?.status, 201);
  for (const name of NAMES) {
    const command = ["--command", "sleep 100000", "--wait", "60"];
    await machines.must(0, PENTAD, "ha", "add", `exec:of-${name}`, ...command);
  }
}

/** All vote, are online, and what is to run runs. */
async function whole(machines: ServedMachines, at: number) {
  return await machines.until(
    at,
    "all is well",
    ({ quorate, config, nodes, resources }) =>
      quorate && config.writable && nodes.length === NAMES.length &&
      nodes.every(({ state, role }) => state === "online" && role === "voter") &&
      resources.every(({ state }) => state === "started"),
  );
}

/** Each resource's node, and its processes wherever they are. */
async function whatRuns(machines: ServedMachines): Promise<string[]> {
  const { resources } = await whole(machines, 0);
  const pids = NAMES.flatMap((name, at) =>
    machines.hosts.pids(at).filter((pid) => commandOf(pid) === "sleep 100000")
      .map((pid) => `${pid} on ${name}`)
  );
  return [...resources.map(({ id, node }) => `${id} on ${node}`), ...pids].sort();
}

function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").join(" ").trim();
  } catch {
    return "";
  }
}

async function versionAt(machines: ServedMachines, at: number): Promise<string> {
  const { version } = JSON.parse(await machines.must(at, PENTAD, "version", "--json"));
  return version;
}

async function upgradeAll(machines: ServedMachines, next: string): Promise<void> {
  let before = await whatRuns(machines);
  // A process that begins is a shell for a moment, and shows nothing for another.
  while (before.length < 2 * NAMES.length) before = await whatRuns(machines);
  const load = new Load(machines, 3);
  try {
    await load.more(WRITES);
    const change = async (at: number, version: string, ...words: readonly string[]) => {
      const [old, from] = [await machines.daemon(at), await versionAt(machines, at)];
      const told = await machines.run(at, PENTAD, "--wait", "60", ...words);
      assert.equal(told.code, 0, told.err);
      assert.notEqual(await machines.daemon(at), old);
      assert.equal(await versionAt(machines, at), version);
      const previous = await machines.must(at, "readlink", "/opt/pentad/previous");
      assert.equal(previous, `/opt/pentad/${from}/pentad`);
      for (const each of NAMES.keys()) await whole(machines, each);
      await load.more(WRITES);
      assert.deepEqual(await whatRuns(machines), before);
    };
    for (const at of NAMES.keys()) await change(at, NEXT, "upgrade", next);
    await change(1, manifest.version, "rollback");
  } finally {
    await load.stop();
  }
  for (const at of NAMES.keys()) {
    assert.equal((await machines.api(at, "GET", "/v1/config?read=quorum"))?.status, 200);
  }
  const states = await Promise.all(NAMES.keys().map((at) => machines.status(at)));
  assert.equal(new Set(states.map((each) => `${each?.config.crc32}`)).size, 1);
  for (const at of NAMES.keys()) {
    for (const [path, body] of load.done) {
      const found = await machines.api(at, "GET", `/v1/config/${path}`);
      assert.equal(found?.text, body, `${path} on ${NAMES[at]}`);
    }
  }
  assert.ok(load.done.size >= WRITES * (NAMES.length + 2));
}
