/**
 * A program for a lab host: what reading and making a registration takes on one disk, by our own
 * calls and by sg_persist. Argument: the device; prints one JSON object of lists of milliseconds.
 *
 * @module
 */
import { openWorkerDisk } from "../../mod/host/linux/device_disk.ts";
import type { WorkerDisk } from "../../mod/host/linux/worker_disk.ts";
import type { DiskFailure } from "../../mod/host/ports.ts";
import type { PrTimes } from "../bench_disks.ts";

const [device = ""] = Deno.args;
/** Of ours, and of sg_persist: a process takes long to start in there. */
const OURS = 100;
const THEIRS = 20;
const KEYS = ["00000000000000a1", "00000000000000b2"] as const;
const NO_KEY = "0".repeat(16);

function timed(count: number, call: (at: number) => unknown): number[] {
  return Array.from({ length: count }, (_, at) => {
    const started = performance.now();
    const end = call(at);
    const took = performance.now() - started;
    if (end !== null) throw new Error(`${device}: ${JSON.stringify(end)}`);
    return took;
  });
}

function sgPersist(...words: readonly string[]): null | string {
  const args = ["-n", ...words, device];
  const { success, stderr } = new Deno.Command("sg_persist", { args }).outputSync();
  return success ? null : new TextDecoder().decode(stderr);
}

function register(disk: WorkerDisk, key: string): DiskFailure | null {
  const flags = { persist: null, allTargetPorts: false, initiatorPorts: [] };
  return disk.command({ kind: "register", old: null, key, ...flags });
}

function read(disk: WorkerDisk): DiskFailure | null {
  const state = disk.readReservations();
  return "failure" in state ? state : null;
}

const disk = openWorkerDisk(device, "0".repeat(16));
if ("failure" in disk) throw new Error(disk.detail);
const times: PrTimes = {
  in: timed(OURS, () => read(disk)),
  out: timed(OURS, (at) => register(disk, KEYS[at % 2] ?? NO_KEY)),
  sgIn: timed(THEIRS, () => sgPersist("-i", "-k") ?? sgPersist("-i", "-r")),
  sgOut: timed(THEIRS, (at) => sgPersist("-o", "-I", "-S", at % 2 === 0 ? "a1" : "b2")),
};
register(disk, NO_KEY);
disk.close();
console.log(JSON.stringify(times));
