/**
 * One host of the lab: a Linux kernel that runs as a process of this machine (user-mode-linux),
 * with a disk of its own. Everything of it is one pid namespace: one SIGKILL is a power cut.
 *
 * @module
 */
import { freeze, thaw } from "./freezer.ts";
import type { LabNetwork } from "./network.ts";
import { must, type Ran, ran, until } from "./shell.ts";

/** A host boots within this, on a machine with much else to do. */
const BOOT_SECONDS = 120;
/** An order over the serial line takes at most this. */
const ORDER_SECONDS = 60;
/** A killed kernel is gone within this. */
const GONE_SECONDS = 20;
/** USER_HZ: proc(5). */
const TICKS_SECOND = 100;

/**
 * Started as `sh -c STARTER FOLDER KERNEL…`: the serial line is file 9, the console is a file. The
 * kernel must not be the first process of its namespace, where its own abort() would do nothing.
 */
const STARTER = 'exec 9<>"$0/line" >>"$0/console" 2>&1; ' +
  `exec setsid unshare --pid --fork --kill-child=KILL sh -c '"$@" & wait' sh "$@"`;

/** What a host is made of. */
export interface HostOptions {
  /** `h1` */
  readonly name: string;
  /** The lab's folder. */
  readonly folder: string;
  readonly network: LabNetwork;
  /** As the kernel takes it: `256M`. */
  readonly memory: string;
}

/** See the module's note. */
export class LabHost {
  readonly name: string;
  readonly #folder: string;
  readonly #network: LabNetwork;
  readonly #memory: string;
  #orders = 0;
  #child: Deno.ChildProcess | null = null;

  constructor({ name, folder, network, memory }: HostOptions) {
    this.name = name;
    this.#folder = folder;
    this.#network = network;
    this.#memory = memory;
  }

  /** Makes its disk, keys and cables. */
  async make(diskBytes: number): Promise<void> {
    await Deno.mkdir(`${this.#own}/kernel`, { recursive: true });
    await Deno.mkdir(this.#box);
    await must("mkfifo", `${this.#own}/line`);
    await must("truncate", "-s", String(diskBytes), `${this.#own}/disk`);
    await must("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", `${this.#own}/disk`);
    const key = `${this.#share}/keys/${this.name}`;
    await must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", this.name, "-f", key);
    const [kind, value] = (await Deno.readTextFile(`${key}.pub`)).split(" ");
    await this.#network.addHost(this.name);
    for (let nic = 0; nic < this.#network.nics; nic++) {
      const alias = nic === 0 ? this.name : `${this.name}-${nic}`;
      const address = this.#network.address(this.name, nic);
      await append(`${this.#share}/hosts`, `${address} ${alias}\n`);
      await append(`${this.#share}/known_hosts`, `${alias},${address} ${kind} ${value}\n`);
    }
  }

  /** Power on; resolves when it takes orders. */
  async boot(): Promise<void> {
    if (this.pid() !== null) throw new Error(`${this.name} is on already`);
    await this.#hangUp();
    for (const { name } of [...Deno.readDirSync(this.#box)]) {
      await Deno.remove(`${this.#box}/${name}`);
    }
    const [program = "", ...args] = [
      ...this.#network.prefix,
      ...["sh", "-c", STARTER, this.#own, "linux.uml", `mem=${this.#memory}`, `umid=${this.name}`],
      ...[`uml_dir=${this.#own}/kernel`, "noreboot", "panic=-1", "quiet", "root=/dev/root"],
      ...["rootfstype=hostfs", "rootflags=/", "ro", `init=${this.#share}/host.sh`],
      ...["con=null", "con0=null,fd:1", "ssl0=fd:9,null", `ubda=${this.#own}/disk`],
      ...this.#interfaces(),
      ...[`LABDIR=${this.#folder}`, `LABHOST=${this.name}`, `LABNICS=${this.#network.nics}`],
    ];
    this.#child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    this.#child.unref();
    await Deno.writeTextFile(`${this.#own}/pid`, String(this.#child.pid));
    await until(`${this.name} boots (see ${this.#own}/console)`, BOOT_SECONDS, () => {
      return exists(`${this.#box}/ready`);
    });
    await until(`${this.name} lets us in`, BOOT_SECONDS, async () => {
      return (await this.run("true")).code === 0;
    });
  }

  /** The process that holds its namespace; null while it is off. */
  pid(): number | null {
    const pid = Number(read(`${this.#own}/pid`) ?? 0);
    const line = pid > 0 ? read(`/proc/${pid}/cmdline`) : null;
    return line?.includes(`ubda=${this.#own}/disk`) ? pid : null;
  }

  /** Processor time that it has used since it was powered on, with all that ran in it. */
  workSeconds(): number {
    const pid = this.pid();
    return pid === null ? 0 : ticksOf(pid) / TICKS_SECOND;
  }

  /** Power off, in the midst of whatever it does. */
  async cut(): Promise<void> {
    const pid = this.pid();
    if (pid !== null) {
      for (const inner of childrenOf(pid)) kill(inner);
      await thaw(this.#cage);
      await this.gone(GONE_SECONDS);
    }
    await this.#hangUp();
  }

  /** Resolves when it has gone off, by itself or not. */
  async gone(seconds: number): Promise<void> {
    await until(`${this.name} goes off`, seconds, () => this.pid() === null);
    // Nothing else may keep the event loop while it ends.
    this.#child?.ref();
    await this.#child?.status;
    this.#child = null;
  }

  /** Stops all of it, as a hypervisor would. */
  async freeze(): Promise<void> {
    const pid = this.pid();
    if (pid === null) throw new Error(`${this.name} is off`);
    await freeze(this.#cage, pid);
  }

  async thaw(): Promise<void> {
    await thaw(this.#cage);
  }

  /** What stands before a shell command so that it runs in the host, over its first net. */
  get remote(): readonly string[] {
    return [
      ...this.#network.prefix,
      ...["ssh", "-q", "-F", "none", "-i", `${this.#share}/keys/lab`, "-l", "root"],
      ...["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=30"],
      ...["-o", "ControlMaster=auto", "-o", `ControlPath=${this.#own}/ssh`],
      ...["-o", "ControlPersist=300", "-o", "ServerAliveInterval=10"],
      // A loaded host, or one that is frozen for a while, has not gone.
      ...["-o", "ServerAliveCountMax=9"],
      ...["-o", `UserKnownHostsFile=${this.#share}/known_hosts`, "-o", `HostKeyAlias=${this.name}`],
      ...["-o", `HostName=${this.#network.address(this.name, 0)}`, this.name],
    ];
  }

  /** Runs a shell command in the host. */
  run(script: string): Promise<Ran> {
    return ran([...this.remote, "--", script]);
  }

  /** Runs a shell command that must succeed; its standard output without the last line end. */
  async must(script: string): Promise<string> {
    const { code, out, err } = await this.run(script);
    if (code === 0) return out.replace(/\n$/, "");
    throw new Error(`${this.name}: ${script}: exit ${code}: ${err}${out}`);
  }

  /** Runs a shell command without any network. Output and errors are one. */
  async order(script: string): Promise<Ran> {
    const number = `${Deno.pid}-${++this.#orders}`;
    const place = `${this.#box}/${number}`;
    await Deno.writeTextFile(`${place}.order`, script);
    await Deno.writeTextFile(`${this.#own}/line`, `${number}\n`);
    await until(`${this.name} answers over its serial line`, ORDER_SECONDS, () => {
      if (this.pid() === null) throw new Error(`${this.name} went off`);
      return exists(`${place}.code`);
    });
    const code = Number(read(`${place}.code`));
    const out = read(`${place}.output`) ?? "";
    for (const end of ["order", "output", "code"]) await Deno.remove(`${place}.${end}`);
    return { code, out, err: "" };
  }

  /** A Unix socket of this machine that leads to one of the host, until it goes off. */
  async forward(socket: string): Promise<string> {
    const here = `${this.#own}/${socket.replaceAll("/", "_")}`;
    await this.must("true");
    // What is forwarded already is not forwarded anew, though its socket be gone.
    const ask = (what: string) => {
      return ran([...this.remote.slice(0, -1), "-O", what, "-L", `${here}:${socket}`, this.name]);
    };
    await ask("cancel");
    await Deno.remove(here).catch(() => {});
    const { code, err } = await ask("forward");
    if (code !== 0) throw new Error(`${this.name}: no way to ${socket}: ${err}`);
    return here;
  }

  #interfaces(): string[] {
    return Array.from({ length: this.#network.nics }, (_, nic) => {
      const last = Number(this.name.slice(1)).toString(16).padStart(2, "0");
      const mac = `52:54:00:77:0${nic}:${last}`;
      return `vec${nic}:transport=tap,ifname=${this.name}.${nic},depth=64,gro=1,mac=${mac}`;
    });
  }

  /** Ends the ssh connection to its former life. */
  async #hangUp(): Promise<void> {
    const control = `${this.#own}/ssh`;
    if (!exists(control)) return;
    await ran(["ssh", "-q", "-F", "none", "-o", `ControlPath=${control}`, "-O", "exit", this.name]);
    await Deno.remove(control).catch(() => {});
  }

  get #own(): string {
    return `${this.#folder}/${this.name}`;
  }

  get #share(): string {
    return `${this.#folder}/share`;
  }

  get #box(): string {
    return `${this.#share}/${this.name}`;
  }

  /** Name of its control group while it is frozen. */
  get #cage(): string {
    return `${this.#network.name}-${this.name}`;
  }
}

/** proc(5), /proc/PID/stat: utime, stime, cutime and cstime of a process and all below it. */
function ticksOf(pid: number): number {
  // The name before may hold anything but a closing parenthesis at the end.
  const fields = (read(`/proc/${pid}/stat`) ?? "").replace(/^.*\) /s, "").split(" ");
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), own);
}

/** Children of a process, by pid. */
export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text.split(" ").filter((word) => word !== "").map(Number);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

function append(path: string, text: string): Promise<void> {
  return Deno.writeTextFile(path, text, { append: true });
}

function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
