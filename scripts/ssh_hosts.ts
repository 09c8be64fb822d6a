/**
 * Hosts with an sshd, a root home and host keys of their own: a network namespace and a mount
 * namespace each. Needs root, OpenSSH's server and client, and what {@link Namespaces} needs.
 *
 * @module
 */
import { pause } from "./local_cluster.ts";
import { type Ran, ran } from "./lab/shell.ts";
import { Namespaces, namespacesMissing } from "./namespaces.ts";
import { fingerprint, letIn, type SshRoots } from "./ssh_roots.ts";

const SSHD = "/usr/sbin/sshd";

/** What {@link SshHosts} needs and this host lacks, in words; null for nothing. */
export async function sshHostsMissing(): Promise<string | null> {
  for (const program of [SSHD, "/usr/bin/ssh", "/usr/bin/ssh-keygen", "/usr/bin/rsync"]) {
    if (await Deno.stat(program).catch(() => null) === null) return `no ${program}`;
  }
  return await namespacesMissing();
}

interface Host {
  readonly holder: Deno.ChildProcess;
  readonly folder: string;
}

/** Some hosts. Always close it, after the daemons on them have ended. */
export class SshHosts implements SshRoots {
  readonly #network: Namespaces;
  readonly #folder = Deno.makeTempDirSync({ prefix: "pentad-ssh-" });
  readonly #hosts: Host[] = [];

  readonly #own: boolean;

  private constructor(network: Namespaces, own: boolean) {
    this.#network = network;
    this.#own = own;
  }

  /** With `own`, what is written to the system's folders on a host is written on that host only. */
  static async make(count: number, { own = false } = {}): Promise<SshHosts> {
    const hosts = new SshHosts(await Namespaces.make(count), own);
    try {
      for (let at = 0; at < count; at++) await hosts.#add(at);
    } catch (error) {
      await hosts.close();
      throw error;
    }
    return hosts;
  }

  address(at: number): string {
    return this.#network.address(at);
  }

  /** Root's home there. */
  home(at: number): string {
    return `${this.#host(at).folder}/home`;
  }

  /** The root of its files, as this process sees it. */
  root(at: number): string {
    return `/proc/${this.#host(at).holder.pid}/root`;
  }

  /** Processes that run there. */
  pids(at: number): number[] {
    const spaceOf = (pid: number | string) => {
      try {
        return Deno.readLinkSync(`/proc/${pid}/ns/net`);
      } catch {
        return null;
      }
    };
    const space = spaceOf(this.#host(at).holder.pid);
    return [...Deno.readDirSync("/proc")].filter(({ name }) =>
      /^\d+$/.test(name) && space !== null && spaceOf(name) === space
    ).map(({ name }) => Number(name));
  }

  /** What stands before a command so that it runs there. */
  prefix(at: number): readonly string[] {
    const pid = this.#host(at).holder.pid;
    const environment = ["env", `HOME=${this.home(at)}`, `DENO_DIR=${cacheOf()}`];
    return [...this.#network.prefix(at), `--mount=/proc/${pid}/ns/mnt`, ...environment];
  }

  /** The fingerprint that `ssh-keygen -l` prints on that host. */
  fingerprint(at: number): Promise<string> {
    return fingerprint(this, at);
  }

  /** Lets one host's root in on another, as a person would with ssh-copy-id. */
  async letIn(who: number, where: number): Promise<void> {
    await letIn(this, who, where);
  }

  async shell(at: number, script: string): Promise<Ran> {
    return await ran([...this.prefix(at), "sh", "-c", script]);
  }

  /** Runs a program there. */
  async run(at: number, words: readonly string[]): Promise<Deno.CommandOutput> {
    const [program = "", ...args] = [...this.prefix(at), ...words];
    return await new Deno.Command(program, { args, stdin: "null" }).output();
  }

  async isolate(at: number): Promise<void> {
    await this.#network.isolate(at);
  }

  async heal(): Promise<void> {
    await this.#network.heal();
  }

  async close(): Promise<void> {
    for (const { holder, folder } of this.#hosts) {
      const pid = await Deno.readTextFile(`${folder}/sshd.pid`).catch(() => null);
      if (pid !== null) tryKill(Number(pid));
      tryKill(holder.pid);
      await holder.status;
    }
    await this.#network.close();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #add(at: number): Promise<void> {
    const folder = `${this.#folder}/${at}`;
    Deno.mkdirSync(`${folder}/home/.ssh`, { recursive: true, mode: 0o700 });
    Deno.mkdirSync(`${folder}/ssh`, { mode: 0o755 });
    Deno.chmodSync(this.#folder, 0o755);
    const key = `${folder}/ssh/ssh_host_ed25519_key`;
    await output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
    const passwd = Deno.readTextFileSync("/etc/passwd").replace(
      /^root:.*$/m,
      `root:x:0:0:root:${folder}/home:/bin/sh`,
    );
    Deno.writeTextFileSync(`${folder}/passwd`, passwd);
    Deno.writeTextFileSync(`${folder}/ssh/sshd_config`, settings(folder));
    const script = [
      ...(this.#own ? OWN_FOLDERS.map((path) => overlay(folder, path)) : []),
      "mount -t tmpfs tmpfs /run",
      "mkdir -p /run/sshd",
      `mount --bind ${folder}/passwd /etc/passwd`,
      `mount --bind ${folder}/ssh /etc/ssh`,
      `${SSHD} -E ${folder}/sshd.log`,
      `: > ${folder}/ready`,
      "exec sleep infinity",
    ].join(" && ");
    const [program = "", ...rest] = this.#network.prefix(at);
    const own = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script];
    const holder = new Deno.Command(program, { args: [...rest, ...own], stdin: "null" }).spawn();
    this.#hosts.push({ holder, folder });
    for (let tries = 0; await Deno.stat(`${folder}/ready`).catch(() => null) === null; tries++) {
      if (tries > 400) throw new Error(`The host ${at} does not come up`);
      await pause(25);
    }
  }

  #host(at: number): Host {
    const host = this.#hosts[at];
    if (host === undefined) throw new Error(`There is no host ${at}`);
    return host;
  }
}

/** Where an installation writes, and a daemon beside it. */
const OWN_FOLDERS = ["/etc", "/opt", "/usr", "/var"];

/** Shows a folder as it is, and keeps what is written to it elsewhere. */
function overlay(folder: string, path: string): string {
  const [upper, work] = ["upper", "work"].map((name) => `${folder}/${name}${path}`);
  const layers = `lowerdir=${path},upperdir=${upper},workdir=${work}`;
  return `mkdir -p ${upper} ${work} && mount -t overlay overlay -o ${layers} ${path}`;
}

function settings(folder: string): string {
  return [
    "HostKey /etc/ssh/ssh_host_ed25519_key",
    `PidFile ${folder}/sshd.pid`,
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "UsePAM no",
    // The temporary folder that all this lies in is everybody's.
    "StrictModes no",
    "",
  ].join("\n");
}

/** The runtime's cache of this user: in a home of its own a host would fetch everything anew. */
function cacheOf(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`;
}

async function output(program: string, ...args: readonly string[]): Promise<string> {
  const result = await new Deno.Command(program, { args: [...args], stdin: "null" }).output();
  if (result.success) return new TextDecoder().decode(result.stdout);
  throw new Error(`${program}: ${new TextDecoder().decode(result.stderr)}`);
}

function tryKill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended before us.
  }
}
