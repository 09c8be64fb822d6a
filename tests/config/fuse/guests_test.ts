/** A VMID is given once in the whole cluster. */
import assert from "node:assert/strict";
import { GuestIndex, guestOf } from "../../../mod/config/guests.ts";
import { Tree } from "../../../mod/config/tree.ts";
import { requestId } from "../../../mod/base/id.ts";
import type { Operation } from "../../../mod/streams.ts";
import { Bench, word } from "./bench.ts";
import { CUT, System } from "./system.ts";

const [A, B] = ["nodes/node1/qemu-server", "nodes/node2/lxc"];

function desk(nodes = 2): Bench {
  const bench = new Bench(nodes);
  for (const path of ["nodes", "nodes/node1", "nodes/node2", A, B]) {
    bench.elsewhere({ op: "mkdir", path });
  }
  return bench;
}

Deno.test("guestOf() knows a guest's file by its path and nothing else", () => {
  const qemu = { vmid: "100", node: "a", kind: "qemu" };
  assert.deepEqual(guestOf("nodes/a/qemu-server/100.conf"), qemu);
  assert.deepEqual(guestOf("nodes/a/lxc/7.conf"), { vmid: "7", node: "a", kind: "lxc" });
  const none = [
    ...["nodes/a/qemu-server/0100.conf", "nodes/a/qemu-server/100.conf.tmp.1", "nodes/a/100.conf"],
    ...["nodes/a/openvz/100.conf", "nodes/a/qemu-server/x/100.conf", "nodes/a/lxc/x.conf"],
    ...["a/nodes/b/lxc/1.conf", "nodes/a/toString/1.conf", "qemu-server/100.conf", ""],
  ];
  for (const path of none) assert.equal(guestOf(path), null, path);
});

Deno.test("two nodes create the same VMID at once: the log's second one is refused, everywhere", () => {
  const bench = desk();
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  const fds = [here.opened(`${A}/100.conf`, CUT, true), there.opened(`${B}/100.conf`, CUT, true)];
  bench.auto = false;
  const flushes = fds.map((fd, at) => bench.seat(at + 1).ask(fd.node, { call: "fsync", ...fd }));
  bench.commitAll();
  assert.equal(word(bench.seat(1).answers.get(flushes[0] ?? 0)), "ok");
  assert.equal(word(bench.seat(2).answers.get(flushes[1] ?? 0)), "EEXIST");
  for (const seat of bench.seats) {
    assert.ok(seat.replica.tree.find(`${A}/100.conf`));
    assert.equal(seat.replica.tree.find(`${B}/100.conf`), null);
  }
  assert.equal(bench.seat(1).replica.crc, bench.seat(2).replica.crc);
});

Deno.test("two nodes move the same guest at once: one of them does", () => {
  const bench = desk();
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  here.put(`${A}/100.conf`, "x");
  const calls = [here.renameCall(`${A}/100.conf`, `${B}/100.conf`)];
  calls.push(there.renameCall(`${A}/100.conf`, "100.conf"));
  const at = here.node(A);
  bench.auto = false;
  const asked = calls.map((call, seat) => bench.seat(seat + 1).ask(at, call));
  bench.commitAll();
  assert.equal(word(bench.seat(1).answers.get(asked[0] ?? 0)), "ok");
  assert.equal(word(bench.seat(2).answers.get(asked[1] ?? 0)), "ENOENT");
});

Deno.test("a pending file takes no VMID, but it cannot be committed to one that was given since", () => {
  const bench = desk();
  const system = new System(bench.first);
  const fd = system.opened("tmp", CUT, true);
  assert.equal(system.rename("tmp", `${A}/100.conf`), "ok");
  bench.elsewhere({ op: "create", path: `${B}/100.conf` });
  assert.equal(system.fsync(fd), "EEXIST");
  assert.equal(system.rename(`${A}/100.conf`, `${A}/101.conf`), "ok");
  assert.equal(system.fsync(fd), "ok");
});

class Rules {
  readonly tree: Tree;
  #index: number;

  constructor(tree = new Tree([]), index = 0) {
    this.tree = tree;
    this.#index = index;
  }

  apply(...operations: Operation[]): string | null {
    const transaction = {
      ...{ request: requestId("0".repeat(16)), base: 0, expect: [], operations },
      ...{ author: "", reason: "", time: 1 },
    };
    const result = this.tree.apply(transaction, { index: ++this.#index, writer: 1 });
    return "code" in result ? result.code : null;
  }

  /** The same tree as a restarted replica has it. */
  restarted(): Rules {
    return new Rules(new Tree(this.tree.all().rows), this.#index);
  }
}

Deno.test("the rule looks at a transaction's end, survives refusals and a restart", () => {
  let rules = new Rules();
  for (const path of ["nodes", "nodes/node1", "nodes/node2", A, B]) {
    assert.equal(rules.apply({ op: "mkdir", path }), null);
  }
  const [first, second] = [`${A}/100.conf`, `${B}/100.conf`];
  assert.equal(rules.apply({ op: "create", path: first }), null);
  for (let life = 0; life < 2; life++) {
    assert.equal(rules.apply({ op: "create", path: second }), "config.guest-exists");
    assert.equal(rules.tree.find(second), null);
    assert.equal(rules.apply({ op: "create", path: "x" }), null);
    const rename: Operation = { op: "rename", path: "x", to: second };
    assert.equal(rules.apply(rename), "config.guest-exists");
    assert.equal(rules.apply({ op: "remove", path: "x" }), null);
    // What a refused transaction took away is there again, and so is its VMID.
    const undone: Operation[] = [
      { op: "remove", path: first },
      { op: "rmdir", path: A },
      { op: "rmdir", path: "none" },
    ];
    assert.equal(rules.apply(...undone), "config.not-found");
    assert.equal(rules.apply({ op: "create", path: second }), "config.guest-exists");
    rules = rules.restarted();
  }
  const swap: Operation[] = [{ op: "create", path: second }, { op: "remove", path: first }];
  assert.equal(rules.apply(...swap), null, "in the end there is one");
  assert.equal(rules.apply({ op: "create", path: first }), "config.guest-exists");
  assert.equal(rules.apply({ op: "remove", path: second }), null);
  assert.equal(rules.apply({ op: "create", path: first }), null);
  const write: Operation = { op: "truncate", path: first, size: 10 };
  assert.equal(rules.apply(write), null, "writing to the one that is there is fine");
});

Deno.test("a tree older than the rule may have a VMID twice: it can be repaired, not made worse", () => {
  const index = new GuestIndex();
  const guest = { vmid: "1", node: "a", kind: "qemu" } as const;
  index.add(1, guest);
  index.add(2, { ...guest, node: "b" });
  assert.deepEqual([...index.places("1")], [1, 2]);
  index.delete(1);
  index.delete(1);
  assert.deepEqual([...index.places("1")], [2]);
  index.delete(2);
  assert.deepEqual([...index.places("1")], []);
  assert.deepEqual([...index.all()], []);
});
