/** What is said of a virtual machine: its definition's faults, and its states. @module */
import type { ProcessHealth } from "../../host/ports.ts";
import type { VmAction } from "./action.ts";
import type { Failure } from "./ocf.ts";
import type { VmReading } from "./vm_config.ts";

/** Faults that one failure tells. */
const TOLD_MAX = 4;

/** States that do not end by themselves: RunState of QEMU's qapi/run-state.json. */
const FAILED: ReadonlyMap<string, string> = new Map([
  ["guest-panicked", "the guest panicked"],
  ["internal-error", "QEMU met an error of its own and halted it"],
  ["io-error", "a disk failed and it is halted"],
  ["shutdown", "the guest is off"],
  ["watchdog", "the guest's watchdog halted it"],
  // Whoever started it ended in between.
  ["prelaunch", "it was never let run"],
  ["postmigrate", "its memory was handed over"],
  // Whoever was to end a migration in order ended before it.
  ["finish-migrate", "its migration did not end"],
  ["inmigrate", "it was never let run"],
]);

/** Where the definition of a machine lies, once in the whole cluster. */
export function definitionPath(node: string, vmid: number): string {
  return `nodes/${node}/qemu-server/${vmid}.conf`;
}

/** Why this node must not start it: whose folder has the file owns the machine. */
export function ownershipFailure({ vmid, file }: VmAction, node: string): Failure | null {
  if (file === null) {
    const why = `VM ${vmid} has no definition; write ${definitionPath(node, vmid)}`;
    return { why, scope: "everywhere" };
  }
  if (file.node === node) return null;
  const why = `VM ${vmid} belongs to "${file.node}", where its definition lies`;
  return { why, scope: "node" };
}

/** What is wrong with its definition on any node. */
export function definitionFailure({ faults }: VmReading): Failure | null {
  if (faults.length === 0) return null;
  const told = faults.slice(0, TOLD_MAX).map(({ line, why }) => `line ${line}: ${why}`);
  const more = faults.length > TOLD_MAX ? [`and ${faults.length - TOLD_MAX} more`] : [];
  return { why: `its definition: ${[...told, ...more].join("; ")}`, scope: "everywhere" };
}

/** What is told of a machine that runs: lines that have no effect on it. */
export function remarksOf({ warnings }: VmReading): readonly string[] {
  return warnings.slice(0, TOLD_MAX).map(({ line, why }) => `line ${line}: ${why}`);
}

/** How a machine is, by the state that QEMU tells. One that a person paused is left alone. */
export function healthOfMachine(
  status: string | null,
  remarks: readonly string[] = [],
): ProcessHealth {
  if (status === "running") return { state: "running", why: remarks.join("; ") };
  if (status === null) return { state: "failed", why: "its monitor tells no state" };
  const why = FAILED.get(status);
  return why === undefined
    ? { state: "running", why: [`it is ${status}`, ...remarks].join("; ") }
    : { state: "failed", why };
}
