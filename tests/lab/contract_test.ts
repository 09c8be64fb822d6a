/** The contract of disks against a unit of the kernel's own target, from two hosts. */
import { labMissing } from "../../scripts/lab/missing.ts";
import { diskSuite } from "../contract/disk_suite.ts";
import { San } from "./san.ts";

const missing = labMissing();
if (missing !== null) console.log(`lab tests are skipped: ${missing}`);

let made: Promise<San> | null = null;
function san(): Promise<San> {
  return made ??= San.make();
}
Deno.test.afterAll(async () => await (await made)?.close());

diskSuite("DiskProcessPort on a LUN of LIO", async () => {
  const world = await san();
  await world.reset("lio");
  const places = [world.place(1, "lio"), world.place(2, "lio")];
  return {
    port: (host) => {
      const port = world.port(host === 0 ? 1 : 2);
      const place = places[host] ?? "";
      // The same unit has another name on the other host.
      return { open: (path, done) => port.open(path.replace("UNIT", place), done) };
    },
    makeDisk: () => "UNIT",
    settle: (answer) => answer,
    close: () => Promise.resolve(),
  };
}, { ignore: missing !== null, sanitizeOps: false, sanitizeResources: false });
