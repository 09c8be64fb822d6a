/** The one file under a real systemd: installed, restarted, upgraded, taken back, and away again. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { EXIT } from "../../mod/base/problem.ts";
import { executable } from "../../scripts/pentad_command.ts";
import { pause } from "../../scripts/local_cluster.ts";
import { SystemdHost, systemdHostMissing } from "../../scripts/systemd_host.ts";
import { build, nextVersion } from "./built.ts";

const NEXT = "99.0.0";
const BROKEN = "99.0.1";
/** A hang must fail by its name. */
const LOOKS = 300;
const COMMAND = "sleep 100000";
const UNIT = `[Service]
ExecStart=/bin/sleep 200000
`;

const missing = await systemdHostMissing();
if (missing !== null) console.log(`skipped  under a real systemd: ${missing}`);

class Host {
  readonly host: SystemdHost;

  constructor(host: SystemdHost) {
    this.host = host;
  }

  async pentad(...words: readonly string[]): Promise<string> {
    return await this.host.must("pentad", ...words);
  }

  /** A property of a unit. */
  async show(property: string, unit = "pentad"): Promise<string> {
    return await this.host.must("systemctl", "show", "--value", "-p", property, unit);
  }

  async until(what: string, wanted: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < LOOKS; look++, await pause(50)) if (await wanted()) return;
    const { out } = await this.host.run("journalctl", "--no-pager", "-n", "60");
    assert.fail(`not in time: ${what}\n${out}`);
  }

  async resource(id: string): Promise<string> {
    const { code, out } = await this.host.run("pentad", "ha", "show", id, "--json");
    return code === 0 ? JSON.parse(out).state : "unknown";
  }

  /** Processes whose command line is this. */
  async pids(command: string): Promise<string> {
    return (await this.host.run("pgrep", "-f", `^${command}$`)).out;
  }

  /** The daemon is another process than before, and says that it is well. */
  async isAnother(than: string): Promise<void> {
    await this.until("another daemon is well", async () => {
      const pid = await this.show("MainPID");
      return pid !== than && pid !== "0" && await this.show("ActiveState") === "active" &&
        /^prod +quorate 1 of 1/.test((await this.host.run("pentad", "status")).out);
    });
  }
}

const STEPS: readonly (readonly [string, (it: Host) => Promise<void>])[] = [
  ["install enables and starts it, and it is ready when it answers", installed],
  ["a restart, and a death, touch nothing that runs", restarted],
  ["a unit is a resource: begun, watched and ended", ofUnit],
  ["an upgrade touches nothing that runs, nor does the way back", changed],
  ["a version that does not come up is taken back", takenBack],
  ["uninstall leaves nothing", uninstalled],
];

Deno.test("under a real systemd", { ignore: missing !== null }, async (t) => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-systemd-test-" });
  try {
    const first = executable() ?? await build(`${folder}/first/pentad`);
    Deno.mkdirSync(`${folder}/given`);
    Deno.copyFileSync(first, `${folder}/given/pentad`);
    Deno.copyFileSync(await nextVersion(folder, NEXT), `${folder}/given/next`);
    Deno.writeTextFileSync(`${folder}/given/web.service`, UNIT);
    const host = await SystemdHost.make(`${folder}/given`);
    const it = new Host(host);
    try {
      for (const [what, step] of STEPS) if (!await t.step(what, () => step(it))) break;
    } finally {
      await host.close();
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

async function installed(it: Host): Promise<void> {
  await it.host.must("/given/pentad", "install", "--name", "nodeA", "--address", "192.0.2.1");
  assert.equal(await it.show("Type"), "notify");
  assert.equal(await it.show("ActiveState"), "active");
  assert.equal(await it.show("UnitFileState"), "enabled");
  // systemd held back "active" until READY, and READY comes when the socket answers.
  assert.notEqual((await it.host.run("pentad", "status")).code, EXIT.unreachable);
  await it.pentad("init", "prod");
  await it.until("the status is systemd's too", async () =>
    /quorate/.test(await it.show("StatusText")));
  assert.equal(await it.show("WatchdogUSec"), "10s");
}

async function restarted(it: Host): Promise<void> {
  await it.pentad("ha", "add", "exec:web", "--command", COMMAND, "--wait", "30");
  await it.until("one process", async () => /^\d+$/.test(await it.pids(COMMAND)));
  const web = await it.pids(COMMAND);
  let daemon = await it.show("MainPID");
  for (
    const words of [["restart", "pentad"], ["kill", "--kill-whom=main", "-s", "KILL", "pentad"]]
  ) {
    await it.host.must("systemctl", ...words);
    await it.isAnother(daemon);
    daemon = await it.show("MainPID");
    await it.until("it is started", async () => await it.resource("exec:web") === "started");
    assert.equal(await it.pids(COMMAND), web, words[0]);
  }
  // A resource is no process of the service: systemd does not count it there.
  const group = await it.show("ControlGroup");
  const there = await it.host.must("cat", `/sys/fs/cgroup${group}/cgroup.procs`);
  assert.ok(!there.split("\n").includes(web), there);
}

async function ofUnit(it: Host): Promise<void> {
  await it.host.must("cp", "/given/web.service", "/etc/systemd/system/web.service");
  await it.host.must("systemctl", "daemon-reload");
  const add = ["ha", "add", "systemd:web"];
  await it.pentad(...add, "--wait", "30");
  assert.equal(await it.show("ActiveState", "web"), "active");
  const before = await it.show("MainPID", "web");
  await it.host.must("systemctl", "stop", "web");
  await it.until("the monitor sees to it", async () => {
    const pid = await it.show("MainPID", "web");
    return await it.show("ActiveState", "web") === "active" && pid !== "0" && pid !== before;
  });
  const daemon = await it.show("MainPID");
  const unit = await it.show("MainPID", "web");
  await it.host.must("systemctl", "restart", "pentad");
  await it.isAnother(daemon);
  await it.until("it is started", async () => await it.resource("systemd:web") === "started");
  assert.equal(await it.show("MainPID", "web"), unit);
  await it.pentad("ha", "stop", "systemd:web", "--wait", "30");
  assert.equal(await it.show("ActiveState", "web"), "inactive");
}

async function versionOf(it: Host): Promise<string> {
  return JSON.parse(await it.pentad("version", "--json")).version;
}

async function changed(it: Host): Promise<void> {
  const web = await it.pids(COMMAND);
  for (
    const [words, version] of [
      [["upgrade", "/given/next"], NEXT],
      [["rollback"], manifest.version],
      [["rollback"], NEXT],
    ] as const
  ) {
    const daemon = await it.show("MainPID");
    await it.pentad("--wait", "60", ...words);
    await it.isAnother(daemon);
    assert.equal(await versionOf(it), version);
    await it.until("it is started", async () => await it.resource("exec:web") === "started");
    assert.equal(await it.pids(COMMAND), web, words.join(" "));
  }
}

async function takenBack(it: Host): Promise<void> {
  // It says that it is a version, and ends when it is to be a daemon.
  const said = await it.pentad("version", "--json");
  const answer = said.replaceAll(NEXT, BROKEN).replaceAll("'", "");
  const script = `#!/bin/sh\n[ "$1" = version ] && echo '${answer}' && exit 0\nexit 1\n`;
  await it.host.must("sh", "-c", 'printf %s "$0" > /root/broken; chmod 755 /root/broken', script);
  const { code, err } = await it.host.run("pentad", "--wait", "3", "upgrade", "/root/broken");
  assert.equal(code, 1);
  assert.match(err, /install\.unhealthy/);
  await it.isAnother("0");
  assert.equal(await versionOf(it), NEXT);
  await it.until("it is started", async () => await it.resource("exec:web") === "started");
}

async function uninstalled(it: Host): Promise<void> {
  const refused = await it.host.run("pentad", "uninstall");
  assert.equal(refused.code, 7, refused.err);
  await it.pentad("ha", "remove", "exec:web", "--wait", "30");
  await it.pentad("ha", "remove", "systemd:web", "--wait", "30");
  await it.pentad("uninstall", "--purge", "--accept-risk", "lose-data");
  const where = ["/opt/pentad", "/usr/local/bin/pentad", "/etc/pentad", "/var/lib/pentad"];
  for (const path of [...where, "/etc/systemd/system/pentad.service"]) {
    assert.equal((await it.host.run("test", "-e", path)).code, 1, path);
  }
  assert.equal(await it.show("LoadState"), "not-found");
  // What was unpacked goes too, but what a keeper that has nothing to keep still runs for a moment.
  const cache = await it.host.run("ls", "/var/cache/pentad");
  if (cache.code === 0) assert.notEqual(await it.pids(".*main.js keeper.*"), "", cache.out);
}
