/**
 * Makes a mount point ready: what is there already, whose it is, and whether it may be taken over.
 *
 * A mount of somebody else is never touched, not even with stat(2): where nobody answers that would
 * hang. What touches a path at all runs on another thread and is waited for within a bound; a thread
 * that hangs there is lost, and the failure says so.
 *
 * @module
 */
import { statfs } from "node:fs";
import { MNT_DETACH, MNT_FORCE, UMOUNT_NOFOLLOW, unmount } from "../ffi/fuse_device.ts";
import type { FuseFailure, FuseMountOptions } from "../ports.ts";
import { type Mount, mountAt, readMounts } from "./mountinfo.ts";

/** File system type as mount(8) shows it. */
export const TYPE = "fuse.pentad";
/** How long one call on a path may take. */
const CALL_MS = 2000;
/** What a mount answers whose server is gone. */
const DEAD: readonly string[] = ["ENOTCONN", "ECONNABORTED"];
/** Dead mounts above each other that are taken away. */
const STALE_MAX = 8;

/** The mount point's path without links, once it is an empty folder with nothing mounted there. */
export async function prepareTarget(
  { target, allowNonEmpty = false }: FuseMountOptions,
): Promise<string | FuseFailure> {
  try {
    const path = await bounded(canonicalPath(target), target);
    const occupied = await takeOver(path);
    if (occupied !== null) return occupied;
    return await bounded(makeFolder(path), path) && !allowNonEmpty
      ? failure("occupied", `"${path}" is not empty, and its files would be hidden`)
      : path;
  } catch (error) {
    if (error instanceof TargetError) return error.failure;
    return failure(
      "io",
      `Cannot use "${target}": ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** A failure on its way out. */
class TargetError extends Error {
  readonly failure: FuseFailure;

  constructor(failure: FuseFailure) {
    super(failure.detail);
    this.failure = failure;
  }
}

function failure(kind: FuseFailure["failure"], detail: string): FuseFailure {
  return { failure: kind, detail };
}

/** The parent is resolved, the mount point itself is not: it may be dead. */
async function canonicalPath(target: string): Promise<string> {
  const path = target.replace(/\/+$/, "");
  const at = path.lastIndexOf("/");
  const name = path.slice(at + 1);
  if (!path.startsWith("/") || name === "." || name === ".." || path.includes("\0")) {
    throw new TargetError(failure("io", `"${target}" is no absolute path of a folder`));
  }
  const parent = path.slice(0, at) || "/";
  await Deno.mkdir(parent, { recursive: true });
  const real = await Deno.realPath(parent);
  return `${real === "/" ? "" : real}/${name}`;
}

/** Takes dead mounts of pentad away; null once nothing is mounted at `path`. */
async function takeOver(path: string): Promise<FuseFailure | null> {
  for (let taken = 0; taken <= STALE_MAX; taken++) {
    const mount = mountAt(readMounts(), path);
    if (mount === null) return null;
    if (mount.type !== TYPE) return failure("occupied", describeForeign(mount));
    const state = await stateOf(path);
    if (state === "silent") {
      return failure("hung", `"${path}" is mounted by a pentad that does not answer`);
    }
    if (state === "living") {
      return failure("occupied", `"${path}" is mounted by another pentad ("${mount.source}")`);
    }
    await bounded(unmount(path, MNT_DETACH | MNT_FORCE | UMOUNT_NOFOLLOW), path);
  }
  return failure("occupied", `"${path}" has a dead mount that cannot be taken away`);
}

function describeForeign({ target, type, source }: Mount): string {
  const what = `"${target}" has a file system of type "${type}" from "${source}" mounted on it`;
  // pmxcfs names neither itself nor its device.
  const pmxcfs = type === "fuse" && source === "/dev/fuse" && target === "/etc/pve";
  return pmxcfs ? `${what}: pmxcfs of Proxmox VE; stop pve-cluster first` : what;
}

/**
 * Whether somebody answers at a mount of pentad. statfs(2) is always asked through, where stat(2)
 * may be answered from the kernel's cache long after the server died.
 */
async function stateOf(path: string): Promise<"living" | "dead" | "silent"> {
  const answer = new Promise<"living" | "dead">((done) =>
    statfs(path, (error) => done(DEAD.includes(error?.code ?? "") ? "dead" : "living"))
  );
  try {
    return await bounded(answer, path);
  } catch {
    return "silent";
  }
}

/** Makes sure of a folder at `path`; true where something is in it. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    if (!(await Deno.lstat(path)).isDirectory) {
      throw new TargetError(failure("occupied", `"${path}" is not a folder`));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await Deno.mkdir(path);
  }
  for await (const _ of Deno.readDir(path)) return true;
  return false;
}

/** What `call` brings, or a failure `hung` where it takes too long. */
async function bounded<T>(call: Promise<T>, path: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const detail = `"${path}" does not answer: the file system there hangs`;
    timer = setTimeout(() => reject(new TargetError(failure("hung", detail))), CALL_MS);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
