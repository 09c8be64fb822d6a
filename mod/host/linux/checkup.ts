/**
 * What this host is like, as far as a node depends on it. Looks, and changes nothing but one file of
 * its own that it writes to measure the disk and takes away again. What cannot be seen is null.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { isClockKept } from "../ffi/clock_state.ts";
import { infoAt, linkAt } from "./files.ts";
import { type Mount, mountAt, parseMounts } from "./mountinfo.ts";

/** Where to look. `root` is "" on a host, a folder in a test; all other paths are as the host has them. */
export interface CheckupAsk {
  readonly root: string;
  readonly state: string;
  /** Null where the tree is to be mounted nowhere. */
  readonly mount: string | null;
  readonly disks: readonly string[];
  /** Files that are root's, and the bits of a mode that none of them may have. */
  readonly secrets: readonly { readonly path: string; readonly forbidden: number }[];
}

/** A watchdog of the kernel: Documentation/ABI/testing/sysfs-class-watchdog. */
export interface WatchdogFacts {
  readonly name: string;
  readonly identity: string | null;
  readonly active: boolean | null;
}

/** A file or folder, and who may do what with it. */
export interface ModeFacts {
  readonly path: string;
  readonly mode: number;
  /** Bits that it should not have. */
  readonly forbidden: number;
  readonly owner: number;
}

export interface HostFacts {
  readonly root: boolean;
  readonly fuse: boolean;
  readonly unifiedGroups: boolean;
  readonly pressure: boolean;
  readonly clockKept: boolean | null;
  readonly swap: boolean;
  /** Ways to sleep that the kernel has and nobody masked. */
  readonly sleeps: boolean;
  readonly watchdogs: readonly WatchdogFacts[];
  /** `RuntimeWatchdogSec=` of systemd; null where it is not set. */
  readonly systemdWatchdog: string | null;
  /** Where the node's files are to be: the mount that holds them. */
  readonly store: Mount | null;
  readonly freeBytes: number | null;
  /** The slowest of a few small durable writes there: ms. */
  readonly syncMs: number | null;
  /** What is mounted where the tree is to be. */
  readonly mounted: Mount | null;
  readonly disks: readonly { readonly path: string; readonly isDevice: boolean }[];
  readonly modes: readonly ModeFacts[];
  /** Names of all processes. */
  readonly processes: ReadonlySet<string>;
  readonly mtus: ReadonlyMap<string, number>;
}

const SYNCS = 8;
const SYNC_BYTES = 4096;

/** Looks at all of it. */
export function hostFacts(ask: CheckupAsk): HostFacts {
  const { root, state, mount } = ask;
  const text = (path: string) => textAt(`${root}${path}`);
  const mounts = parseMounts(text("/proc/self/mountinfo") ?? "");
  const folder = nearestFolder(root, state);
  return {
    root: Deno.uid() === 0,
    fuse: infoAt(`${root}/dev/fuse`) !== null,
    unifiedGroups: text("/sys/fs/cgroup/cgroup.controllers") !== null,
    pressure: text("/proc/pressure/io") !== null,
    clockKept: isClockKept(),
    swap: (text("/proc/swaps") ?? "").trim().split("\n").length > 1,
    sleeps: canSleep(root, text("/sys/power/state") ?? ""),
    watchdogs: watchdogsBelow(root),
    systemdWatchdog: systemdWatchdog(root),
    store: holderOf(mounts, folder.slice(root.length) || "/"),
    freeBytes: freeAt(folder),
    syncMs: syncMs(folder),
    mounted: mount === null ? null : mountAt(mounts, mount.replace(/\/+$/, "")),
    disks: ask.disks.map((path) => {
      const info = infoAt(`${root}${path}`);
      return { path, isDevice: info?.isBlockDevice === true || info?.isCharDevice === true };
    }),
    modes: ask.secrets.flatMap(({ path, forbidden }) => modeAt(root, path, forbidden)),
    processes: processNames(root),
    mtus: mtusBelow(root),
  };
}

function textAt(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** Systemd's targets that are masked lead nowhere: systemctl(1). */
function canSleep(root: string, states: string): boolean {
  if (!/\b(mem|disk|standby)\b/.test(states)) return false;
  return linkAt(`${root}/etc/systemd/system/sleep.target`) !== "/dev/null" &&
    linkAt(`${root}/etc/systemd/system/suspend.target`) !== "/dev/null";
}

function watchdogsBelow(root: string): WatchdogFacts[] {
  const folder = `${root}/sys/class/watchdog`;
  return namesIn(folder).map((name) => {
    const state = textAt(`${folder}/${name}/state`)?.trim() ?? null;
    const identity = textAt(`${folder}/${name}/identity`)?.trim() ?? null;
    return { name, identity, active: state === null ? null : state === "active" };
  });
}

/** The last word counts: systemd-system.conf(5). */
function systemdWatchdog(root: string): string | null {
  const folders = ["/usr/lib/systemd/system.conf.d", "/etc/systemd/system.conf.d"];
  const extra = folders.flatMap((folder) =>
    namesIn(`${root}${folder}`).filter((name) => name.endsWith(".conf"))
      .map((name) => `${folder}/${name}`)
  );
  let found: string | null = null;
  for (const path of ["/etc/systemd/system.conf", ...extra]) {
    const lines = (textAt(`${root}${path}`) ?? "").split("\n");
    for (const line of lines) {
      found = /^\s*RuntimeWatchdogSec\s*=\s*(.*?)\s*$/.exec(line)?.[1] ?? found;
    }
  }
  return found === null || /^(off|0|)$/.test(found) ? null : found;
}

/** The folder itself, or the nearest above it that is there. */
function nearestFolder(root: string, path: string): string {
  for (let folder = path; folder !== ""; folder = folder.slice(0, folder.lastIndexOf("/"))) {
    if (infoAt(`${root}${folder}`)?.isDirectory) return `${root}${folder}`;
  }
  return root === "" ? "/" : root;
}

function holderOf(mounts: readonly Mount[], path: string): Mount | null {
  const above = mounts.filter(({ target }) =>
    target === "/" || path === target || path.startsWith(`${target}/`)
  );
  const longest = Math.max(...above.map(({ target }) => target.length));
  return above.findLast(({ target }) => target.length === longest) ?? null;
}

/** Bytes that root's programs may still write there. */
export function freeAt(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Null where nothing may be written there. */
function syncMs(folder: string): number | null {
  const path = `${folder}/.pentad-check-${Deno.pid}`;
  try {
    using file = Deno.openSync(path, { createNew: true, write: true, mode: 0o600 });
    let slowest = 0;
    for (let at = 0; at < SYNCS; at++) {
      const started = performance.now();
      file.writeSync(new Uint8Array(SYNC_BYTES));
      file.syncDataSync();
      slowest = Math.max(slowest, performance.now() - started);
    }
    return slowest;
  } catch {
    return null;
  } finally {
    try {
      Deno.removeSync(path);
    } catch {
      // It was not made.
    }
  }
}

function modeAt(root: string, path: string, forbidden: number): ModeFacts[] {
  const info = infoAt(`${root}${path}`);
  if (info === null || info.mode === null) return [];
  return [{ path, mode: info.mode & 0o777, forbidden, owner: info.uid ?? 0 }];
}

function processNames(root: string): ReadonlySet<string> {
  const pids = namesIn(`${root}/proc`).filter((name) => /^\d+$/.test(name));
  const names = pids.map((pid) => textAt(`${root}/proc/${pid}/comm`)?.trim() ?? "");
  return new Set(names.filter((name) => name !== ""));
}

function mtusBelow(root: string): ReadonlyMap<string, number> {
  const folder = `${root}/sys/class/net`;
  const found = namesIn(folder).map((name) =>
    [name, Number(textAt(`${folder}/${name}/mtu`) ?? NaN)] as const
  );
  return new Map(found.filter(([, mtu]) => Number.isSafeInteger(mtu)));
}
