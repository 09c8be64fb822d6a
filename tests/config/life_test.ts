/** What a node's former life asked for, and what its next life must not take for its own. */
import assert from "node:assert/strict";
import { CONFIG_LIMITS } from "../../mod/config/mod.ts";
import { specOf } from "./cluster.ts";
import { Lone, transactionOf } from "./lone.ts";

/** A follower of node 2 that forwards one write; returns it with the number of its request. */
function forwarding(seed: number): { lone: Lone; id: number } {
  const lone = new Lone(specOf(3, false), CONFIG_LIMITS, seed);
  const beat = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
  lone.hear(2, { kind: "append", term: 1, ...beat });
  lone.propose("a write", transactionOf(1, [{ op: "create", path: "x" }]));
  const forwarded = lone.last(2, "forward");
  assert.ok(forwarded !== undefined);
  return { lone, id: forwarded.id };
}

Deno.test("an answer that a former life waited for tells this one's clients nothing", () => {
  const former = forwarding(1);
  const { lone, id } = forwarding(2);
  assert.notEqual(former.id, id);
  lone.hear(2, {
    kind: "forward-reply",
    id: former.id,
    answer: { kind: "done", index: 0, crc32: 0 },
  });
  lone.hear(2, {
    kind: "forward-reply",
    id: former.id,
    answer: { kind: "refused", code: "config.exists", why: "it is there" },
  });
  assert.equal(lone.outcomes.size, 0);
  lone.hear(2, {
    kind: "forward-reply",
    id,
    answer: { kind: "refused", code: "config.exists", why: "it is there" },
  });
  assert.deepEqual([...lone.outcomes.keys()], ["a write"]);
});
