/**
 * Processes as /proc shows them (proc(5)).
 *
 * @module
 */

/** A process id is used again; with its start time it names one process for ever (of this boot). */
export interface ProcessName {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of /proc/PID/stat. */
  readonly start: number;
}

/** What /proc/PID/stat says, as far as we ask. */
export interface ProcessStat extends ProcessName {
  readonly parent: number;
  readonly session: number;
  readonly leader: boolean;
}

/** Fields of /proc/PID/stat behind the name in parentheses, counted from 0. */
const STATE = 0;
const PARENT = 1;
const SESSION = 3;
const START = 19;

/** A living process; null where it is gone or a zombie. */
export function readStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return null;
  }
  return parseStat(text);
}

/** Reads the text of /proc/PID/stat. The name may hold anything, parentheses too. */
export function parseStat(text: string): ProcessStat | null {
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[STATE];
  if (state === undefined || state === "Z" || state === "X") return null;
  const [parent, session, start] = [PARENT, SESSION, START].map((at) => Number(fields[at] ?? NaN));
  if (parent === undefined || session === undefined || start === undefined) return null;
  if (![pid, parent, session, start].every(Number.isSafeInteger)) return null;
  return { pid, parent, session, start, leader: session === pid };
}

/** True while exactly this process lives. */
export function isAlive({ pid, start }: ProcessName): boolean {
  return readStat(pid)?.start === start;
}

/** All living processes. */
export function readAllStats(): ProcessStat[] {
  const all: ProcessStat[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? readStat(pid) : null;
    if (stat !== null) all.push(stat);
  }
  return all;
}

/** The environment that a process was started with, as `NAME=value` between NULs; "" if unknown. */
export function readEnvironment(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`);
  } catch {
    return "";
  }
}

/**
 * True where a process shows neither arguments nor environment: as one does for a moment within
 * execve(2), between the old program's memory and the new one's (fs/proc/base.c, environ_open).
 */
export function isBlank(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) === "" && readEnvironment(pid) === "";
  } catch {
    return false;
  }
}

/** The value of a variable that begins with `prefix` (`NAME=` and more); null where none does. */
export function valueOf(environment: string, prefix: string): string | null {
  let at = environment.indexOf(prefix);
  while (at > 0 && environment[at - 1] !== "\0") at = environment.indexOf(prefix, at + 1);
  if (at < 0) return null;
  const end = environment.indexOf("\0", at);
  return environment.slice(at + prefix.length, end < 0 ? undefined : end);
}

/** The running kernel's boot, for files that name processes: a reboot makes them void. */
export function kernelBoot(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return "";
  }
}
