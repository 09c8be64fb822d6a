/** Lists of jobs as systemctl prints them, and what they mean. */
import assert from "node:assert/strict";
import { causeIn } from "../../mod/daemon/why_stopped.ts";

const TABLE: readonly (readonly [string, string, string])[] = [
  ["nothing", "", "stop"],
  ["a plain stop", "812 pentad.service stop running\n", "stop"],
  ["an upgrade", " 812 pentad.service restart running\n", "restart"],
  ["a reboot", "9 pentad.service stop running\n7 reboot.target start waiting\n", "reboot"],
  ["a reboot by kexec", "7 kexec.target start waiting\n", "reboot"],
  ["a power-off", "7 poweroff.target start waiting\n9 pentad.service stop running\n", "poweroff"],
  ["another unit's restart", "7 ssh.service restart running\n", "stop"],
  ["nonsense", "No jobs running.\n\u0000 x\n", "stop"],
];
for (const [what, list, expected] of TABLE) {
  Deno.test(`causeIn(): ${what} → ${expected}`, () => assert.equal(causeIn(list), expected));
}
