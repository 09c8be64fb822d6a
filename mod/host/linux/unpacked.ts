/**
 * The folders that the one file unpacked itself into, a version each: what this start owes them.
 *
 * Those that stay: this version's, the one that was begun last before it (a rollback needs it), and
 * each whose runtime is a living process's. The script in front of the program holds a shared lock
 * from before its look at a folder until that folder's runtime runs, so that nothing is cleared away
 * between the two; who clears away holds it alone, and never waits for it: the next start looks again.
 *
 * @module
 */
import { openLibc } from "../ffi/libc.ts";

/** Under this number the script has the lock, and hands it over with execve(2). */
const LOCK_FD = 9;
/** A folder's name: the beginning of a digest. */
const VERSION = /^[0-9a-f]{16}$/;
/** What a start is unpacking, or was when it was ended; its process id. */
const UNFINISHED = /^unpacking\.(\d+)(\.tar\.gz|\.gone\.[0-9a-f]{16})?$/;

/** At the start of a program that lies in `own`: lets go of the lock, and clears away. */
export function settleUnpacked(own: string): void {
  const base = own.slice(0, own.lastIndexOf("/"));
  try {
    // Processes that a daemon starts do not come by the script, and that number is another file's.
    if (Deno.readLinkSync(`/proc/self/fd/${LOCK_FD}`) !== Deno.realPathSync(`${base}/lock`)) return;
  } catch {
    return;
  }
  // int close(int fd);
  openLibc({ close: { parameters: ["i32"], result: "i32" } }).close(LOCK_FD);
  try {
    clearUnpacked(base, own.slice(base.length + 1));
  } catch {
    // It costs room, and nothing else.
  }
}

/** Leaves of the folders below `base` those that may be needed; `own` is this program's name there. */
export function clearUnpacked(base: string, own: string): void {
  const before = listOf(base);
  if (before.versions.length <= 2 && before.unfinished.length === 0) return;
  using lock = Deno.openSync(`${base}/lock`, { read: true, write: true });
  if (!lock.tryLockSync(true)) return;
  const { versions, unfinished } = listOf(base);
  const others = versions.filter((name) => name !== own)
    .map((name) => ({ name, usedAt: usedAt(`${base}/${name}`) }))
    .sort((a, b) => b.usedAt - a.usedAt);
  const running = runtimesInUse();
  const gone = unfinished.map((name) => `${base}/${name}`);
  for (const { name } of others.slice(1)) {
    const folder = `${base}/${name}`;
    if (running.has(identityOf(`${folder}/deno`) ?? "none")) continue;
    // Whoever comes after the lock finds none, and not half of one.
    const away = `${base}/unpacking.${Deno.pid}.gone.${name}`;
    Deno.renameSync(folder, away);
    gone.push(away);
  }
  lock.unlockSync();
  for (const path of gone) remove(path);
}

/**
 * Takes away what was unpacked below `base`, this program's own folder included, but what another
 * process runs, and all of it where a start is under way that wants it. True where nothing is left.
 */
export function clearAllUnpacked(base: string): boolean {
  try {
    using lock = Deno.openSync(`${base}/lock`, { read: true, write: true });
    if (!lock.tryLockSync(true)) return false;
    const running = runtimesInUse(String(Deno.pid));
    const { versions, unfinished } = listOf(base);
    const gone = versions.map((name) => `${base}/${name}`)
      .filter((folder) => !running.has(identityOf(`${folder}/deno`) ?? "none"));
    for (const path of [...gone, ...unfinished.map((name) => `${base}/${name}`)]) remove(path);
    if (gone.length < versions.length) return false;
    remove(`${base}/lock`);
    Deno.removeSync(base);
    return true;
  } catch {
    // Somebody keeps something in it, or nothing was ever unpacked there.
    return identityOf(base) === null;
  }
}

/** Folders of versions, and leavings of processes that have ended. Links are nobody's of ours. */
function listOf(base: string) {
  const entries = [...Deno.readDirSync(base)].filter(({ isSymlink }) => !isSymlink);
  const versions = entries.filter(({ name, isDirectory }) => isDirectory && VERSION.test(name));
  const unfinished = entries.filter(({ name }) => {
    const pid = UNFINISHED.exec(name)?.[1];
    return pid !== undefined && pid !== String(Deno.pid) && identityOf(`/proc/${pid}`) === null;
  });
  return {
    versions: versions.map(({ name }) => name),
    unfinished: unfinished.map(({ name }) => name),
  };
}

/** When a version was begun last, in milliseconds since 1970; 0 where that is not known. */
function usedAt(folder: string): number {
  for (const mark of ["used", "whole"]) {
    try {
      return Deno.statSync(`${folder}/${mark}`).mtime?.getTime() ?? 0;
    } catch {
      // A version of before that mark.
    }
  }
  return 0;
}

/** What every living process but one runs, by {@link identityOf}; wherever it sees it. */
function runtimesInUse(except = ""): Set<string> {
  const found = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const identity = /^\d+$/.test(name) && name !== except ? identityOf(`/proc/${name}/exe`) : null;
    if (identity !== null) found.add(identity);
  }
  return found;
}

/** Device and inode; null where there is nothing, or nothing that we may see. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    // Another start was faster.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
