/** Resources of every kind, out of the section format. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { resourceId } from "../../mod/base/id.ts";
import { readResources } from "../../mod/ha/resource.ts";

function read(text: string) {
  const [header = "", ...properties] = text.split("\n");
  const { resources, faults } = readResources(
    `${header}\n${properties.map((line) => `\t${line}\n`).join("")}`,
  );
  const id = resourceId(header.replace(": ", ":"));
  return { resource: resources.get(id), why: faults[0]?.why ?? null };
}

for (
  const [text, action] of [
    ["ip: 10.0.0.5", { address: "10.0.0.5", prefix: null, interface: null }],
    ["ip: web\naddress 10.0.0.5/24", { address: "10.0.0.5", prefix: 24, interface: null }],
    [
      "ip: web\naddress FD00:0::5\ncidr 64\ninterface eth0.12",
      { address: "fd00::5", prefix: 64, interface: "eth0.12" },
    ],
  ] as const
) {
  Deno.test(`an address: ${text.replaceAll("\n", ", ")}`, () => {
    assert.deepEqual(read(text).resource?.action, { kind: "ip", probe: true, ...action });
  });
}

Deno.test("an address whose holder is only known to write no more is taken without asking", () => {
  const { resource } = read("ip: 10.0.0.5\nrecover_on storage");
  assert.ok(resource?.action.kind === "ip" && !resource.action.probe);
});

Deno.test("an agent with parameters, and its timeouts are its own unless said otherwise", () => {
  const { resource } = read(
    "ocf: fs\nagent ocf:heartbeat:Filesystem\n" +
      "params device=/dev/sdb 'directory=/srv/my files' x=\ncheck_level 20\nmonitor_timeout 40",
  );
  assert.deepEqual(resource?.action, {
    kind: "ocf",
    provider: "heartbeat",
    type: "Filesystem",
    parameters: { device: "/dev/sdb", directory: "/srv/my files", x: "" },
    checkLevel: 20,
  });
  assert.deepEqual([resource.startTimeoutMs, resource.stopTimeoutMs], [null, null]);
  assert.equal(resource.monitorTimeoutMs, 40_000);
});

Deno.test("a unit has its own name, or another", () => {
  assert.deepEqual(read("systemd: nginx").resource?.action, {
    kind: "systemd",
    unit: "nginx.service",
  });
  assert.deepEqual(read("systemd: db\nunit postgresql@15-main.service").resource?.action, {
    kind: "systemd",
    unit: "postgresql@15-main.service",
  });
});

Deno.test("a virtual machine is named by its number", () => {
  const { resource } = read("vm: 100");
  assert.deepEqual(resource?.action, { kind: "vm", vmid: 100, file: null, by: null, remarks: [] });
  assert.deepEqual([resource.startTimeoutMs, resource.stopTimeoutMs], [60_000, 120_000]);
});

for (
  const [text, why] of [
    ["ip: web", /"web" is no IPv4 or IPv6 address/],
    ["ip: web\naddress 10.0.0.5/33", /"33" is no prefix length from 1 to 32/],
    ["ip: web\naddress 10.0.0.5/0", /"0" is no prefix length/],
    ["ip: web\naddress 10.0.0.5/24\ncidr 25", /"\/24" and cidr 25 differ/],
    ["ip: web\naddress 10.0.0.5/24/1", /is no IPv4/],
    ["ip: web\naddress 224.0.0.1", /no address that one host can have/],
    ["ip: web\naddress fe80::1%eth0", /is no IPv4/],
    ["ip: web\naddress 10.0.0.5\ninterface ../x", /no name of an interface/],
    ["ip: web\naddress 10.0.0.5\ninterface toolongforaninterface", /no name of an interface/],
    ["ocf: x", /agent "" is not PROVIDER:TYPE/],
    ["ocf: x\nagent heartbeat:../../bin/sh", /is not PROVIDER:TYPE/],
    ["ocf: x\nagent heartbeat:Dummy\nparams nonsense", /"nonsense" in params is not NAME=VALUE/],
    ["ocf: x\nagent heartbeat:Dummy\nparams __proto__=1", /is not NAME=VALUE/],
    ["ocf: x\nagent heartbeat:Dummy\nparams a=1 a=2", /"a" is there twice/],
    ["ocf: x\nagent heartbeat:Dummy\nparams 'a=1", /a quote in params is not closed/],
    ["ocf: x\nagent heartbeat:Dummy\ncheck_level deep", /check_level "deep"/],
    ["systemd: x\nunit ../x.service", /no name of a unit/],
    ["systemd: x\nunit x.device", /no name of a unit/],
    ["vm: web", /"web" is no number of a guest/],
    ["vm: 99", /"99" is no number of a guest/],
    ["exec: x", /needs a command/],
    ["exec: x\ncommand run\non_stop_failure panic", /"panic" is neither fence nor block/],
    [
      "icf: x",
      /kind "icf" is not known here; known are exec, ip, ocf, systemd, vm; "ocf" was meant/,
    ],
  ] as const
) {
  Deno.test(`refused: ${text.replaceAll("\n", ", ")}`, () => {
    const { resource, why: told } = read(text);
    assert.equal(resource, undefined);
    assert.match(told ?? "", why);
  });
}

Deno.test("no properties make reading throw, and what is read is sound", () => {
  const word = fc.string({ unit: fc.constantFrom(..."ab01.:/=' \"-_é") });
  const property = fc.tuple(
    fc.constantFrom("address", "cidr", "interface", "agent", "params", "unit", "check_level"),
    word,
  ).map(([key, value]) => `\t${key} ${value}\n`);
  const kind = fc.constantFrom("ip", "ocf", "systemd");
  fc.assert(fc.property(kind, fc.array(property, { maxLength: 6 }), (type, lines) => {
    const { resources } = readResources(`${type}: x\n${lines.join("")}`);
    for (const { action } of resources.values()) {
      assert.equal(action.kind, type);
      if (action.kind === "ocf") assert.doesNotMatch(action.type + action.provider, /[/\s]/);
    }
  }));
});
