/** Arguments → daemon, helper process or command line; no logic. @module */
import { run } from "./mod/cli/mod.ts";

/** How this program starts itself again, as another process. */
const selfCommand = Deno.build.standalone
  ? [Deno.execPath()]
  : [Deno.execPath(), "run", "-A", "--quiet", "--no-check", import.meta.filename ?? "main.ts"];

/** The unpacking form of the file says its own place. */
const unpacked = Deno.build.standalone ? undefined : Deno.env.get("PENTAD_FILE");
const file = Deno.build.standalone ? Deno.execPath() : unpacked ?? null;
if (unpacked !== undefined) {
  (await import("./mod/host/linux/unpacked.ts")).settleUnpacked(import.meta.dirname ?? "/");
}

const code = await run(Deno.args, {
  file,
  daemon: async (settings, acceptMachine) => {
    const { runDaemon } = await import("./mod/daemon/run.ts");
    return await runDaemon(settings, selfCommand, acceptMachine);
  },
  diskWorker: async () => (await import("./mod/host/linux/disk_worker.ts")).diskWorker(),
  disks: async () => {
    const { DiskProcessPort } = await import("./mod/host/linux/disk_process.ts");
    return new DiskProcessPort({ selfCommand });
  },
  offline: async (path) => (await import("./mod/daemon/offline.ts")).openOffline(path),
  keeper: async (args) => (await import("./mod/host/linux/keeper_main.ts")).keeperMain(args),
});
// A disk process that hangs in the kernel must not hold this one.
Deno.exit(code);
