/**
 * Why a daemon is told to stop, as systemd's list of jobs says it (`systemctl list-jobs`, see
 * systemctl(1)): SIGTERM alone does not tell a reboot from an exchange of the program.
 *
 * @module
 */
import type { ShutdownHow } from "../base/shutdown.ts";

const LIST_LIMIT_MS = 2000;
const UNIT = "pentad.service";
const REBOOTS: readonly string[] = ["reboot.target", "kexec.target", "soft-reboot.target"];
const GOES: readonly string[] = ["poweroff.target", "halt.target"];

/** Asks systemd; `stop` where there is none, or it does not answer in time. */
export async function whyStopped(): Promise<ShutdownHow> {
  try {
    await Deno.stat("/run/systemd/system");
    const { stdout } = await new Deno.Command("systemctl", {
      args: ["list-jobs", "--plain", "--no-legend", "--no-pager"],
      ...{ stdin: "null", stdout: "piped", stderr: "null", env: { LC_ALL: "C" } },
      signal: AbortSignal.timeout(LIST_LIMIT_MS),
    }).output();
    return causeIn(new TextDecoder().decode(stdout));
  } catch {
    return "stop";
  }
}

/** What a list of jobs means: lines of number, unit, type and state. */
export function causeIn(list: string): ShutdownHow {
  const jobs = list.split("\n").map((line) => line.trim().split(/\s+/));
  const has = (units: readonly string[], type: string) =>
    jobs.some(([, unit = "", kind]) => units.includes(unit) && kind === type);
  if (has(REBOOTS, "start")) return "reboot";
  if (has(GOES, "start")) return "poweroff";
  return has([UNIT], "restart") ? "restart" : "stop";
}
