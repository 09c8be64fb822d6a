/** Memory on its way between two simulated machines. @module */
import type { HostProcesses, SimPlant } from "./plant.ts";
import type { Proc } from "./proc.ts";
import { draw } from "./options.ts";
import type { World } from "./world.ts";

const SEND_MS = [20, 400] as const;

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
  const { migrationFails, migrationHalf } = world.options;
  const [fails, half] = [prng.chance(migrationFails), prng.chance(migrationHalf)];
  world.after(draw(prng, SEND_MS), () => {
    if (processes.get(proc.id) !== proc || migration.status !== "active") return;
    const target = plant.awaitedAt(port);
    if (target === null || target.id !== proc.id || fails) {
      migration.status = "failed";
      return;
    }
    plant.deliver(target);
    // All of it is there, but its source runs on.
    if (half) {
      migration.status = "failed";
      plant.outlive(proc.id);
    } else {
      migration.status = "completed";
      processes.halt(proc, true);
    }
  });
}
