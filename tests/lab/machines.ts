/**
 * Bare machines in the lab: kernels, an sshd and host keys of their own, the one file of pentad, and
 * nothing to run its sources with.
 *
 * @module
 */
import assert from "node:assert/strict";
import { buildFile } from "../../scripts/build/build_file.ts";
import { Lab } from "../../scripts/lab/lab.ts";
import type { Ran } from "../../scripts/lab/shell.ts";
import type { SshRoots } from "../../scripts/ssh_roots.ts";
import { LabNode } from "./lab_node.ts";

const SERVER = new URL("./server.sh", import.meta.url).pathname;
/** Where each of them has the file. */
export const FILE = "/disk/pentad";
const MEMORY = "512M";
/** Nothing of this lies on a bare machine, whatever this one has. */
const NOT_BARE = [
  ...["$(which -a deno node npm npx)", "/usr/local/bin/pentad", "/opt/pentad", "/etc/pentad"],
  ...["/var/lib/pentad", "/var/cache/pentad", "/etc/ssh/ssh_host_*", "/etc/ssh/ssh_config.d/*"],
  "/etc/systemd/system/*",
].join(" ");

/** How a command ended, and how long it took. */
export interface Timed extends Ran {
  readonly seconds: number;
  /** Processor time of all machines meanwhile: what others do on this one has little part in it. */
  readonly work: number;
}

/** See the module's note. */
export class Machines implements SshRoots {
  readonly lab: Lab;
  readonly nodes: readonly LabNode[];

  private constructor(lab: Lab, count: number) {
    this.lab = lab;
    this.nodes = Array.from({ length: count }, (_, at) => new LabNode(lab, at + 1));
  }

  static async make(count: number): Promise<Machines> {
    const lab = await Lab.make({ hosts: count, memory: MEMORY });
    const machines = new Machines(lab, count);
    try {
      await Deno.copyFile(SERVER, `${lab.share}/server.sh`);
      await buildFile(`${lab.share}/built/pentad`, { flags: ["--unpacking"] });
      await Promise.all(machines.nodes.map((node) => machines.#prepare(node)));
      return machines;
    } catch (error) {
      await machines.close();
      throw error;
    }
  }

  node(at: number): LabNode {
    const node = this.nodes[at];
    if (node === undefined) throw new Error(`There is no machine ${at}`);
    return node;
  }

  address(at: number): string {
    return this.lab.network.address(this.node(at).name, 1);
  }

  async shell(at: number, script: string): Promise<Ran> {
    return await this.node(at).host.run(script);
  }

  /** Runs a shell command there, by the clock. */
  async timed(at: number, script: string): Promise<Timed> {
    const [from, before] = [performance.now(), this.#work()];
    const result = await this.shell(at, script);
    const seconds = (performance.now() - from) / 1000;
    return { ...result, seconds, work: this.#work() - before };
  }

  /** Waits until all of so many are members that vote and hear one another. */
  async whole(count: number): Promise<void> {
    for (const node of this.nodes.slice(0, count)) {
      await node.until(
        `${count} are whole`,
        ({ quorate, config, nodes }) =>
          quorate && config.writable && nodes.length === count &&
          nodes.every(({ state, role }) => state === "online" && role === "voter"),
        120,
      );
    }
  }

  /** The kernel's own name for its present life. */
  async bootId(at: number): Promise<string> {
    return await this.node(at).host.must("cat /proc/sys/kernel/random/boot_id");
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.hangUp();
    await this.lab.close();
  }

  #work(): number {
    return this.nodes.reduce((sum, { host }) => sum + host.workSeconds(), 0);
  }

  /** Takes from it what a bare machine has not, and gives it what any has. */
  async #prepare({ name, host }: LabNode): Promise<void> {
    const address = this.lab.network.address(name, 1);
    const own = ["UsePAM=no", "PermitRootLogin=prohibit-password", "PidFile=none", "UseDNS=no"]
      .map((option) => `-o ${option}`).join(" ");
    const boot = [
      "#!/bin/bash",
      "ip route add default via 10.77.1.254 dev eth1",
      "modprobe fuse",
      `/usr/sbin/sshd -f /dev/null -h /etc/ssh/ssh_host_ed25519_key -o ListenAddress=${address} ${own}`,
      "exec systemctl boot",
    ];
    const script = `${this.lab.share}/${name}.boot`;
    await Deno.writeTextFile(script, `${boot.join("\n")}\n`);
    await host.must([
      `rm -rf ${NOT_BARE}`,
      'ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key',
      "mkdir -p -m 700 /root/.ssh",
      "cp /lab/systemctl.sh /usr/local/bin/systemctl",
      `cp /lab/built/pentad ${FILE}`,
      `cp /lab/${name}.boot /disk/boot.sh && chmod +x /disk/boot.sh && /disk/boot.sh`,
    ].join(" && "));
    for (const program of ["deno", "node", "npm", "pentad"]) {
      const { code } = await host.run(`command -v ${program}`);
      assert.notEqual(code, 0, `${name} is bare: no ${program}`);
    }
  }
}
