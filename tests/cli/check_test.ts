/** `pentad check`: hosts made of files, ways, daemons and other hosts, each as it should not be. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type CheckupAsk, type HostFacts, hostFacts } from "../../mod/host/linux/checkup.ts";
import { clusterFindings } from "../../mod/cli/check/cluster_findings.ts";
import { readFar } from "../../mod/cli/check/far.ts";
import { exitOfFindings, type Finding } from "../../mod/cli/check/finding.ts";
import { hostFindings, type HostMeans } from "../../mod/cli/check/host_findings.ts";
import {
  addressFindings,
  knownFindings,
  wayFindings,
} from "../../mod/cli/check/network_findings.ts";
import { healthy } from "../api/healthy.ts";
import { cli, withDaemon } from "./world.ts";

const MEANS: HostMeans = { state: "/state", mount: "/etc/pve", watchdog: "auto", daemon: false };
const ROOT_MOUNT = "20 1 8:1 / / rw - ext4 /dev/sda1 rw";

/** A host as it should be, below a folder; `files` put others in their place, null takes one away. */
function lookAt(
  files: Readonly<Record<string, string | null>>,
  ask: Partial<CheckupAsk> = {},
  prepare: (root: string) => void = () => {},
): HostFacts {
  const root = Deno.makeTempDirSync({ prefix: "pentad-check-" });
  const all: Record<string, string | null> = {
    "/dev/fuse": "",
    "/sys/fs/cgroup/cgroup.controllers": "cpu\n",
    "/proc/pressure/io": "some\n",
    "/proc/swaps": "Filename Type Size\n",
    "/proc/self/mountinfo": `${ROOT_MOUNT}\n`,
    "/sys/power/state": "\n",
    "/sys/class/watchdog/watchdog0/identity": "iTCO_wdt\n",
    "/sys/class/watchdog/watchdog0/state": "inactive\n",
    "/sys/class/net/eth0/mtu": "1500\n",
    "/proc/7/comm": "init\n",
    ...files,
  };
  try {
    Deno.mkdirSync(`${root}/state`, { mode: 0o700 });
    for (const [path, text] of Object.entries(all)) {
      if (text === null) continue;
      Deno.mkdirSync(`${root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.writeTextFileSync(`${root}${path}`, text);
    }
    prepare(root);
    const plain = { state: "/state", mount: "/etc/pve", disks: [], secrets: [] };
    const facts = hostFacts({ root, ...plain, ...ask });
    const left = [...Deno.readDirSync(`${root}/state`)].map(({ name }) => name);
    assert.deepEqual(left.filter((name) => name.startsWith(".")), [], "nothing is left behind");
    // How full and how fast the disk below these tests is says nothing about them.
    assert.ok((facts.freeBytes ?? 0) > 0 && (facts.syncMs ?? -1) >= 0, "both were measured");
    return { ...facts, freeBytes: 90 * 1024 ** 3, syncMs: 1 };
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

/** `level check` of what is not well. The host that the tests run on may keep no clock. */
function ills(facts: HostFacts, means: Partial<HostMeans> = {}): string[] {
  const found = hostFindings({ ...facts, clockKept: true }, { ...MEANS, ...means });
  for (const { level, fix, what } of found) assert.equal(level === "ok", fix === "", what);
  return found.filter(({ level }) => level !== "ok").map(({ level, check }) => `${level} ${check}`);
}

Deno.test("a host that is as it should be has nothing to be mended", () => {
  const facts = lookAt({});
  assert.deepEqual(ills(facts), Deno.uid() === 0 ? [] : ["warn user"]);
  assert.equal(facts.store?.type, "ext4");
});

Deno.test("each fault of a host is one finding with a remedy", () => {
  const mountOn = (target: string, type: string, source: string) => ({
    "/proc/self/mountinfo": `${ROOT_MOUNT}\n21 20 0:9 / ${target} rw - ${type} ${source} rw\n`,
  });
  const table: readonly (readonly [Record<string, string | null>, string, Partial<HostMeans>?])[] =
    [
      [{ "/dev/fuse": null }, "fail fuse"],
      [{ "/sys/fs/cgroup/cgroup.controllers": null }, "warn cgroup"],
      [{ "/proc/pressure/io": null }, "warn pressure"],
      [{ "/proc/swaps": "Filename\n/dev/sda2 partition\n" }, "warn swap"],
      [{ "/sys/power/state": "freeze mem disk\n" }, "warn sleep"],
      [
        {
          "/sys/class/watchdog/watchdog0/identity": null,
          "/sys/class/watchdog/watchdog0/state": null,
        },
        "warn watchdog",
      ],
      [{ "/sys/class/watchdog/watchdog0/identity": "Software Watchdog\n" }, "warn watchdog"],
      [{ "/sys/class/watchdog/watchdog0/state": "active\n" }, "fail watchdog"],
      [{ "/etc/systemd/system.conf": "#x\nRuntimeWatchdogSec=30s\n" }, "fail watchdog"],
      [{ "/etc/systemd/system.conf.d/a.conf": " RuntimeWatchdogSec = 30 \n" }, "fail watchdog"],
      [{ "/proc/9/comm": "watchdog-mux\n" }, "fail watchdog"],
      [{}, "warn watchdog", { watchdog: "none" }],
      [{ "/proc/9/comm": "corosync\n" }, "fail others"],
      [mountOn("/state", "tmpfs", "tmpfs"), "fail file-system"],
      [mountOn("/state", "nfs4", "nas:/x"), "fail file-system"],
      [mountOn("/etc/pve", "fuse", "/dev/fuse"), "fail mount"],
      [mountOn("/etc/pve", "fuse.pentad", "pentad"), "fail mount"],
    ];
  for (const [files, wanted, means] of table) {
    assert.deepEqual(ills(lookAt(files), means), [wanted], JSON.stringify(files));
  }
});

Deno.test("what a running pentad holds is not held against it", () => {
  const facts = lookAt({
    "/sys/class/watchdog/watchdog0/state": "active\n",
    "/etc/systemd/system.conf": "RuntimeWatchdogSec=30s\n",
    "/etc/systemd/system.conf.d/z.conf": "RuntimeWatchdogSec=off\n",
    "/proc/self/mountinfo": `${ROOT_MOUNT}\n22 20 0:9 / /etc/pve rw - fuse.pentad pentad rw\n`,
  });
  assert.deepEqual(ills(facts, { daemon: true }), []);
});

Deno.test("space and latency are judged by what they mean for a node", () => {
  const facts = lookAt({});
  const [gib, mib] = [1024 ** 3, 1024 ** 2];
  for (
    const [freeBytes, syncMs, wanted] of [
      [gib, 1, ["warn space"]],
      [200 * mib, 1, ["fail space"]],
      [90 * gib, 60, ["warn latency"]],
      [90 * gib, 1500, ["fail latency"]],
      [null, null, []],
    ] as const
  ) assert.deepEqual(ills({ ...facts, freeBytes, syncMs }), wanted);
});

Deno.test("a secret that others may read is a failure, with the command that ends it", () => {
  const secrets = [
    { path: "/state", forbidden: 0o077 },
    { path: "/state/node.json", forbidden: 0o077 },
    { path: "/etc/settings.json", forbidden: 0o027 },
    { path: "/not/there", forbidden: 0o077 },
  ];
  const files = { "/state/node.json": "{}", "/etc/settings.json": "{}" };
  const modes = (node: number, settings: number) =>
    lookAt(files, { secrets }, (root) => {
      Deno.chmodSync(`${root}/state/node.json`, node);
      Deno.chmodSync(`${root}/etc/settings.json`, settings);
    });
  assert.deepEqual(ills(modes(0o600, 0o640)), []);
  assert.deepEqual(ills(modes(0o640, 0o644)), ["fail modes", "fail modes"]);
  assert.deepEqual(ills(modes(0o600, 0o660)), ["fail modes"]);
  const [node] = hostFindings(modes(0o644, 0o640), MEANS).filter(({ check }) => check === "modes");
  assert.equal(node?.fix, 'chmod 0600 "/state/node.json"');
  const facts = modes(0o600, 0o640);
  const foreign = facts.modes.map((each) => ({ ...each, owner: 1000 }));
  assert.equal(ills({ ...facts, modes: foreign }).length, 3);
});

Deno.test("a disk of the settings must be a device; others are none", () => {
  const facts = lookAt({ "/dev/sdx": "" }, { disks: ["/dev/sdx", "/dev/sdy"] });
  assert.deepEqual(ills(facts), ["fail disk", "fail disk"]);
});

Deno.test("addresses that are not this host's, names, and links that fail together are found", () => {
  const here = [
    { name: "eth0", address: "192.0.2.1" },
    { name: "eth0", address: "198.51.100.1" },
    { name: "eth1", address: "2001:db8:0:0::1" },
  ];
  const mtus = new Map([["eth0", 1500], ["eth1", 1400]]);
  const levels = (links: readonly string[], peer: string) =>
    addressFindings({ links, peer }, here, mtus).filter(({ level }) => level !== "ok")
      .map(({ level, check }) => `${level} ${check}`);
  assert.deepEqual(levels(["192.0.2.1:5405"], "192.0.2.1:5406"), []);
  assert.deepEqual(levels(["192.0.2.9:5405"], "192.0.2.1:5406"), ["fail address"]);
  assert.deepEqual(levels(["nodea:5405"], "192.0.2.1:5406"), ["warn address"]);
  assert.deepEqual(levels(["192.0.2.1:5405", "198.51.100.1:5405"], "192.0.2.1:1"), ["warn links"]);
  assert.deepEqual(levels(["[2001:db8::1]:5405"], "192.0.2.1:5406"), ["fail mtu"]);
});

Deno.test("settings that say something else than the cluster knows are found", () => {
  const known = { name: "nodeA", links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" };
  const ill = (settings: typeof known) =>
    knownFindings(settings, known).filter(({ level }) => level !== "ok").map(({ check }) => check);
  assert.deepEqual(ill(known), []);
  assert.deepEqual(ill({ ...known, name: "nodeX" }), ["known-name"]);
  assert.deepEqual(ill({ ...known, peer: "192.0.2.9:5406" }), ["known-address"]);
  assert.deepEqual(ill({ name: "x", links: [], peer: "" }), ["known-address", "known-name"]);
});

Deno.test("a way that takes small packets only is a failure, a silent one a warning", () => {
  const way = "nodeB over 192.0.2.2";
  const levelOf = (answers: boolean, wide: boolean) =>
    wayFindings([{ way, answers, wide }]).map(({ level }) => level)[0];
  assert.deepEqual([levelOf(true, true), levelOf(true, false), levelOf(false, false)], [
    ...["ok", "fail", "warn"],
  ]);
});

Deno.test("what status warns of, check finds too; another version and a foreign key beside it", () => {
  const levels = (findings: readonly Finding[]) =>
    findings.filter(({ level }) => level !== "ok").map(({ level, check }) => `${level} ${check}`);
  const facts = { status: healthy(), version: "1.0.0", unsealed: 0 };
  assert.deepEqual(levels(clusterFindings(facts, "1.0.0")), []);
  assert.deepEqual(levels(clusterFindings({ ...facts, unsealed: 3 }, "1.1.0")), [
    ...["warn version", "warn key"],
  ]);
  const alone = { ...healthy(), quorate: false };
  const found = levels(clusterFindings({ ...facts, status: alone }, "1.0.0"));
  assert.ok(found.includes("fail config.no-quorum"), found.join());
  const [nodeA, nodeB] = healthy().nodes;
  assert.ok(nodeA !== undefined && nodeB !== undefined);
  const far = { ...healthy(), nodes: [nodeA, { ...nodeB, rtt_ms: 80 }] };
  assert.deepEqual(levels(clusterFindings({ ...facts, status: far }, "1.0.0")), ["warn link"]);
});

Deno.test("check answers without a daemon and without settings, and says that with its exit code", async () => {
  const bare = await cli(["check", "--json", "--socket", "/nonexistent/api.sock"]);
  const { schema, findings } = JSON.parse(bare.out) as { schema: string; findings: Finding[] };
  assert.equal(schema, "pentad.check/1");
  const level = (check: string) => findings.find((each) => each.check === check)?.level;
  assert.deepEqual([level("settings"), level("daemon")], ["warn", "warn"]);
  assert.equal(bare.code, exitOfFindings(findings));
  assert.ok([1, 3].includes(bare.code));
  const files = { s: '{ "name": "nodeA", "linksss": [] }' };
  const wrong = await cli(["check", "--settings", "s", "--socket", "/nonexistent/x"], { files });
  assert.equal(wrong.code, 1);
  assert.match(wrong.out, /^fail\tsettings\t.*linksss.*fix: mend it/m);
  for (const path of [`${import.meta.filename}/s`, "s".repeat(5000)]) {
    const nowhere = await cli(["check", "--settings", path, "--socket", "/nonexistent/x"]);
    assert.match(nowhere.out, /^warn\tsettings\t.*is not there/m, nowhere.err);
  }
});

Deno.test("check asks the daemon of a cluster, with quorum and without", async () => {
  await withDaemon(async ({ node, cli }) => {
    const found = async () =>
      JSON.parse((await cli(["check", "--json"])).out).findings as Finding[];
    const at = (findings: readonly Finding[], check: string) =>
      findings.find((each) => each.check === check)?.level;
    assert.equal(at(await found(), "quorum"), "ok");
    node.document = { ...node.document, quorate: false };
    const without = await found();
    assert.equal(at(without, "daemon"), "ok");
    assert.equal(at(without, "config.no-quorum"), "fail");
    assert.equal((await cli(["check"])).code, 1);
  });
});

Deno.test("what another host says that it found is read within bounds, or not at all", () => {
  const finding = { check: "clock", level: "warn", what: "w", fix: "f" };
  const whole = { schema: "pentad.check/1", host: "nodeB", time_ms: 1, findings: [finding] };
  assert.deepEqual(readFar({ ...whole, more: 1 })?.findings, [finding]);
  for (
    const bad of [
      ...[null, 7, "x", [], {}, { ...whole, schema: "x" }, { ...whole, host: 1 }],
      ...[{ ...whole, time_ms: "1" }, { ...whole, time_ms: NaN }, { ...whole, findings: {} }],
      { ...whole, findings: Array(501).fill(finding) },
      { ...whole, findings: [{ ...finding, level: "good" }] },
      { ...whole, findings: [{ ...finding, what: "x".repeat(2001) }] },
      { ...whole, findings: [null] },
    ]
  ) assert.equal(readFar(bad), null);
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    readFar(value);
  }));
});
