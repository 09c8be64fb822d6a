/**
 * What `systemctl show` says of a unit. Units are driven through `systemctl` rather than by D-Bus
 * messages of our own: an operation is then a process that can be timed out and killed, and the
 * keeper can end a unit by the same command while the daemon hangs.
 *
 * @module
 */
import type { OperationResult, ProcessHealth } from "../../host/ports.ts";
import type { Failure } from "./ocf.ts";

const PROPERTIES = "--property=LoadState,ActiveState,SubState,UnitFileState,Result";
const WORDS_MAX = 240;

/** Command lines. */
export const SYSTEMCTL = {
  show: (unit: string) => ["systemctl", "show", PROPERTIES, "--", unit],
  start: (unit: string) => ["systemctl", "--no-ask-password", "start", "--", unit],
  stop: (unit: string) => ["systemctl", "--no-ask-password", "stop", "--", unit],
  /** The stop is queued first, so that a unit with `Restart=` does not come back after the kill. */
  end: (unit: string) => ["/bin/sh", "-c", END, "sh", unit],
};

const END = 'systemctl stop --no-block -- "$1"; systemctl kill --signal=SIGKILL -- "$1"; ' +
  'systemctl stop -- "$1" || exit; ' +
  'case $(systemctl show --property=ActiveState -- "$1") in *=inactive|*=failed) ;; *) exit 1;; esac';

/** A unit as systemd shows it. */
export type UnitState = ReadonlyMap<string, string>;

/** Reads `KEY=VALUE` lines; a failure where systemd does not answer here. */
export function readUnit({ status, failure, output }: OperationResult): UnitState | Failure {
  if (status !== 0) {
    const words = failure?.why ?? output.trim().split("\n").at(-1)?.slice(0, WORDS_MAX);
    return { why: `systemd does not answer here: ${words}`, scope: "node" };
  }
  const state = new Map<string, string>();
  for (const line of output.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) state.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  if (state.has("LoadState") && state.has("ActiveState")) return state;
  return { why: "systemctl show told no state", scope: "once" };
}

/** Why this unit must not be started by us, or null. */
export function unitFault(unit: string, state: UnitState): Failure | null {
  const load = state.get("LoadState") ?? "";
  if (load !== "loaded") return { why: `the unit "${unit}" is ${load}`, scope: "node" };
  const file = state.get("UnitFileState") ?? "";
  if (file !== "enabled" && file !== "enabled-runtime") return null;
  const why = `"${unit}" is ${file}: systemd would start it at boot, on this node too; ` +
    `run: systemctl disable ${unit}`;
  return { why, scope: "node" };
}

/** How a unit is. */
export function unitHealth(state: UnitState): ProcessHealth {
  const [active = "", sub = ""] = [state.get("ActiveState"), state.get("SubState")];
  if (active === "active" || active === "reloading" || active === "refreshing") {
    return { state: "running" };
  }
  if (active === "inactive") return { state: "stopped" };
  if (active === "activating" && sub !== "auto-restart") return { state: "running" };
  const result = state.get("Result") ?? "";
  const more = result === "" || result === "success" ? "" : `: ${result}`;
  return { state: "failed", why: `the unit is ${active} (${sub})${more}` };
}
