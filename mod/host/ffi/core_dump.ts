/** What a process knows is kept out of files that a crash leaves: prctl(2). @module */
import { HERE } from "./abi.ts";
import { openLibc } from "./libc.ts";

/**
 * From now on this process leaves no core dump, and only root may look into it (ptrace(2), /proc).
 * What it starts is not concerned: execve(2) sets that anew. False where the kernel refuses.
 */
export function leaveNoCore(): boolean {
  try {
    const { prctl } = openLibc({
      // int prctl(int option, unsigned long, unsigned long, unsigned long, unsigned long);
      prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    });
    return prctl(HERE.PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
  } catch {
    return false;
  }
}
