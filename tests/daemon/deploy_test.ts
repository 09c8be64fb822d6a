/** From two machines with nothing but the one file to a pair: installed, deployed, joined. */
import assert from "node:assert/strict";
import { SshHosts, sshHostsMissing } from "../../scripts/ssh_hosts.ts";
import { pause } from "../../scripts/local_cluster.ts";
import { executable } from "../../scripts/pentad_command.ts";
import { build } from "./built.ts";

const missing = await sshHostsMissing();
if (missing !== null) console.log(`skipped  deploys over SSH: ${missing}`);
const DECODER = new TextDecoder();
const PENTAD = "/usr/local/bin/pentad";

class Machines {
  readonly hosts: SshHosts;
  readonly folder: string;
  readonly #daemons: Deno.ChildProcess[] = [];

  constructor(hosts: SshHosts, folder: string) {
    this.hosts = hosts;
    this.folder = folder;
  }

  async run(at: number, ...words: readonly string[]) {
    const { code, stdout, stderr } = await this.hosts.run(at, words);
    return { code, out: DECODER.decode(stdout), err: DECODER.decode(stderr) };
  }

  /** Starts the installed daemon, as an init would. */
  async daemon(at: number): Promise<Deno.ChildProcess> {
    const [program = "", ...args] = [...this.hosts.prefix(at), PENTAD, "daemon"];
    const log = `${this.folder}/daemon-${at}.log`;
    const file = await Deno.open(log, { create: true, append: true });
    const child = new Deno.Command(program, { args, stdin: "null", stderr: "piped" }).spawn();
    child.stderr.pipeTo(file.writable).catch(() => {});
    this.#daemons.push(child);
    await this.until(at, "it answers", () => true, log);
    return child;
  }

  async until(
    at: number,
    what: string,
    wanted: (status: { cluster: unknown; nodes: { state: string; role: string }[] }) => boolean,
    log = "",
  ): Promise<void> {
    for (const end = performance.now() + 60_000;; await pause(100)) {
      const { code, out } = await this.run(at, PENTAD, "--json", "status");
      if ([0, 3, 4].includes(code) && wanted(JSON.parse(out))) return;
      if (performance.now() < end) continue;
      const said = log === "" ? "" : Deno.readTextFileSync(log);
      assert.fail(`${what}: ${out}\n${said}`);
    }
  }

  async end(): Promise<void> {
    for (const daemon of this.#daemons) {
      try {
        daemon.kill("SIGKILL");
      } catch {
        // It ended before us.
      }
      await daemon.status;
    }
  }
}

Deno.test(
  "bare machines become a cluster: by install and init, by deploy, by install and join",
  { ignore: missing !== null },
  async () => {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-deploy-test-" });
    const hosts = await SshHosts.make(3, { own: true });
    const machines = new Machines(hosts, folder);
    try {
      const file = executable() ?? await build(`${folder}/pentad`);

      // The first machine: install, init.
      const first = await machines.run(
        ...[0, file, "install", "--name", "nodeA", "--address", hosts.address(0)] as const,
      );
      assert.equal(first.code, 0, first.err);
      await machines.daemon(0);
      const made = await machines.run(0, PENTAD, "init", "prod", "--profile", "fast");
      assert.equal(made.code, 0, made.err);

      await hosts.letIn(0, 1);
      const fingerprint = ["--fingerprint", await hosts.fingerprint(1)];
      const named = ["--name", "nodeB", "--address", hosts.address(1)];
      const deploy = (...more: readonly string[]) =>
        machines.run(0, PENTAD, "deploy", hosts.address(1), ...fingerprint, ...named, ...more);
      const plan = await deploy("--dry-run");
      assert.equal(plan.code, 10, plan.err);
      assert.match(plan.err, /install: would copy this file there/);
      assert.equal((await machines.run(1, "test", "-e", PENTAD)).code, 1, "nothing was changed");

      // Nothing starts services on these machines but this test.
      const halfway = await deploy();
      assert.equal(halfway.code, 1);
      assert.match(halfway.err, /no systemd runs there.*repeat/);
      assert.ok(halfway.err.includes(`code   ${"join.deploy"}`));
      const installed = await machines.run(1, PENTAD, "version");
      assert.match(installed.out, /^pentad /);
      const left = await machines.run(1, "ls", "/var/tmp");
      assert.doesNotMatch(left.out, /pentad-deploy/);
      await machines.daemon(1);
      for (const note of [/"nodeB" is a member of "prod"/, /"nodeB" is a member already/]) {
        const joined = await deploy();
        assert.equal(joined.code, 0, joined.err);
        assert.match(joined.err, note);
        assert.match(joined.err, /voter: "nodeB" votes/);
      }

      // The other way round. First it has a cluster of its own, and is refused for that.
      const third = await machines.run(
        ...[2, file, "install", "--name", "nodeC", "--address", hosts.address(2)] as const,
      );
      assert.equal(third.code, 0, third.err);
      const daemon = await machines.daemon(2);
      await machines.run(2, PENTAD, "init", "other", "--profile", "fast");
      await hosts.letIn(2, 0);
      const far = [hosts.address(0), "--fingerprint", await hosts.fingerprint(0)];
      const other = await machines.run(2, PENTAD, "deploy", ...far);
      assert.equal(other.code, 1);
      assert.ok(other.err.includes(`code   ${"join.already-member"}`), other.err);
      daemon.kill("SIGKILL");
      await daemon.status;
      await machines.run(2, "rm", "-rf", "/var/lib/pentad");
      await machines.run(2, "umount", "-l", "/etc/pve");

      // Two commands on a bare machine make it a member over SSH.
      assert.equal((await machines.run(2, file, "install")).code, 0);
      await machines.daemon(2);
      const joined = await machines.run(2, PENTAD, "join", ...far, "--remote-pentad", PENTAD);
      assert.equal(joined.code, 0, joined.err);
      for (const at of [0, 1, 2]) {
        await machines.until(at, "all are there", ({ nodes }) =>
          nodes.length === 3 &&
          nodes.every(({ state, role }) => state === "online" && role === "voter"));
      }
      const looked = await machines.run(2, PENTAD, "check", "--json");
      const { findings } = JSON.parse(looked.out) as {
        findings: { check: string; level: string }[];
      };
      const levels = findings.filter(({ check }) => ["modes", "known", "settings"].includes(check));
      assert.deepEqual(levels.map(({ level }) => level), ["ok", "ok", "ok"], looked.out);
    } finally {
      await machines.end();
      await hosts.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
);
