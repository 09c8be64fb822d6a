/** `cut_main.ts AT FILE ARGS…`: pentad, said to run from FILE, killed at its change number AT. */
import { run } from "../../mod/cli/mod.ts";
import { cutAt } from "./cut.ts";

const [at = "1", file = "", ...args] = Deno.args;
function never(): Promise<never> {
  return Promise.reject(new Error("No daemon is wanted here"));
}
const wiring = {
  file,
  daemon: never,
  diskWorker: never,
  disks: never,
  offline: never,
  keeper: never,
};
await cutAt(Number(at), () => run(args, wiring), () => Deno.kill(Deno.pid, "SIGKILL"));
