/**
 * Stops and continues all processes of a host at once, by a control group of its own: the freezer
 * hierarchy (cgroup v1), or `cgroup.freeze` (v2). SIGSTOP would not do: a traced child that gets it
 * ends its kernel.
 *
 * @module
 */
import { until } from "./shell.ts";

const V1 = "/sys/fs/cgroup/freezer";
const V2 = "/sys/fs/cgroup";
const EMPTY_SECONDS = 20;
/** One try: a process and the one that traces it may stop in an order in which one waits for ever. */
const TRY_SECONDS = 3;
const TRIES_MAX = 10;

/** Freezes the process `pid` and all that descend from it. */
export async function freeze(cage: string, pid: number): Promise<void> {
  const old = isDirectory(V1);
  const folder = `${old ? V1 : V2}/${cage}`;
  await Deno.mkdir(folder, { recursive: true });
  const [file, word, back] = old
    ? ["freezer.state", "FROZEN", "THAWED"]
    : ["cgroup.freeze", "1", "0"];
  const isFrozen = async () => {
    if (old) return (await Deno.readTextFile(`${folder}/${file}`)).trim() === word;
    return /frozen 1/.test(await Deno.readTextFile(`${folder}/cgroup.events`));
  };
  for (let tries = 1;; tries++) {
    for (const each of familyOf(pid)) {
      try {
        Deno.writeTextFileSync(`${folder}/cgroup.procs`, String(each));
      } catch {
        // It has ended in the meantime.
      }
    }
    await Deno.writeTextFile(`${folder}/${file}`, word);
    try {
      return await until("the host is frozen", TRY_SECONDS, isFrozen);
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await Deno.writeTextFile(`${folder}/${file}`, back);
    }
  }
}

/** Lets it go on, and takes the control group away; nothing where there is none. */
export async function thaw(cage: string): Promise<void> {
  for (const [root, file, word] of [[V1, "freezer.state", "THAWED"], [V2, "cgroup.freeze", "0"]]) {
    const folder = `${root}/${cage}`;
    if (!isDirectory(folder)) continue;
    await Deno.writeTextFile(`${folder}/${file}`, word ?? "");
    for (const pid of Deno.readTextFileSync(`${folder}/cgroup.procs`).split("\n")) {
      try {
        if (pid !== "") Deno.writeTextFileSync(`${root}/cgroup.procs`, pid);
      } catch {
        // It has ended in the meantime.
      }
    }
    await until("the control group is empty", EMPTY_SECONDS, () => {
      try {
        Deno.removeSync(folder);
        return true;
      } catch {
        return false;
      }
    });
  }
}

function familyOf(pid: number): number[] {
  const text = readOr(`/proc/${pid}/task/${pid}/children`);
  const children = text.split(" ").filter((word) => word !== "").map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

function readOr(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
