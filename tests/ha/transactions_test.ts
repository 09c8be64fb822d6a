/** The transactions of stream 3, applied to a real tree. */
import assert from "node:assert/strict";
import { encodeText } from "../../mod/base/bytes.ts";
import { nodeId, requestId } from "../../mod/base/id.ts";
import { Tree } from "../../mod/config/tree.ts";
import { COMMANDS_FILE, HaFiles, LOCK } from "../../mod/ha/files.ts";
import { EMPTY_STATUS, printStatus, STATUS_FILE } from "../../mod/ha/status.ts";
import { decisionOf, lockOf, orderOf, unlockOf } from "../../mod/ha/transactions.ts";
import type { Transaction } from "../../mod/streams.ts";
import { sceneOf } from "./scene.ts";

/** A tree, and what stream 3 knows of it. */
class Place {
  readonly tree = new Tree([]);
  readonly files = new HaFiles();
  #index = 0;
  #ids = 0;
  readonly clerk = {
    nextId: () => requestId((++this.#ids).toString(16).padStart(16, "0")),
    author: () => "ha@nodeA",
    time: () => 5,
    base: () => this.#index,
  };

  /** Applies; true where it took effect. */
  apply(transaction: Transaction, writer = 1): boolean {
    const index = ++this.#index;
    const result = this.tree.apply(transaction, { index, writer });
    if ("code" in result) return false;
    this.files.apply(result.changes, index, false);
    return true;
  }

  decide(bytes: Uint8Array | null = STATUS): Transaction {
    return decisionOf(this.clerk, this.files, { epoch: this.files.lock?.epoch ?? 0, bytes });
  }

  text(path: string): string | null {
    const row = this.tree.find(path);
    return row === null ? null : new TextDecoder().decode(row.data);
  }
}

const STATUS = printStatus(EMPTY_STATUS);

Deno.test("lockOf(): of two who saw the same lock one takes it, with an epoch of its own", () => {
  const place = new Place();
  const [one, two] = [lockOf(place.clerk, place.files), lockOf(place.clerk, place.files)];
  assert.equal(place.apply(one, 2), true);
  assert.deepEqual(place.files.lock, { epoch: 1, holder: 2 });
  assert.equal(place.apply(two, 3), false);
  assert.equal(place.apply(lockOf(place.clerk, place.files), 3), true);
  assert.deepEqual(place.files.lock, { epoch: 3, holder: 3 });
});

Deno.test("unlockOf(): gives back its own lock and no other", () => {
  const place = new Place();
  place.apply(lockOf(place.clerk, place.files));
  const old = unlockOf(place.clerk, place.files.lock?.epoch ?? 0);
  place.apply(lockOf(place.clerk, place.files), 2);
  assert.equal(place.apply(old), false);
  assert.equal(place.files.lock?.holder, 2);
  assert.equal(place.apply(unlockOf(place.clerk, place.files.lock?.epoch ?? 0)), true);
  assert.equal(place.files.lock, null);
});

Deno.test("decisionOf(): refused once the lock changed hands, though the status is as it was", () => {
  const place = new Place();
  place.apply(lockOf(place.clerk, place.files));
  assert.equal(place.apply(place.decide()), true);
  const late = place.decide();
  place.apply(lockOf(place.clerk, place.files), 2);
  assert.equal(place.apply(late), false);
});

Deno.test("decisionOf(): refused once the status is another one, though the lock is as it was", () => {
  const place = new Place();
  place.apply(lockOf(place.clerk, place.files));
  place.apply(place.decide());
  const [first, second] = [place.decide(), place.decide()];
  assert.equal(place.apply(first), true);
  assert.equal(place.apply(second), false);
});

Deno.test("decisionOf(): takes away the orders that it saw, and no other", () => {
  const place = new Place();
  place.apply(lockOf(place.clerk, place.files));
  place.apply(orderOf(place.clerk, place.files, "maintenance nodeA on"));
  const decision = place.decide();
  place.apply(orderOf(place.clerk, place.files, "maintenance nodeB on"));
  assert.equal(place.apply(decision), false, "an order came in between");
  assert.equal(place.text(COMMANDS_FILE), "maintenance nodeA on\nmaintenance nodeB on\n");
  assert.equal(place.apply(place.decide(null)), true);
  assert.equal(place.text(COMMANDS_FILE), "");
  assert.equal(place.text(STATUS_FILE), null, "nothing was decided");
});

Deno.test("orderOf(): of two that saw the same list one is refused, so that none is lost", () => {
  const place = new Place();
  const [one, two] = ["on", "off"].map((state) =>
    orderOf(place.clerk, place.files, `maintenance nodeA ${state}`)
  );
  assert.ok(one && two);
  assert.equal(place.apply(one), true);
  assert.equal(place.apply(two), false);
});

Deno.test("HaFiles: what a whole tree does not name is not there", () => {
  const place = new Place();
  place.apply(lockOf(place.clerk, place.files));
  place.apply(place.decide());
  const { files } = place;
  assert.notEqual(files.statusVersion, 0);
  const row = { kind: "file", version: 9, data: encodeText("{"), writer: 1 } as const;
  files.apply([{ path: STATUS_FILE, ...row, writer: files.lock?.holder ?? never() }], 9, true);
  assert.equal(files.lock, null);
  assert.equal(files.damaged, true);
  assert.equal(files.hasDirectory(LOCK), false);
});

function never(): never {
  throw new Error("There is a lock");
}

Deno.test("decisionOf(): a definition moves with the decision, and holds it up where it was moved meanwhile", () => {
  const at = (node: number) =>
    sceneOf({ services: { "vm:100": { state: "started", node: nodeId(node) } } });
  const { spec, status: before } = at(1);
  const next = at(2).status;
  const decide = (place: Place) =>
    decisionOf(place.clerk, place.files, {
      epoch: place.files.lock?.epoch ?? 0,
      bytes: printStatus(next),
      moves: place.files.machines.moves(spec, before, next),
    });
  const [from, to] = ["nodeA", "nodeB"].map((name) => `nodes/${name}/qemu-server/100.conf`);
  assert.ok(from && to);
  for (const meanwhile of [false, true]) {
    const place = new Place();
    place.apply(lockOf(place.clerk, place.files));
    const folders = ["nodes", "nodes/nodeA", "nodes/nodeA/qemu-server"];
    const write = (operations: Transaction["operations"]) =>
      place.apply({ ...decide(place), expect: [], operations });
    assert.ok(write([
      ...folders.map((path) => ({ op: "mkdir", path }) as const),
      { op: "create", path: from },
      { op: "write", path: from, offset: 0, data: encodeText("memory: 64\n") },
    ]));
    const decision = decide(place);
    if (meanwhile) assert.ok(write([{ op: "truncate", path: from, size: 0 }]));
    assert.equal(place.apply(decision), !meanwhile);
    assert.equal(place.text(STATUS_FILE) === null, meanwhile);
    assert.equal(place.text(to), meanwhile ? null : "memory: 64\n");
    assert.equal(place.files.machines.of(100)?.node, meanwhile ? "nodeA" : "nodeB");
  }
});
