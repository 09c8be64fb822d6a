/** From what a host is like to what that means for a node on it. Pure. @module */
import type { HostFacts, ModeFacts } from "../../host/linux/checkup.ts";
import { type Finding, ill, well } from "./finding.ts";

/** What the judge knows beside the facts. */
export interface HostMeans {
  readonly state: string;
  readonly mount: string | null;
  readonly watchdog: "auto" | "process" | "none";
  /** A pentad runs here; what it holds is not somebody else's. */
  readonly daemon: boolean;
}

const GIB = 1024 ** 3;
/** With less, a database at its bounds with history and backups does not fit. */
const FREE_WARN_BYTES = 2 * GIB;
/** With less, the next snapshot may not fit. */
const FREE_FAIL_BYTES = GIB / 4;
/** A commit waits for one of these on each of two nodes. */
const SYNC_WARN_MS = 50;
/** A beat of the fast profile is due five times in a second. */
const SYNC_FAIL_MS = 1000;
/** A database there is gone after a reboot, and with it what the node acknowledged. */
const VOLATILE = ["tmpfs", "ramfs", "devtmpfs"];
/** Locks and shared memory of SQLite's WAL do not work there: sqlite.org/wal.html. */
const REMOTE = /^(nfs|nfs4|cifs|smb3|9p|ceph|glusterfs|fuse(\..*)?)$/;
/** Names as /proc/PID/comm shows them. */
const OTHER_CLUSTERS = ["corosync", "pmxcfs", "pacemakerd", "sbd"];
const WATCHDOG_HOLDERS = ["watchdog-mux", "watchdog", "wd_keepalive", "sbd"];

/** All findings, in the order in which a person would mend them. */
export function hostFindings(facts: HostFacts, means: HostMeans): Finding[] {
  return [
    ofUser(facts),
    ...ofKernel(facts, means),
    ofWatchdog(facts, means),
    ofClock(facts),
    ...ofSleep(facts),
    ...ofStore(facts, means),
    ...ofModes(facts.modes),
    ...ofMount(facts, means),
    ofOthers(facts),
    ...facts.disks.map(ofDisk),
  ];
}

function ofUser({ root }: HostFacts): Finding {
  return root
    ? well("user", "this runs as root")
    : ill("warn", "user", "not all can be seen without root", "run it as root");
}

function ofKernel({ fuse, unifiedGroups, pressure }: HostFacts, { mount }: HostMeans): Finding[] {
  const found: Finding[] = [];
  if (mount !== null) {
    found.push(
      fuse ? well("fuse", "/dev/fuse is there") : ill(
        "fail",
        "fuse",
        "there is no /dev/fuse: the tree cannot be mounted",
        'modprobe fuse, or "mount": "off" in the settings',
      ),
    );
  }
  found.push(
    unifiedGroups ? well("cgroup", "control groups are unified") : ill(
      "warn",
      "cgroup",
      "no unified control groups: what a resource started is followed by other, weaker marks",
      "boot with systemd.unified_cgroup_hierarchy=1",
    ),
    pressure ? well("pressure", "the kernel measures I/O pressure") : ill(
      "warn",
      "pressure",
      "no /proc/pressure: the score goes by iowait",
      "boot with psi=1",
    ),
  );
  return found;
}

function ofWatchdog(facts: HostFacts, { watchdog, daemon }: HostMeans): Finding {
  const { watchdogs, systemdWatchdog, processes } = facts;
  const name = "watchdog";
  if (systemdWatchdog !== null) {
    const what = `systemd holds the watchdog: RuntimeWatchdogSec=${systemdWatchdog}`;
    return ill(
      "fail",
      name,
      what,
      "set RuntimeWatchdogSec=off in /etc/systemd/system.conf, reboot",
    );
  }
  const holder = WATCHDOG_HOLDERS.find((each) => processes.has(each));
  if (holder !== undefined) {
    return ill("fail", name, `"${holder}" holds the watchdog`, `stop and disable ${holder}`);
  }
  if (watchdog !== "auto") {
    const what = `the settings say "watchdog": "${watchdog}": nothing resets a host that hangs`;
    return ill("warn", name, what, '"watchdog": "auto"');
  }
  const [first] = watchdogs;
  if (first === undefined) {
    const what = "there is no watchdog: the death of this node cannot be proven by waiting";
    return ill("warn", name, what, "load the hardware's driver, or modprobe softdog");
  }
  if (first.active === true && !daemon) {
    const fix = "find it (fuser -v /dev/watchdog*), and stop it";
    return ill("fail", name, `${first.name} is held by another program`, fix);
  }
  const identity = first.identity ?? first.name;
  if (/software watchdog/i.test(identity)) {
    const what = `${first.name} is "${identity}": a kernel that hangs does not reset itself by it`;
    return ill("warn", name, what, "load the driver of the board's watchdog or of IPMI");
  }
  return well(name, `${first.name} is "${identity}"`);
}

function ofClock({ clockKept }: HostFacts): Finding {
  if (clockKept === true) return well("clock", "the wall clock is kept");
  const what = clockKept === null
    ? "the kernel does not say whether the wall clock is kept"
    : "nothing keeps the wall clock: times in events and history will not agree";
  return ill("warn", "clock", what, "install chrony, or systemctl enable --now systemd-timesyncd");
}

function ofSleep({ swap, sleeps }: HostFacts): Finding[] {
  return [
    swap
      ? ill(
        "warn",
        "swap",
        "swap is on: a node that is swapped out misses its beats",
        "swapoff, or run pentad as its unit, which keeps it out of swap (MemorySwapMax=0)",
      )
      : well("swap", "there is no swap"),
    sleeps
      ? ill(
        "warn",
        "sleep",
        "this host can be put to sleep, and is dead to the others then",
        "systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target",
      )
      : well("sleep", "this host does not sleep"),
  ];
}

function ofStore({ store, freeBytes, syncMs }: HostFacts, { state }: HostMeans): Finding[] {
  const found: Finding[] = [];
  const type = store?.type ?? "unknown";
  const moved = `"state" in the settings: a folder on a local disk`;
  if (VOLATILE.includes(type)) {
    found.push(ill("fail", "file-system", `"${state}" is in memory (${type})`, moved));
  } else if (REMOTE.test(type)) {
    found.push(ill("fail", "file-system", `"${state}" is on "${type}", not on a disk here`, moved));
  } else found.push(well("file-system", `"${state}" is on ${type}`));
  if (freeBytes !== null) {
    const what = `${(freeBytes / GIB).toFixed(1)} GiB are free for "${state}"`;
    const level = freeBytes < FREE_FAIL_BYTES
      ? "fail"
      : freeBytes < FREE_WARN_BYTES
      ? "warn"
      : "ok";
    const fix = "make room there, or keep less: history and backup in the settings";
    found.push(level === "ok" ? well("space", what) : ill(level, "space", what, fix));
  }
  if (syncMs !== null) {
    const what = `the slowest durable write took ${syncMs.toFixed(1)} ms`;
    const level = syncMs > SYNC_FAIL_MS ? "fail" : syncMs > SYNC_WARN_MS ? "warn" : "ok";
    const fix = "look what else writes there (iostat -x 1), or give the state a disk of its own";
    found.push(level === "ok" ? well("latency", what) : ill(level, "latency", what, fix));
  }
  return found;
}

function ofModes(modes: readonly ModeFacts[]): Finding[] {
  const bad = modes.flatMap(({ path, mode, forbidden, owner }): Finding[] => {
    const octal = mode.toString(8).padStart(4, "0");
    if (owner !== 0) {
      return [ill("fail", "modes", `"${path}" belongs to user ${owner}`, `chown root: "${path}"`)];
    }
    if ((mode & forbidden) === 0) return [];
    const right = (mode & ~forbidden).toString(8).padStart(4, "0");
    return [ill("fail", "modes", `"${path}" has mode ${octal}`, `chmod ${right} "${path}"`)];
  });
  return bad.length > 0 ? bad : [well("modes", `${modes.length} private files are root's alone`)];
}

function ofMount({ mounted }: HostFacts, { mount, daemon }: HostMeans): Finding[] {
  if (mount === null) return [];
  if (mounted === null) return [well("mount", `nothing is mounted on "${mount}" yet`)];
  const { type, source } = mounted;
  if (type === "fuse.pentad" && daemon) return [well("mount", `the tree is on "${mount}"`)];
  const what = `"${type}" from "${source}" is mounted on "${mount}"`;
  const fix = type === "fuse.pentad"
    ? `nobody serves it any more: umount -l "${mount}", or start the daemon`
    : `unmount it, or set "mount" in the settings to another folder`;
  return [ill("fail", "mount", what, fix)];
}

function ofOthers({ processes }: HostFacts): Finding {
  const there = OTHER_CLUSTERS.filter((name) => processes.has(name));
  if (there.length === 0) return well("others", "no other cluster manager runs here");
  const what = `${there.join(", ")} run here: two managers would start everything twice`;
  return ill("fail", "others", what, `stop and disable ${there.join(", ")}`);
}

function ofDisk({ path, isDevice }: HostFacts["disks"][number]): Finding {
  return isDevice
    ? well("disk", `"${path}" is a device; whether it can fence: pentad storage check`)
    : ill("fail", "disk", `"${path}" is no device of this host`, "see ls -l /dev/disk/by-id");
}
