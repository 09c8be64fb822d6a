/**
 * Machines of their own on which pentad is installed, with a stand-in for systemd that does what the
 * unit says of start, stop and restart: SIGTERM to the daemon alone, and a new one after it.
 */
import { ControlGroups } from "../../mod/host/linux/cgroup.ts";
import { nodeToken } from "../../mod/host/linux/run_directory.ts";
import type { StatusDocument } from "../../mod/node/view.ts";
import { pause } from "../../scripts/local_cluster.ts";
import { SshHosts } from "../../scripts/ssh_hosts.ts";

const DECODER = new TextDecoder();
export const PENTAD = "/usr/local/bin/pentad";
/** A hang must fail by its name. */
const PATIENCE_MS = 120_000;

/** Its state is in a folder of the machine's own /run. */
const SYSTEMCTL = `#!/bin/sh
here=/run/stand-in
begin() {
  /usr/bin/setsid ${PENTAD} daemon </dev/null >>$here/log 2>&1 &
  echo $! >$here/pid
}
end() {
  pid=$(cat $here/pid)
  kill -TERM $pid
  while [ -d /proc/$pid ]; do sleep 0.02; done
}
case " $* " in
*" list-jobs "*) cat $here/jobs 2>/dev/null ;;
*" enable --now "*) mkdir -p $here; begin ;;
*" restart "*)
  echo "1 pentad.service restart running" >$here/jobs
  end
  rm $here/jobs
  begin ;;
*" disable --now "*) end ;;
esac
exit 0
`;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Always close it. */
export class ServedMachines {
  readonly hosts: SshHosts;
  readonly folder: string;
  readonly #clients: (Deno.HttpClient | null)[];

  private constructor(hosts: SshHosts, folder: string, count: number) {
    this.hosts = hosts;
    this.folder = folder;
    this.#clients = Array.from({ length: count }, () => null);
  }

  /** Machines with `file` installed and its daemon running. */
  static async make(names: readonly string[], file: string): Promise<ServedMachines> {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-served-" });
    const hosts = await SshHosts.make(names.length, { own: true });
    const machines = new ServedMachines(hosts, folder, names.length);
    try {
      Deno.mkdirSync(`${folder}/bin`);
      Deno.writeTextFileSync(`${folder}/bin/systemctl`, SYSTEMCTL, { mode: 0o755 });
      // One look at the disk for all: what is unpacked is unpacked once.
      Deno.mkdirSync(`${folder}/cache`, { mode: 0o700 });
      for (const [at, name] of names.entries()) {
        await machines.must(at, "mkdir", "-p", "/run/systemd/system");
        const named = ["--name", name, "--address", hosts.address(at)];
        await machines.must(at, file, "install", ...named);
        await machines.until(at, "it answers", () => true);
      }
    } catch (error) {
      await machines.close();
      throw error;
    }
    return machines;
  }

  async run(at: number, ...words: readonly string[]): Promise<Ran> {
    const path = `${this.folder}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    const environment = ["env", `PATH=${path}`, `PENTAD_CACHE=${this.folder}/cache`];
    const { code, stdout, stderr } = await this.hosts.run(at, [...environment, ...words]);
    return { code, out: DECODER.decode(stdout).trim(), err: DECODER.decode(stderr) };
  }

  /** The same of what must succeed; what it printed. */
  async must(at: number, ...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(at, ...words);
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${err}`);
    return out;
  }

  /** One request to a machine's API; null where nobody answers. */
  async api(at: number, method: string, path: string, init: RequestInit = {}) {
    const socket = `${this.hosts.root(at)}/run/pentad/api.sock`;
    const client = this.#clients[at] ??= Deno.createHttpClient({
      proxy: { transport: "unix", path: socket },
    });
    try {
      const signal = AbortSignal.timeout(10_000);
      const answer = await fetch(`http://127.0.0.1${path}`, { ...init, method, client, signal });
      return { status: answer.status, text: await answer.text() };
    } catch {
      this.#hangUp(at);
      return null;
    }
  }

  async status(at: number): Promise<StatusDocument | null> {
    const answer = await this.api(at, "GET", "/v1/status");
    return answer?.status === 200 ? JSON.parse(answer.text) as StatusDocument : null;
  }

  /** Waits until a machine's status satisfies `wanted`. */
  async until(
    at: number,
    what: string,
    wanted: (status: StatusDocument) => boolean,
  ): Promise<StatusDocument> {
    for (const end = performance.now() + PATIENCE_MS;; await pause(50)) {
      const status = await this.status(at);
      if (status !== null && wanted(status)) return status;
      if (performance.now() < end) continue;
      const { out } = await this.run(at, "cat", "/run/stand-in/log");
      throw new Error(`${at}: not in time: ${what}\n${JSON.stringify(status, null, 1)}\n${out}`);
    }
  }

  /** The daemon's process, which systemd started last. */
  async daemon(at: number): Promise<number> {
    return Number(await this.must(at, "cat", "/run/stand-in/pid"));
  }

  async close(): Promise<void> {
    for (const at of this.#clients.keys()) {
      this.#hangUp(at);
      const token = nodeTokenOf(`${this.hosts.root(at)}/run/pentad`);
      // Keepers and resources outlive their daemon, as they should.
      for (let left = this.hosts.pids(at); left.length > 0;) {
        left.forEach(tryKill);
        await pause(10);
        left = this.hosts.pids(at).filter(isAlive);
      }
      if (token !== null) ControlGroups.removeAll(token);
    }
    await this.hosts.close();
    await Deno.remove(this.folder, { recursive: true });
  }

  #hangUp(at: number): void {
    this.#clients[at]?.close();
    this.#clients[at] = null;
  }
}

function nodeTokenOf(folder: string): string | null {
  try {
    return nodeToken(folder);
  } catch {
    return null;
  }
}

/** No zombie: those of ours are waited for when the hosts are closed. */
function isAlive(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) !== "";
  } catch {
    return false;
  }
}

function tryKill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended before us.
  }
}
