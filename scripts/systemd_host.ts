/**
 * A host whose first process is this machine's own systemd, in namespaces and a control group of its
 * own: the files of this machine as they are, what is written to them in memory, no network but a pair
 * of cables that lead to each other. Everything of it ends with its first process.
 *
 * @module
 */
import { pause } from "./local_cluster.ts";

const SYSTEMD = "/lib/systemd/systemd";
/** Where control groups of the second version are, alone or beside the first. */
const GROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const DECODER = new TextDecoder();
/** Patience until the host is up, in looks of 50 ms each. */
const LOOKS = 600;

/** Of this host's devices, those that a container is given (systemd.io/CONTAINER_INTERFACE). */
const DEVICES = [
  ...["null 1 3", "zero 1 5", "full 1 7", "random 1 8", "urandom 1 9", "tty 5 0"],
  "fuse 10 229",
];

/**
 * $1 the host's folder, $2 what it is given to read. What is read-only (sys, proc/sys) keeps systemd
 * from what is this machine's: udev, sysctl, modules.
 */
const BOOT = `set -eu
here="$1" given="$2"
mkdir "$here/memory" "$here/root"
mount -t tmpfs tmpfs "$here/memory"
mkdir "$here/memory/upper" "$here/memory/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$here/memory/upper,workdir=$here/memory/work" "$here/root"
cd "$here/root"
mkdir -p given old
mount --bind "$given" given
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
while read -r name major minor; do mknod -m 666 "dev/$name" c "$major" "$minor"; done <<END
${DEVICES.join("\n")}
END
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
: > etc/fstab
rm -rf etc/systemd/system/*.wants var/log/journal
tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id
ip link set lo up
ip link add eth0 type veth peer name eth1
ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip link set eth1 up
pivot_root . old
umount -l /old
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  ${SYSTEMD} --unit=basic.target --log-target=journal --show-status=0 < /dev/null
`;

/** The control group that the host's first process is in before it makes a namespace of it. */
const ENTER = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"';

/** What {@link SystemdHost} needs and this machine lacks, in words; null for nothing. */
export async function systemdHostMissing(): Promise<string | null> {
  if (Deno.uid() !== 0) return "not root";
  for (const path of [SYSTEMD, "/usr/bin/systemctl", "/usr/bin/nsenter", "/usr/bin/unshare"]) {
    if (await Deno.stat(path).catch(() => null) === null) return `no ${path}`;
  }
  if (groupsFolder() === null) return "no control groups of version 2";
  let host: SystemdHost | null = null;
  try {
    const given = Deno.makeTempDirSync({ prefix: "pentad-probe-" });
    try {
      host = await SystemdHost.make(given);
    } finally {
      Deno.removeSync(given);
    }
    return null;
  } catch (error) {
    return `systemd does not begin in a namespace: ${error instanceof Error ? error.message : ""}`;
  } finally {
    await host?.close();
  }
}

function groupsFolder(): string | null {
  for (const folder of GROUPS) {
    try {
      Deno.statSync(`${folder}/cgroup.controllers`);
      return folder;
    } catch {
      // Not this one.
    }
  }
  return null;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Always close it. */
export class SystemdHost {
  readonly #folder = Deno.makeTempDirSync({ prefix: "pentad-systemd-" });
  readonly #group: string;
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<string>;
  #first = 0;

  private constructor(given: string) {
    const groups = groupsFolder();
    if (groups === null) throw new Error("There are no control groups of version 2");
    this.#group = `${groups}/pentad-systemd-${crypto.randomUUID().slice(0, 8)}`;
    Deno.mkdirSync(this.#group);
    const spaces = ["--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc"];
    const how = ["--fork", "--kill-child", "--propagation", "private"];
    const boot = ["unshare", ...spaces, ...how, "sh", "-c", BOOT, "sh", this.#folder, given];
    this.#child = new Deno.Command("sh", {
      args: ["-c", ENTER, "sh", this.#group, ...boot],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#ended = new Response(this.#child.stderr).text();
  }

  /** A host that has booted, and shows the folder `given` as /given. */
  static async make(given: string): Promise<SystemdHost> {
    const host = new SystemdHost(given);
    try {
      await host.#boot();
    } catch (error) {
      await host.close();
      throw error;
    }
    return host;
  }

  async run(...words: readonly string[]): Promise<Ran> {
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: ["--all", `--target=${this.#first}`, "env", "-i", path, "HOME=/root", ...words],
      stdin: "null",
    }).output();
    return { code, out: DECODER.decode(stdout).trim(), err: DECODER.decode(stderr) };
  }

  /** The same of what must succeed; what it printed. */
  async must(...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(...words);
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${out}\n${err}`);
    return out;
  }

  async close(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended before us.
    }
    await this.#child.status;
    await this.#ended;
    while (!removeGroup(this.#group)) await pause(20);
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #boot(): Promise<void> {
    const ended = this.#ended.then((text) => {
      throw new Error(text.trim());
    });
    ended.catch(() => {});
    const up = async () => {
      for (let look = 0; look < LOOKS; look++, await pause(50)) {
        this.#first = childOf(this.#child.pid);
        if (this.#first === 0) continue;
        const { out } = await this.run("systemctl", "is-system-running");
        if (out === "running" || out === "degraded") return;
      }
      throw new Error("It does not come up");
    };
    await Promise.race([ended, up()]);
  }
}

/** The only child of a process; 0 where there is none. */
function childOf(pid: number): number {
  try {
    return Number(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim());
  } catch {
    return 0;
  }
}

/** Takes a control group and those below it away; false while somebody is in it. */
function removeGroup(folder: string): boolean {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory && !removeGroup(`${folder}/${name}`)) return false;
    }
    Deno.removeSync(folder);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
