/** Memory on its way between two simulated machines. @module */
import type { HostProcesses, SimPlant } from "./plant.ts";
import type { Proc } from "./proc.ts";
import { draw } from "./options.ts";
import type { World } from "./world.ts";

const SEND_MS = [20, 400] as const;
/** It breaks on its way. */
const FAILS = 0.1;
/** All of it is there, but its source does not hear of that, and runs on. */
const HALF = 0.1;

/** Sends a machine's memory to the one that waits at a port. */
export function migrate(
  world: World,
  { plant, processes }: { readonly plant: SimPlant; readonly processes: HostProcesses },
  proc: Proc,
  port: number,
): void {
  const prng = world.prng(`migration ${proc.id} ${port}`);
  const { migration } = proc;
  migration.status = "active";
  const [fails, half] = [prng.chance(FAILS), prng.chance(HALF)];
  world.after(draw(prng, SEND_MS), () => {
    if (processes.get(proc.id) !== proc || migration.status !== "active") return;
    const target = plant.awaitedAt(port);
    if (target === null || target.id !== proc.id || fails) {
      migration.status = "failed";
      return;
    }
    plant.deliver(target);
    if (half) {
      migration.status = "failed";
      plant.outlive(proc.id);
    } else {
      migration.status = "completed";
      processes.halt(proc, true);
    }
  });
}
