/** What tells one machine from another. */
import assert from "node:assert/strict";
import { type Machine, otherMachine, thisMachine } from "../../mod/host/linux/machine.ts";
import { claimMachine, readIdentity, writeIdentity } from "../../mod/daemon/state.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { nodeId } from "../../mod/base/id.ts";
import { specOf } from "../config/cluster.ts";

const [ONE, TWO] = ["1a".repeat(16), "2b".repeat(16)];

function inFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-machine-" });
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("otherMachine() compares what both know, and nothing else", () => {
  const cases: [Machine, Machine, boolean][] = [
    [{ id: ONE, product: ONE }, { id: ONE, product: ONE }, false],
    [{ id: ONE, product: ONE }, { id: TWO, product: ONE }, true],
    // An image that kept its machine-id: the firmware of a copy says another uuid.
    [{ id: ONE, product: ONE }, { id: ONE, product: TWO }, true],
    [{ id: ONE, product: null }, { id: ONE, product: TWO }, false],
    [{ id: null, product: null }, { id: ONE, product: TWO }, false],
    [{ id: null, product: ONE }, { id: ONE, product: TWO }, true],
  ];
  for (const [made, here, other] of cases) {
    assert.equal(otherMachine(made, here) !== null, other, JSON.stringify([made, here]));
  }
});

Deno.test("thisMachine() hashes what the host says, and takes no placeholder for a name", () => {
  inFolder((root) => {
    assert.deepEqual(thisMachine(root), { id: null, product: null });
    Deno.mkdirSync(`${root}/etc`);
    Deno.mkdirSync(`${root}/sys/class/dmi/id`, { recursive: true });
    const say = (id: string, product: string) => {
      Deno.writeTextFileSync(`${root}/etc/machine-id`, `${id}\n`);
      Deno.writeTextFileSync(`${root}/sys/class/dmi/id/product_uuid`, `${product}\n`);
      return thisMachine(root);
    };
    const uuid = "4C4C4544-0042-3510-8054-b7c04f4a4432";
    const { id, product } = say(ONE, uuid);
    assert.match(`${id} ${product}`, /^[0-9a-f]{32} [0-9a-f]{32}$/);
    assert.ok(id !== ONE && !uuid.toLowerCase().includes(String(product)));
    assert.equal(say(TWO, uuid.toLowerCase()).product, product, "letters do not count");
    assert.notEqual(say(TWO, uuid).id, id);
    for (const empty of ["uninitialized", "", "0".repeat(32)]) {
      assert.equal(say(empty, "00000000-0000-0000-0000-000000000000").id, null);
    }
    assert.equal(say(ONE, "ffffffff-ffff-ffff-ffff-ffffffffffff").product, null);
  });
});

Deno.test("claimMachine() notes what it did not know, refuses another machine, and takes a person's word", () => {
  inFolder((folder) => {
    const identity = { node: nodeId(1), clusterKey: new Uint8Array(32), spec: specOf(1, false) };
    const stored = () => {
      const found = readIdentity(folder);
      assert.ok(found);
      return found;
    };
    writeIdentity(folder, { ...identity, machine: { id: null, product: null } });
    claimMachine(folder, stored(), { accepted: false, here: { id: ONE, product: null } });
    assert.deepEqual(stored().machine, { id: ONE, product: null });
    claimMachine(folder, stored(), { accepted: false, here: { id: null, product: null } });
    assert.deepEqual(stored().machine, { id: ONE, product: null }, "what is known is kept");
    const here = { id: TWO, product: TWO };
    assert.throws(() => claimMachine(folder, stored(), { accepted: false, here }), (error) => {
      assert.ok(error instanceof ProblemError);
      assert.equal(error.problem.code, "node.other-machine");
      return true;
    });
    assert.deepEqual(stored().machine, { id: ONE, product: null });
    claimMachine(folder, stored(), { accepted: true, here });
    assert.deepEqual(stored().machine, here);
    // One that an earlier version made names none.
    const path = `${folder}/node.json`;
    const { machine: _machine, ...old } = JSON.parse(Deno.readTextFileSync(path));
    Deno.writeTextFileSync(path, JSON.stringify(old));
    claimMachine(folder, stored(), { accepted: false, here });
    assert.deepEqual(stored().machine, here);
    Deno.writeTextFileSync(path, JSON.stringify({ ...old, machine: { id: 7, product: null } }));
    assert.throws(stored, /names no machine/);
  });
});
