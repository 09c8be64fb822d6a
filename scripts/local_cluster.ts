/**
 * Whole nodes on this machine, as an administrator would start them: processes of their own, real
 * sockets on loopback, a shared file as LUN. The demo, the bench and tests/daemon use it.
 *
 * @module
 */
import { Cable } from "./cable.ts";
import { diskPath, makeLuns } from "./local_luns.ts";
import type { Namespaces } from "./namespaces.ts";
import { NODE_MARK, pentad } from "./pentad_command.ts";
import { ControlGroups } from "../mod/host/linux/cgroup.ts";
import { isBlank, readEnvironment, readStat } from "../mod/host/linux/proc.ts";
import { nodeToken } from "../mod/host/linux/run_directory.ts";
import type { EventLine, StatusDocument } from "../mod/node/view.ts";

const LOOKS = 200;
const DECODER = new TextDecoder();

/** What one command line printed. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of a local cluster. */
export interface LocalClusterOptions {
  readonly names: readonly string[];
  /** With a shared file LUN. */
  readonly disk: boolean;
  /** LUNs more, which nothing uses yet; default none. */
  readonly spareDisks?: number;
  /** `process` is the stand-in for hosts without a watchdog device. */
  readonly watchdog: "process" | "none";
  /** Each node in a network namespace of its own; else all on loopback, with a cable each. */
  readonly network?: Pick<Namespaces, "address" | "prefix">;
  /** Without cables: nothing can be cut, and nothing is carried by this process. */
  readonly direct?: boolean;
  /** Each node mounts the tree on `pve` in its folder; needs root and /dev/fuse. */
  readonly mount?: boolean;
  /** Where daemons' own output goes; default: the node's folder. */
  readonly verbose?: boolean;
}

/** One node: its settings, its daemon process, and its ends of the cable. */
export class LocalNode {
  readonly name: string;
  readonly folder: string;
  readonly settings: string;
  readonly socket: string;
  /** What leads to this node. */
  readonly cable = new Cable();
  readonly #mark: string;
  /** What stands before the daemon's command: where it runs. */
  readonly #prefix: readonly string[];
  #daemon: Deno.ChildProcess | null = null;
  #http: Deno.HttpClient | null = null;

  constructor(
    name: string,
    folder: string,
    settings: Readonly<Record<string, unknown>>,
    prefix: readonly string[] = [],
  ) {
    this.#prefix = prefix;
    this.name = name;
    this.folder = folder;
    this.#mark = `${folder}`;
    this.settings = `${folder}/settings.json`;
    this.socket = `${folder}/run/api.sock`;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(this.settings, JSON.stringify(settings, null, 2));
  }

  /** Starts the daemon and waits until its API answers. */
  async start(...flags: readonly string[]): Promise<void> {
    const log = await Deno.open(`${this.folder}/daemon.log`, { create: true, append: true });
    const [program = "", ...args] = [...this.#prefix, ...pentad(), "daemon"];
    const child = new Deno.Command(program, {
      args: [...args, "--settings", this.settings, ...flags],
      env: { [NODE_MARK]: this.#mark },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#daemon = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.pipeTo(new WritableStream({ write: async (chunk) => void await log.write(chunk) }))
        .catch(() => {});
    }
    const ended = child.status.then((status) => {
      throw new Error(`Daemon ${this.name} ended with ${status.code}:\n${this.log()}`);
    });
    ended.catch(() => {});
    await Promise.race([ended, this.until("the API answers", () => true, 20_000)]);
  }

  /** Runs a daemon that is expected to end by itself. */
  async daemonOnce(): Promise<CliResult> {
    const [program, ...args] = pentad();
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...args, "daemon", "--settings", this.settings],
      env: { [NODE_MARK]: this.#mark },
      stdin: "null",
    }).output();
    return { code, stdout: DECODER.decode(stdout), stderr: DECODER.decode(stderr) };
  }

  /** The daemon's own output. */
  log(): string {
    return Deno.readTextFileSync(`${this.folder}/daemon.log`);
  }

  /** The daemon's process id. */
  get pid(): number {
    if (this.#daemon === null) throw new Error(`${this.name} was not started`);
    return this.#daemon.pid;
  }

  /** Ids of all living processes of this node whose command line contains `word`. */
  pids(word = ""): number[] {
    const found: number[] = [];
    for (const entry of Deno.readDirSync("/proc")) {
      const pid = Number(entry.name);
      if (!Number.isInteger(pid)) continue;
      try {
        let environ = readEnvironment(pid);
        // Within execve(2) a process shows nothing for a moment.
        for (let look = 0; environ === "" && look < LOOKS && isStarting(pid); look++) {
          environ = readEnvironment(pid);
        }
        if (!environ.split("\0").includes(`${NODE_MARK}=${this.#mark}`)) continue;
        if (Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(word)) found.push(pid);
      } catch {
        // It ended while we looked, or it is a zombie, or not ours to read.
      }
    }
    return found;
  }

  /** Sends a signal to all its processes (or those whose command line contains `word`). */
  signal(signal: Deno.Signal, word = ""): void {
    for (const pid of this.pids(word)) {
      try {
        Deno.kill(pid, signal);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  /** Where this node finds the shared disk: a link of its own, its path to the LUN. */
  get disk(): string {
    return this.diskAt(0);
  }

  /** The same of any disk, by place. */
  diskAt(at: number): string {
    return diskPath(this.folder, at);
  }

  /** Where it mounts the tree. */
  get mount(): string {
    return `${this.folder}/pve`;
  }

  /** Gives it its path to a LUN. */
  plugDisk(lun: string, at = 0): void {
    Deno.symlinkSync(lun, this.diskAt(at));
  }

  /** Takes its path to the LUN away: what is under way fails, and nothing opens again. */
  pullDisk(): void {
    Deno.removeSync(this.disk);
    this.signal("SIGKILL", "disk-worker");
  }

  /** The end of a host: SIGKILL to everything until nothing is left. */
  async powerCut(): Promise<void> {
    for (let left = this.pids(); left.length > 0; left = this.pids()) {
      this.signal("SIGKILL");
      await pause(10);
    }
    await this.#daemon?.status;
    this.#daemon = null;
  }

  /** Takes away what a daemon left mounted when it was killed. */
  async releaseMount(): Promise<void> {
    if (!Deno.readTextFileSync("/proc/self/mountinfo").includes(` ${this.mount} `)) return;
    await new Deno.Command("umount", { args: ["-f", "-l", this.mount] }).output();
  }

  /** Takes away the control groups that a keeper left when it was killed. */
  releaseGroups(): void {
    ControlGroups.removeAll(nodeToken(`${this.folder}/run`));
  }

  /** SIGKILL of the daemon alone; its keeper and resources are left to themselves. */
  async crash(): Promise<void> {
    Deno.kill(this.pid, "SIGKILL");
    await this.#daemon?.status;
    this.#daemon = null;
  }

  /** Runs `pentad ARGS` against this node. */
  async cli(...args: readonly string[]): Promise<CliResult> {
    const [program, ...words] = pentad();
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...words, "--socket", this.socket, ...args],
      stdin: "null",
    }).output();
    return { code, stdout: DECODER.decode(stdout), stderr: DECODER.decode(stderr) };
  }

  /** Runs a command that must succeed; returns what it printed. */
  async run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`pentad ${args.join(" ")} ended with ${code}:\n${stderr}`);
    return stdout.trim();
  }

  /** One request to its API over the Unix socket. */
  async api(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    this.#http ??= Deno.createHttpClient({ proxy: { transport: "unix", path: this.socket } });
    try {
      const response = await fetch(`http://127.0.0.1${path}`, {
        ...init,
        method,
        client: this.#http,
      });
      const body = await response.arrayBuffer();
      const empty = response.status === 204 || response.status === 304;
      return new Response(empty ? null : body, response);
    } catch (error) {
      // What it keeps open leads to a daemon that is gone.
      this.hangUp();
      throw error;
    }
  }

  /** Closes the connections to its API. */
  hangUp(): void {
    this.#http?.close();
    this.#http = null;
  }

  /** Its status document, or null where nobody answers. */
  async status(): Promise<StatusDocument | null> {
    try {
      return await (await this.api("GET", "/v1/status")).json() as StatusDocument;
    } catch {
      return null;
    }
  }

  /** Waits until its status satisfies `wanted`; throws with the last status after `limitMs`. */
  async until(
    what: string,
    wanted: (status: StatusDocument) => boolean,
    limitMs = 30_000,
  ): Promise<StatusDocument> {
    const end = performance.now() + limitMs;
    for (let status = await this.status();; status = await this.status()) {
      if (status !== null && wanted(status)) return status;
      if (performance.now() > end) {
        const last = JSON.stringify(status, null, 1);
        throw new Error(`${this.name}: not in ${limitMs} ms: ${what}\n${last}\n${this.log()}`);
      }
      await pause(25);
    }
  }

  /** Calls `onLine` for each line of its conversation until `signal` aborts. */
  async follow(onLine: (line: EventLine) => void, signal: AbortSignal, query = ""): Promise<void> {
    const client = Deno.createHttpClient({ proxy: { transport: "unix", path: this.socket } });
    try {
      const response = await fetch(`http://127.0.0.1/v1/events${query}`, { client, signal });
      let rest = "";
      for await (const chunk of (response.body ?? new ReadableStream())) {
        rest += DECODER.decode(chunk, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("data: {")) onLine(JSON.parse(line.slice(6)) as EventLine);
        }
      }
    } catch {
      // The node died or we were told to stop: either way there is nothing more to hear.
    } finally {
      client.close();
    }
  }
}

/** Several nodes with a folder, a cable each and (if asked for) a LUN between them. */
export class LocalCluster {
  readonly folder: string;
  readonly lun: string | null;
  readonly nodes: readonly LocalNode[];

  constructor(options: LocalClusterOptions) {
    this.folder = Deno.makeTempDirSync({ prefix: "pentad-" });
    const luns = makeLuns(this.folder, options.disk ? 1 + (options.spareDisks ?? 0) : 0);
    this.lun = luns[0] ?? null;
    // Addresses of its own for each cluster, so that several can run at once.
    const net = `127.${10 + Math.floor(Math.random() * 240)}.${Math.floor(Math.random() * 256)}`;
    this.nodes = options.names.map((name, at) => {
      const own = options.network?.address(at) ?? `${net}.${10 + at}`;
      const cabled = options.network === undefined && options.direct !== true;
      const [here, there] = [own, cabled ? `${net}.${110 + at}` : own];
      const folder = `${this.folder}/${name}`;
      const node = new LocalNode(name, folder, {
        name,
        state: `${folder}/state`,
        run: `${folder}/run`,
        links: [`${there}:5405`],
        peer: `${there}:5406`,
        bind: { links: [`${here}:5405`], peer: `${here}:5406` },
        disks: luns.map((_, place) => diskPath(folder, place)),
        watchdog: options.watchdog,
        mount: options.mount ? `${folder}/pve` : "off",
      }, options.network?.prefix(at));
      for (const [place, lun] of luns.entries()) node.plugDisk(lun, place);
      if (cabled) {
        node.cable.carryUdp(`${there}:5405`, `${here}:5405`);
        node.cable.carryTcp(`${there}:5406`, `${here}:5406`);
      }
      return node;
    });
  }

  /** The node of that place. */
  node(at: number): LocalNode {
    const node = this.nodes[at];
    if (node === undefined) throw new Error(`There is no node ${at}`);
    return node;
  }

  /** Starts all, makes a cluster of them and waits until all vote. */
  async form(profile: "fast" | "standard" = "fast"): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
    const disk = (node: LocalNode) => this.lun === null ? [] : ["--disk", node.disk];
    await this.node(0).run("init", "local", "--profile", profile, ...disk(this.node(0)));
    for (const node of this.nodes.slice(1)) {
      const ticket = await this.node(0).run("join", "ticket", "new");
      await node.run("join", "--ticket", ticket, ...disk(node));
      await node.until("it votes", (status) =>
        status.config.writable &&
        status.nodes.find((member) => member.self)?.role === "voter");
    }
    for (const node of this.nodes) {
      await node.until(
        "all are online",
        (status) =>
          status.quorate && status.nodes.length === this.nodes.length &&
          status.nodes.every((member) => member.state === "online"),
      );
    }
  }

  /** Cuts every cable. */
  cut(): void {
    for (const node of this.nodes) node.cable.cut();
  }

  /** Mends every cable. */
  mend(): void {
    for (const node of this.nodes) node.cable.mend();
  }

  /** Ends everything and leaves nothing behind. */
  async close(): Promise<void> {
    for (const node of this.nodes) {
      node.signal("SIGCONT");
      await node.powerCut();
      await node.releaseMount();
      node.releaseGroups();
      node.hangUp();
      node.cable.close();
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Neither an ended process, nor a thread of the kernel, which have nothing to show for good. */
function isStarting(pid: number): boolean {
  return isBlank(pid) && (readStat(pid)?.session ?? 0) !== 0;
}

/** Waits; only for polling the outside, never instead of an event. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
