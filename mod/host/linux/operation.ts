/**
 * Runs one operation of an agent to its end: its output goes into a file, for a pipe would break
 * when the daemon ends, and what the agent left running with it.
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import { SIGTERM } from "../ffi/pidfd.ts";
import { type Operation, OPERATION_OUTPUT_MAX, type OperationResult } from "../process_port.ts";
import type { GroupKind } from "./cgroup.ts";
import { type ProcessName, readStat } from "./proc.ts";
import { describeLeft, type ProcessHunt, signal } from "./process_hunt.ts";
import { boundLog, describeStatus, startFault, startSession, wordsOf } from "./session.ts";

/** Between SIGTERM and SIGKILL of an operation that is too late. */
const TERM_MS: Millis = 1000;
const KILL_MS: Millis = 5000;
/** How often the size of the output is looked at, and the size that ends an operation. */
const SIZE_LOOK_MS: Millis = 50;
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
/** What goes into the resource's log of one operation. */
const LOGGED_MAX = 4096;

export const KIND_OF: Readonly<Record<Operation["role"], GroupKind>> = {
  start: "resource",
  look: "monitor",
  undo: "undo",
};

/** Whose operation it is. */
export interface OperationOwner {
  readonly token: string;
  /** Folder of the logs. */
  readonly logs: string;
  /** For processes of the role's kind. */
  readonly hunt: ProcessHunt;
  /** Asked right before the fork: why not. */
  readonly refusal?: () => string | null;
  readonly forked?: (main: ProcessName) => void;
}

/** Runs it. Never throws. */
export async function runOperation(
  operation: Operation,
  owner: OperationOwner,
): Promise<OperationResult> {
  const { id, command, environment, role } = operation;
  const spec = { id, command, environment, directory: null };
  const fault = await startFault(spec);
  if (fault !== null) return failed(true, fault);
  const refused = owner.refusal?.() ?? null;
  if (refused !== null) return failed(false, refused);
  const log = `${owner.logs}/${id}.${role}`;
  let child: Deno.ChildProcess;
  try {
    Deno.writeTextFileSync(log, "", { mode: 0o600 });
    const kind = KIND_OF[role];
    const errors = operation.output === "stdout" ? { errors: "/dev/null" } : {};
    const { token, hunt } = owner;
    child = startSession(spec, { token, kind, log, ...errors, groups: hunt.groups });
  } catch (error) {
    return failed(false, wordsOf(error));
  }
  const main = { pid: child.pid, start: readStat(child.pid)?.start ?? 0 };
  owner.hunt.know({ ...main, id });
  owner.forked?.(main);
  const end = await endOf(child, { operation, log });
  const result = typeof end === "string"
    ? await cutShort(operation, { owner, child, why: end, log })
    : resultOf(end, await readEnd(log));
  if (role !== "start") await clearAway(operation, owner);
  note(operation, { owner, result, log });
  return result;
}

/** Its status, or why it must be ended. */
async function endOf(
  child: Deno.ChildProcess,
  { operation, log }: { operation: Operation; log: string },
): Promise<Deno.CommandStatus | string> {
  const late = Promise.withResolvers<string>();
  const { timeoutMs } = operation;
  const timer = setTimeout(() => late.resolve(`it did not end in ${timeoutMs} ms`), timeoutMs);
  const size = setInterval(() => {
    if (sizeOf(log) <= OUTPUT_BYTES_MAX) return;
    late.resolve(`it printed more than ${OUTPUT_BYTES_MAX} bytes`);
  }, SIZE_LOOK_MS);
  const end = await Promise.race([child.status, late.promise]);
  clearTimeout(timer);
  clearInterval(size);
  return end;
}

async function cutShort(
  { id }: Operation,
  how: { owner: OperationOwner; child: Deno.ChildProcess; why: string; log: string },
): Promise<OperationResult> {
  const { owner, child, why, log } = how;
  for (const each of owner.hunt.find({ environments: false, id })) signal(each, SIGTERM);
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), TERM_MS);
  await Promise.race([child.status, late.promise]);
  clearTimeout(timer);
  const left = await owner.hunt.killAll({ id }, KILL_MS);
  child.unref();
  const output = await readEnd(log);
  if (sizeOf(log) > OUTPUT_BYTES_MAX) truncate(log);
  const more = left.length === 0 ? "" : `; ${describeLeft(left)}`;
  return { status: null, failure: { absent: false, why: `${why}${more}` }, output };
}

/** What an operation must not leave behind. */
async function clearAway({ id }: Operation, { hunt }: OperationOwner): Promise<void> {
  if (hunt.groups === null || hunt.groups.isBusy(id)) await hunt.killAll({ id }, KILL_MS);
}

function resultOf(status: Deno.CommandStatus, output: string): OperationResult {
  if (status.signal === null) return { status: status.code, failure: null, output };
  const why = `it ${describeStatus(status)}`;
  return { status: null, failure: { absent: false, why }, output };
}

function failed(absent: boolean, why: string): OperationResult {
  return { status: null, failure: { absent, why }, output: "" };
}

async function readEnd(log: string): Promise<string> {
  try {
    using file = await Deno.open(log);
    const { size } = await file.stat();
    await file.seek(Math.max(0, size - OPERATION_OUTPUT_MAX), Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.min(size, OPERATION_OUTPUT_MAX));
    let length = 0;
    for (let got: number | null = 0; got !== null && length < bytes.length; length += got ?? 0) {
      got = await file.read(bytes.subarray(length));
      if (got === null) break;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return "";
  }
}

/** What it said goes into the resource's log; of a look, only where it failed. */
function note(
  { id, role, command, output }: Operation,
  { owner, result, log }: { owner: OperationOwner; result: OperationResult; log: string },
): void {
  if (role === "look") remove(log);
  if (output === "stdout" || (role === "look" && result.status === 0)) return;
  const how = result.failure?.why ?? `ended with ${result.status}`;
  const text = `-- ${command.slice(0, 2).join(" ")}: ${how}\n${result.output.slice(-LOGGED_MAX)}`;
  const path = `${owner.logs}/${id}.log`;
  try {
    boundLog(path);
    Deno.writeTextFileSync(path, text.endsWith("\n") ? text : `${text}\n`, {
      append: true,
      mode: 0o600,
    });
  } catch {
    // A log that cannot be kept is no failure.
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function truncate(path: string): void {
  try {
    Deno.truncateSync(path, 0);
  } catch {
    // It is gone.
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It is gone.
  }
}
