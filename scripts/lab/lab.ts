/**
 * A lab of real Linux hosts on one machine: kernels, disks, network, and a folder that all of them
 * and this machine share (`/lab` in a host). Needs root. Always close it.
 *
 * @module
 */
import { LabHost } from "./host.ts";
import { LabNetwork } from "./network.ts";
import { must } from "./shell.ts";
import { WORKERS } from "../workers.ts";

/** What a lab is made with. */
export interface LabOptions {
  /** h1 to hN; at most 19. */
  readonly hosts: number;
  /** Interfaces of each host: the first is for orders, the others are what is under test. */
  readonly nics?: number;
  readonly memory?: string;
  readonly diskBytes?: number;
  /** Where it lies; default a new folder for temporary files. */
  readonly folder?: string;
}

interface Saved {
  readonly network: string;
  readonly nics: number;
  readonly hosts: number;
  readonly memory: string;
}

const HOSTS_MAX = 19;
const DISK_BYTES = 1024 ** 3;
const HERE = new URL(".", import.meta.url).pathname;
const ROOT = new URL("../../", import.meta.url).pathname;
const SCRIPTS = ["host.sh", "target.sh", "login.sh", "systemctl.sh"];

/** See the module's note. */
export class Lab {
  readonly folder: string;
  readonly network: LabNetwork;
  readonly hosts: readonly LabHost[];
  /** Commands of programs that are in the share already, by entry. */
  readonly #programs = new Map<string, readonly string[]>();

  private constructor(folder: string, { network, nics, hosts, memory }: Saved) {
    this.folder = folder;
    this.network = new LabNetwork(network, nics);
    this.hosts = Array.from({ length: hosts }, (_, at) => {
      const name = `h${at + 1}`;
      return new LabHost({ name, folder, network: this.network, memory });
    });
  }

  /** Makes a lab and boots all of its hosts. */
  static async make(options: LabOptions): Promise<Lab> {
    const { hosts, nics = 2, memory = "256M", diskBytes = DISK_BYTES } = options;
    if (!(hosts >= 1 && hosts <= HOSTS_MAX)) {
      throw new Error(`1 to ${HOSTS_MAX} hosts, not ${hosts}`);
    }
    if (options.folder !== undefined) await Deno.mkdir(options.folder);
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "pentad-lab-" });
    const network = `pentad-lab-${crypto.randomUUID().slice(0, 8)}`;
    const saved: Saved = { network, nics, hosts, memory };
    const lab = new Lab(await Deno.realPath(folder), saved);
    try {
      await lab.#build(saved, diskBytes);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** The lab that lies in `folder`, made by another process. */
  static async open(folder: string): Promise<Lab> {
    const saved = JSON.parse(await Deno.readTextFile(`${folder}/lab.json`)) as Saved;
    return new Lab(await Deno.realPath(folder), saved);
  }

  /** What all hosts see as `/lab`. */
  get share(): string {
    return `${this.folder}/share`;
  }

  /** A host by its number. */
  host(number: number): LabHost {
    const host = this.hosts[number - 1];
    if (host === undefined) throw new Error(`There is no h${number}`);
    return host;
  }

  /** `pentad` itself, every part of it: the command that runs it in a host. */
  async pentad(): Promise<readonly string[]> {
    // The bundled program looks for them beside itself, by the names of their sources.
    for (const worker of WORKERS) {
      const name = worker.replace(/^.*\//, "");
      await this.#bundle(`${ROOT}${worker}`, name);
    }
    return await this.program(`${ROOT}main.ts`);
  }

  /**
   * Puts deno and one bundled program into the share; returns the command that runs it in a host.
   * A bundle starts in half the time: system calls are slow in there, and modules are many files.
   */
  async program(entry: string): Promise<readonly string[]> {
    const known = this.#programs.get(entry);
    if (known !== undefined) return known;
    const deno = `${this.share}/deno`;
    await Deno.lstat(deno).catch(() => Deno.copyFile(Deno.execPath(), deno));
    const bundle = `${entry.replace(/^.*\//, "").replace(/\.ts$/, "")}.js`;
    await this.#bundle(entry, bundle);
    const environment = ["DENO_DIR=/tmp/deno", "DENO_NO_UPDATE_CHECK=1", "NO_COLOR=1"];
    const run = ["/lab/deno", "run", "-A", "--no-lock", "--no-config", "--unstable-net"];
    const command = ["env", ...environment, ...run, `/lab/${bundle}`];
    this.#programs.set(entry, command);
    return command;
  }

  /** Powers everything off and leaves nothing behind. */
  async close(): Promise<void> {
    for (const host of this.hosts) await host.cut();
    await this.network.close();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #bundle(entry: string, name: string): Promise<void> {
    const output = `${this.share}/${name}`;
    // Other endings than this one it takes for a wish for other code.
    const made = `${output}.js`;
    await must(Deno.execPath(), ...["bundle", "--platform", "deno", "--quiet", "-o", made, entry]);
    await Deno.rename(made, output);
  }

  async #build(saved: Saved, diskBytes: number): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/lab.json`, JSON.stringify(saved));
    await Deno.mkdir(`${this.share}/keys`, { recursive: true });
    for (const script of SCRIPTS) {
      await Deno.copyFile(`${HERE}${script}`, `${this.share}/${script}`);
    }
    const key = `${this.share}/keys/lab`;
    await must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key);
    await this.network.build();
    for (const host of this.hosts) await host.make(diskBytes);
    await Promise.all(this.hosts.map((host) => host.boot()));
  }
}
