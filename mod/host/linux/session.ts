/**
 * Starts commands in sessions of their own, and keeps the list of what runs, so that a restarted
 * daemon finds it.
 *
 * @module
 */
import { isResourceId, type ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import type { ProcessSpec } from "../process_port.ts";
import type { ControlGroups, GroupKind } from "./cgroup.ts";
import { smallText } from "./files.ts";
import { kernelBoot, type ProcessName } from "./proc.ts";
import { NODE_VARIABLE, ProcessHunt, VARIABLE_OF } from "./process_hunt.ts";

/** A resource's log is begun anew past this size; its last part is kept beside it. */
const LOG_BYTES_MAX = 256 * 1024;
const LOG_BYTES_KEPT = 64 * 1024;
/** How long processes of a monitor command may take to end once they were killed. */
const MONITOR_KILL_MS: Millis = 2000;
const RECORDS_FORMAT = 1;
const RECORDS_BYTES_MAX = 1024 * 1024;

/**
 * The shell only opens the log, joins the control group, goes to its folder and becomes the command:
 * a pipe would break when the daemon ends. $0 is the log, $1 the group's folder or nothing, $2 the
 * folder, $3 where errors go if not there too, the rest the command. The folder and the command may
 * lie on the daemon's own mount, and the daemon's thread waits for the shell to be executed: so they
 * are the shell's business. Where memory runs out the daemon is spared (proc(5), oom_score_adj); what
 * it starts must not be. Nor is it given what the one file says to its own runtime.
 */
const INTO_LOG = "{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null; " +
  '[ -z "${PENTAD_FILE-}" ] || unset DENO_DIR DENO_NO_UPDATE_CHECK PENTAD_FILE; ' +
  'exec >>"$0"; if [ "$3" ]; then exec 2>"$3"; else exec 2>&1; fi; ' +
  '[ -z "$1" ] || echo 0 >"$1/cgroup.procs" || exit 71; cd "$2" || exit 71; shift 3; exec "$@"';

/** Whose process it is. */
export interface SessionOwner {
  readonly token: string;
  readonly kind: GroupKind;
  /** Where its output goes. */
  readonly log: string;
  /** Where its errors go, if not there too. */
  readonly errors?: string;
  /** Null where there are none. */
  readonly groups: ControlGroups | null;
}

/**
 * Why `spec` cannot be started, or null. Looks on another thread: what it looks at may lie on the
 * daemon's own mount, which this thread answers for.
 */
export async function startFault(spec: ProcessSpec): Promise<string | null> {
  const [program] = spec.command;
  if (program === undefined) return "The command is empty";
  const directory = spec.directory ?? "/";
  try {
    if (!(await Deno.stat(directory)).isDirectory) return `"${directory}" is no folder`;
  } catch (error) {
    return `Cannot run in "${directory}": ${wordsOf(error)}`;
  }
  const path = spec.environment.PATH ?? Deno.env.get("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin";
  return await isRunnable(program, { path, directory })
    ? null
    : `"${program}" is no program that can be run`;
}

/** Starts `spec` in a session of its own. Throws an Error that says why it cannot be started. */
export function startSession(spec: ProcessSpec, owner: SessionOwner): Deno.ChildProcess {
  const [group, directory] = [owner.groups?.make(spec.id) ?? "", spec.directory ?? "/"];
  const variable = VARIABLE_OF[owner.kind];
  return new Deno.Command("/bin/sh", {
    args: ["-c", INTO_LOG, owner.log, group, directory, owner.errors ?? "", ...spec.command],
    env: {
      ...spec.environment,
      [NODE_VARIABLE]: owner.token,
      [variable]: `${owner.token}:${spec.id}`,
    },
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
}

/** Runs a monitor command; null where it ended with 0 in time, else why it counts as failed. */
export async function runMonitor(
  spec: ProcessSpec,
  owner: Omit<SessionOwner, "groups"> & { readonly timeoutMs: Millis },
): Promise<string | null> {
  const hunt = new ProcessHunt("monitor", owner.token);
  const fault = await startFault(spec);
  if (fault !== null) return `Cannot run the monitor command: ${fault}`;
  let child: Deno.ChildProcess;
  try {
    child = startSession(spec, { ...owner, groups: hunt.groups });
  } catch (error) {
    return `Cannot run the monitor command: ${wordsOf(error)}`;
  }
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), owner.timeoutMs);
  const status = await Promise.race([child.status, late.promise]);
  clearTimeout(timer);
  if (status !== null) {
    return status.success ? null : `The monitor command ${describeStatus(status)}`;
  }
  await hunt.killAll({ id: spec.id }, MONITOR_KILL_MS);
  return `The monitor command did not end in ${owner.timeoutMs} ms`;
}

/** Prints how a process ended: `ended with 3`, `was killed by SIGKILL`. */
export function describeStatus({ code, signal }: Deno.CommandStatus): string {
  return signal === null ? `ended with ${code}` : `was killed by ${signal}`;
}

/** Keeps a log within its bound. Called now and then; a log that cannot be kept is no failure. */
export function boundLog(path: string): void {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    const { size } = file.statSync();
    if (size <= LOG_BYTES_MAX) return;
    file.seekSync(size - LOG_BYTES_KEPT, Deno.SeekMode.Start);
    const kept = new Uint8Array(LOG_BYTES_KEPT);
    const length = file.readSync(kept) ?? 0;
    Deno.writeFileSync(`${path}.1`, kept.subarray(0, length), { mode: 0o600 });
    // The writer appends, so it goes on at the new end.
    file.truncateSync(0);
  } catch {
    // There is none yet.
  }
}

/** A resource's main process, as it is kept in the run directory. */
export interface SessionRecord {
  readonly id: ResourceId;
  readonly main: ProcessName;
}

/** Reads the list; whatever is strange or of another boot of the host is left out. */
export function readRecords(path: string): SessionRecord[] {
  try {
    const value = JSON.parse(smallText(path, RECORDS_BYTES_MAX)) as Record<string, unknown> | null;
    if (value?.format !== RECORDS_FORMAT || value.boot !== kernelBoot()) return [];
    return Array.isArray(value.resources) ? value.resources.flatMap(recordOf) : [];
  } catch {
    return [];
  }
}

/** Writes the list by an atomic rename. Throws where the run directory cannot be written. */
export function writeRecords(path: string, records: readonly SessionRecord[]): void {
  const resources = records.map(({ id, main }) => ({ id, pid: main.pid, start: main.start }));
  const text = JSON.stringify({ format: RECORDS_FORMAT, boot: kernelBoot(), resources });
  Deno.writeTextFileSync(`${path}.new`, `${text}\n`, { mode: 0o600 });
  Deno.renameSync(`${path}.new`, path);
}

/** An error's own words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function recordOf(value: unknown): SessionRecord[] {
  if (typeof value !== "object" || value === null) return [];
  const { id, pid, start } = value as Record<string, unknown>;
  if (typeof id !== "string" || !isResourceId(id)) return [];
  if (typeof pid !== "number" || typeof start !== "number") return [];
  const fine = Number.isSafeInteger(pid) && Number.isSafeInteger(start) && pid > 1;
  return fine ? [{ id, main: { pid, start } }] : [];
}

async function isRunnable(
  program: string,
  where: { path: string; directory: string },
): Promise<boolean> {
  const absolute = (name: string) => name.startsWith("/") ? name : `${where.directory}/${name}`;
  const candidates = program.includes("/")
    ? [absolute(program)]
    : where.path.split(":").map((folder) => absolute(`${folder}/${program}`));
  for (const candidate of candidates) {
    try {
      const { isFile, mode } = await Deno.stat(candidate);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return true;
    } catch {
      // Not there, or not to be looked at: the next one may be.
    }
  }
  return false;
}
