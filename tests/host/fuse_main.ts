/** Serves files in memory at the path in the first argument, until its standard input ends. @module */
import { LinuxFusePort } from "../../mod/host/linux/fuse.ts";
import { MemoryFiles } from "../contract/memory_files.ts";

const [target = ""] = Deno.args;
const files = new MemoryFiles();
// A dead server's attributes must not make its mount look alive.
files.validMs = 3_600_000;
files.put("f", new Uint8Array(1000).fill(0x41));
new LinuxFusePort({ device: "/dev/fuse" }).mount(
  { target, source: "pentad:child" },
  files,
  (result) => {
    if ("failure" in result) {
      console.log(result.detail);
      Deno.exit(1);
    }
    files.session = result;
    console.log("mounted");
  },
);
for await (const _ of Deno.stdin.readable);
files.session?.unmount();
