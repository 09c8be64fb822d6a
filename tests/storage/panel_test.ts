import assert from "node:assert/strict";
import { type KnownLabel, panelOf } from "../../mod/storage/panel.ts";

const [A, B, C, D, E] = ["a", "b", "c", "d", "e"];

function known(...labels: readonly string[]): KnownLabel[] {
  return labels.map((text) => {
    const [uuid = "", group = ""] = text.split(":");
    return { uuid, group: group === "" ? [] : group.split("") };
  });
}

Deno.test("panelOf() seats the disks that were formatted with the named one, in one order", () => {
  const table: readonly (readonly [string | null, KnownLabel[], string, number])[] = [
    ["b", known("b", "a"), "b", 1],
    [null, known("b", "a"), "a", 1],
    ["b", known("c:cab", "a:cab"), "abc", 2],
    ["b", known("b:abcde"), "abcde", 3],
    // Of an even number the named one alone decides.
    ["b", known("a:ab", "b:ab"), "b", 1],
    ["c", known("d:abcd"), "c", 1],
  ];
  for (const [named, labels, order, needed] of table) {
    assert.deepEqual(panelOf(named, labels), { order: order.split(""), needed });
  }
});

Deno.test("panelOf() seats nobody where it cannot be known who judges", () => {
  assert.equal(panelOf("x", known("a", "b:abc")), null);
  assert.equal(panelOf(null, []), null);
  assert.equal(panelOf("a", known("a:abc", "b:abd")), null, "labels that contradict each other");
  assert.equal(panelOf("a", known("a", "b:abc")), null);
});

Deno.test("panelOf() is the same for everybody, whichever disks they reach", () => {
  const group = [A, B, C, D, E].join("");
  const all = known(...group.split("").map((uuid) => `${uuid}:${group}`));
  for (let mask = 1; mask < 1 << all.length; mask++) {
    const seen = all.filter((_, at) => (mask >> at) % 2 === 1).reverse();
    assert.deepEqual(panelOf("c", seen), panelOf("c", all));
  }
});
