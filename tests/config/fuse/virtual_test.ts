/** The virtual files, in the shapes that Proxmox VE's daemons read. */
import assert from "node:assert/strict";
import { nodeId } from "../../../mod/base/id.ts";
import { LOG_SHOWN_MAX } from "../../../mod/config/fuse/limits.ts";
import { SPECIALS } from "../../../mod/config/fuse/specials.ts";
import { OBSERVED } from "../../../mod/config/fuse/versions.ts";
import { Bench, type Seat, WALL_START, word } from "./bench.ts";
import { READ, System } from "./system.ts";

function desk(): { bench: Bench; seat: Seat; system: System } {
  const bench = new Bench(2);
  return { bench, seat: bench.first, system: new System(bench.first) };
}

Deno.test("numbers of virtual files and links are fixed and below those of the tree", () => {
  assert.deepEqual(SPECIALS.map((each) => each.node), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

Deno.test("links lead to this node's own folder, dangling until it is there", () => {
  const { system, seat } = desk();
  const targets = ["local", "qemu-server", "lxc", "openvz"].map((name) => system.readlink(name));
  assert.deepEqual(targets, [
    ...["nodes/node1", "nodes/node1/qemu-server", "nodes/node1/lxc", "nodes/node1/openvz"],
  ]);
  const found = system.stat("local");
  assert.ok(typeof found !== "string" && found.kind === "link");
  assert.equal(found.size, "nodes/node1".length);
  assert.equal(word(seat.call(1, { call: "readlink" })), "EINVAL");
});

Deno.test(".members: the cluster, its nodes, who is online, whether it is quorate", () => {
  const { bench, seat, system } = desk();
  seat.cluster = { spec: bench.spec, specIndex: 9, online: [nodeId(1)], version: 4 };
  assert.deepEqual(JSON.parse(system.cat(".members")), {
    nodename: "node1",
    version: 4,
    cluster: { name: "test", version: 9, nodes: 2, quorate: 1 },
    nodelist: {
      node1: { id: 1, online: 1, ip: "127.0.0.1" },
      node2: { id: 2, online: 0, ip: "127.0.0.2" },
    },
  });
  seat.setFrozen(true);
  assert.equal(JSON.parse(system.cat(".members")).cluster.quorate, 0);
});

Deno.test(".version: a counter for each observed path, that rises with every change and removal", () => {
  const { bench, system } = desk();
  const read = () => JSON.parse(system.cat(".version"));
  const first = read();
  assert.deepEqual(Object.keys(first), ["starttime", "clinfo", "vmlist", ...OBSERVED, "kvstore"]);
  assert.equal(first.starttime, WALL_START);
  assert.deepEqual(first.kvstore, { node1: {}, node2: {} });
  assert.equal(first["user.cfg"], 0);
  system.put("user.cfg", "x");
  system.mkdir("ha");
  system.put("ha/resources.cfg", "x");
  const second = read();
  assert.deepEqual([second["user.cfg"], second["ha/resources.cfg"]], [1, 3]);
  system.unlink("user.cfg");
  assert.equal(read()["user.cfg"], 4);
  bench.elsewhere({ op: "rename", path: "ha/resources.cfg", to: "ha/rules.cfg" });
  assert.deepEqual([read()["ha/resources.cfg"], read()["ha/rules.cfg"]], [5, 5]);
});

Deno.test(".vmlist: every guest with node, kind and the version of its file; no ids where there are none", () => {
  const { bench, system } = desk();
  assert.deepEqual(JSON.parse(system.cat(".vmlist")), { version: 0 });
  for (const path of ["nodes", "nodes/n1", "nodes/n1/lxc", "nodes/n1/qemu-server"]) {
    bench.elsewhere({ op: "mkdir", path });
  }
  system.put("nodes/n1/lxc/100.conf", "a");
  system.put("nodes/n1/qemu-server/200.conf", "b");
  system.put("nodes/n1/lxc/100.conf", "c");
  assert.deepEqual(JSON.parse(system.cat(".vmlist")), {
    version: 7,
    ids: {
      100: { node: "n1", type: "lxc", version: 7 },
      200: { node: "n1", type: "qemu", version: 6 },
    },
  });
  system.unlink("nodes/n1/qemu-server/200.conf");
  const { version, ids } = JSON.parse(system.cat(".vmlist"));
  assert.deepEqual([version, Object.keys(ids)], [8, ["100"]]);
});

Deno.test(".clusterlog: what was said, newest first, so many entries", () => {
  const { seat, system } = desk();
  assert.deepEqual(JSON.parse(system.cat(".clusterlog")), { data: [] });
  for (let at = 0; at < 250; at++) {
    seat.log.add("node1", { time: WALL_START, pri: 6, msg: `said ${at}` });
  }
  const { data } = JSON.parse(system.cat(".clusterlog"));
  assert.equal(data.length, LOG_SHOWN_MAX);
  assert.deepEqual(data[0], {
    ...{ uid: 250, time: WALL_START, pri: 6, tag: "pentad", pid: 0, node: "node1" },
    ...{ user: "root@pam", msg: "said 249" },
  });
  seat.log.add("node1", { time: WALL_START, pri: 3, msg: "ä".repeat(10_000) });
  const longest = JSON.parse(system.cat(".clusterlog")).data[0];
  assert.deepEqual([longest.msg, longest.pri], ["ä".repeat(2000), 3]);
});

Deno.test(".rrd: a line for each node that told its load, and for each guest of which was decided", () => {
  const { bench, seat, system } = desk();
  assert.equal(system.cat(".rrd"), "\0", "an empty dump ends in NUL, too");
  bench.pass(400_000);
  seat.samples = [
    { node: "node1", time: WALL_START + 399, vitals: { load: 0.25, ioDelay: 0.0625 } },
    { node: "node2", time: WALL_START + 99, vitals: { load: 0, ioDelay: 0 } },
  ];
  for (const path of ["nodes", "nodes/n1", "nodes/n1/qemu-server", "ha"]) {
    bench.elsewhere({ op: "mkdir", path });
  }
  system.put("nodes/n1/qemu-server/100.conf", "cores: 2\nname: web\n");
  const services = { "vm:100": { state: "started" }, "vm:101": { state: "stopped" } };
  const others = { "vm:102": { state: "fence" }, "exec:1": { state: "started" }, "vm:103": null };
  const decide = (text: string) => {
    const path = "ha/manager_status";
    const data = new TextEncoder().encode(text);
    if (typeof system.stat(path) !== "string") bench.elsewhere({ op: "remove", path });
    bench.elsewhere({ op: "create", path }, { op: "write", path, offset: 0, data });
  };
  decide(JSON.stringify({ services: { ...services, ...others } }));
  const unknown = (count: number) => ":U".repeat(count);
  const [time, now] = [WALL_START + 399, WALL_START + 400];
  assert.deepEqual(system.cat(".rrd").split("\n"), [
    `pve-node-9.0/node1:U::${time}:U:U:0.25:0.063${unknown(15)}`,
    `pve-vm-9.0/100:U:web:running:0:${now}${unknown(17)}`,
    `pve-vm-9.0/101:U:U:stopped:0:${now}${unknown(17)}`,
    "\0",
  ], "what is older than five minutes is not shown");
  for (const odd of ["[]", "null", '{"services":[1]}', "{", '{"services":7}']) {
    decide(odd);
    assert.equal(system.cat(".rrd").split("\n").length, 2);
  }
});

Deno.test("better: a virtual file is for each handle what it was when that was opened", () => {
  const { bench, seat, system } = desk();
  const fd = system.opened(".vmlist", READ);
  const before = system.read(fd);
  for (const path of ["nodes", "nodes/n1", "nodes/n1/lxc"]) bench.elsewhere({ op: "mkdir", path });
  system.put("nodes/n1/lxc/100.conf", "x");
  const found = system.stat(".vmlist");
  assert.ok(typeof found !== "string" && found.size > before.length);
  assert.equal(found.validMs, 0, "the kernel asks each time");
  const through = system.fstat(fd);
  assert.ok(typeof through !== "string" && through.size === before.length);
  assert.equal(system.read(fd, 0, 4) + system.read(fd, 4), before, "no torn read");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.answers.size > 0, true);
});
