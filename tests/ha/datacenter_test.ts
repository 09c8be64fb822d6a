/** `datacenter.cfg`, as far as stream 3 reads it; and what a policy makes of a stop. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readDatacenter, SHUTDOWN_POLICIES } from "../../mod/ha/datacenter.ts";
import { partingOf } from "../../mod/ha/departure.ts";

Deno.test("readDatacenter() reads ha and crs, and leaves the rest to others", () => {
  const text = "keyboard: de\nha: shutdown_policy=migrate\ncrs: ha=basic,ha-rebalance-on-start=1\n";
  const { shutdownPolicy, scheduling, faults } = readDatacenter(text);
  assert.deepEqual([shutdownPolicy, scheduling, faults], ["migrate", "basic", []]);
  const none = readDatacenter("");
  assert.deepEqual([none.shutdownPolicy, none.scheduling], ["conditional", "dynamic"]);
});

Deno.test("readDatacenter() names the line of what it cannot read, and keeps the default", () => {
  const { shutdownPolicy, scheduling, faults } = readDatacenter(
    "# ours\nha: shutdown_policy=never\ncrs: ha=best\n",
  );
  assert.deepEqual([shutdownPolicy, scheduling], ["conditional", "dynamic"]);
  assert.deepEqual(faults.map(({ line }) => line), [2, 3]);
  assert.match(faults[0]?.why ?? "", /"never" is none of freeze, failover, conditional, migrate/);
});

Deno.test("readDatacenter() never throws", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    assert.ok(
      SHUTDOWN_POLICIES.includes(readDatacenter(`ha: ${text}\ncrs: ${text}`).shutdownPolicy),
    );
  }));
});

const PARTINGS = `
  conditional reboot freeze | conditional poweroff failover | conditional stop failover
  freeze reboot freeze | freeze poweroff freeze | freeze stop failover
  failover reboot failover | failover poweroff failover | failover restart freeze
  migrate reboot migrate | migrate poweroff migrate | migrate restart freeze
`;
for (const row of PARTINGS.trim().split(/[|\n]/)) {
  const [policy, how, expected] = row.trim().split(" ");
  Deno.test(`partingOf(): ${policy}, ${how} → ${expected}`, () => {
    const known = SHUTDOWN_POLICIES.find((each) => each === policy);
    assert.ok(known !== undefined);
    assert.ok(how === "reboot" || how === "poweroff" || how === "restart" || how === "stop");
    assert.equal(partingOf(known, how), expected);
  });
}
