/** A run directory that is lost while the host goes on. */
import assert from "node:assert/strict";
import { LocalCluster } from "../../scripts/local_cluster.ts";

Deno.test("a daemon that begins anew without its run directory starts nothing beside what runs still", async () => {
  const cluster = new LocalCluster({ names: ["solo"], disk: false, watchdog: "none" });
  const solo = cluster.node(0);
  const [run, lock, twice] = ["run", "lock", "twice"].map((name) => `${solo.folder}/${name}`);
  assert.ok(run && lock && twice);
  try {
    await cluster.form("standard");
    // Whoever finds the lock taken runs beside another.
    const script = `exec 9>${lock}; flock -n 9 || echo twice >>${twice}; exec sleep 1000`;
    await solo.run("ha", "add", "exec:web", "--command", `sh -c "${script}"`);
    const before = await solo.until(
      "it runs",
      ({ resources }) => resources.some(({ state }) => state === "started"),
    );
    await lockTaken(lock);
    Deno.removeSync(run, { recursive: true });
    await solo.crash();
    await solo.start();
    await solo.until(
      "it runs again",
      ({ node, resources, guard }) =>
        node?.boot !== before.node?.boot && guard.state === "held" &&
        resources.some(({ state }) => state === "started"),
    );
    await solo.until("one runs", () => running(lock) === 1);
    assert.throws(() => Deno.statSync(twice), Deno.errors.NotFound);
  } finally {
    await cluster.close();
  }
});

Deno.test("a keeper that is begun after the run directory was lost knows the same processes", async () => {
  const cluster = new LocalCluster({ names: ["solo"], disk: false, watchdog: "none" });
  const solo = cluster.node(0);
  const run = `${solo.folder}/run`;
  try {
    await cluster.form();
    const token = Deno.readTextFileSync(`${run}/node-token`);
    Deno.removeSync(run, { recursive: true });
    solo.signal("SIGKILL", "keeper");
    await solo.until("there is a keeper", () => {
      try {
        return Deno.statSync(`${run}/keeper.pid`).isFile;
      } catch {
        return false;
      }
    });
    assert.equal(Deno.readTextFileSync(`${run}/node-token`), token);
  } finally {
    await cluster.close();
  }
});

/** Processes that hold a file open under the number 9. */
function running(file: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      if (Deno.readLinkSync(`/proc/${name}/fd/9`) === file) count++;
    } catch {
      // No process, or it has no such file.
    }
  }
  return count;
}

async function lockTaken(file: string): Promise<void> {
  while (running(file) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
}
