/** The contract of disks against a unit of the kernel's own target, from two hosts. @module */
import { diskSuite } from "../contract/disk_suite.ts";
import { LAB_TEST, san } from "./bench.ts";

diskSuite("DiskProcessPort on a LUN of LIO", async () => {
  const network = await san();
  await network.reset("lio");
  const places = [network.place(1, "lio"), network.place(2, "lio")];
  return {
    port: (host) => {
      const port = network.port(host === 0 ? 1 : 2);
      const place = places[host] ?? "";
      // The same unit has another name on the other host.
      return { open: (path, done) => port.open(path.replace("UNIT", place), done) };
    },
    makeDisk: () => "UNIT",
    noExchange: true,
    settle: (answer) => answer,
    close: () => Promise.resolve(),
  };
}, LAB_TEST);
