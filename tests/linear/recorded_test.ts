/** Histories of simulated runs: that they are judged, and that there is something to judge. */
import assert from "node:assert/strict";
import { drawPlan, NAMES_KEY, play, type Recorded } from "../../mod/sim/mod.ts";
import { checkRecorded } from "./recorded.ts";

function recorded(
  key: string,
  input: Recorded["input"],
  output: Recorded["output"],
  [called, returned]: readonly [number, number],
): Recorded {
  return { key, input, output, called, returned };
}

Deno.test("checkRecorded() judges each file and the names apart, and says which it cannot explain", () => {
  const good = [
    recorded("x0", { op: "write", value: "a" }, { done: true }, [0, 1]),
    recorded("x0", { op: "read" }, { value: "a" }, [2, 3]),
    recorded("x1", { op: "read" }, { value: null }, [2, 3]),
    recorded(NAMES_KEY, { op: "make", name: "l0" }, { done: true }, [0, 5]),
    recorded(NAMES_KEY, { op: "unmake", name: "l1" }, { done: false }, [0, 5]),
    recorded(NAMES_KEY, { op: "list" }, { names: ["l0"] }, [6, 7]),
  ];
  assert.deepEqual(checkRecorded(good), []);
  const stale = recorded("x0", { op: "read" }, { value: null }, [4, 5]);
  const lost = recorded(NAMES_KEY, { op: "list" }, { names: [] }, [8, 9]);
  const faults = checkRecorded([...good, stale, lost]);
  assert.equal(faults.length, 2);
  assert.match(faults[0] ?? "", /^"x0"/);
  assert.match(faults[1] ?? "", /^names/);
});

Deno.test("a run records operations of every kind, and an order explains them", () => {
  const { history } = play(drawPlan(5, { nodes: 3, witness: false, profile: "fast" }));
  const kinds = new Set(history.map(({ input }) => input.op));
  for (const kind of ["read", "write", "swap", "remove", "list", "make", "unmake"] as const) {
    assert.ok(kinds.has(kind), kind);
  }
  assert.deepEqual(checkRecorded(history), []);
});
