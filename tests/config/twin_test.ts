/** A member that runs twice: nothing that either of the two says counts, then or afterwards. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { transactionOf } from "./lone.ts";
import { Lone } from "./lone.ts";

/** Its peers see that a node runs twice, or does no more. */
function twin(lone: Lone, node: number, running: boolean): void {
  const fact = {
    fact: "heartbeat.twin",
    node: nodeId(node),
    twin: running ? ("0123456789abcdef" as never) : null,
  } as const;
  lone.step({ kind: "fact", fact });
}

Deno.test("acknowledgements of a node that runs twice make no majority, nor do they afterwards", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.acknowledge(3, 1);
  twin(lone, 2, true);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  lone.acknowledge(2, 2);
  assert.equal(lone.core.view().committed, 1);
  // The copy is gone; what it said must not be taken for what the node holds.
  twin(lone, 2, false);
  lone.pass(20);
  assert.equal(lone.core.view().committed, 1);
  lone.acknowledge(2, 2);
  assert.equal(lone.core.view().committed, 2);
  assert.equal(lone.outcomes.get("t")?.ok, true);
});

Deno.test("the others go on without a node that runs twice", () => {
  const lone = new Lone();
  lone.lead(2);
  twin(lone, 2, true);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  lone.acknowledge(3, 2);
  assert.equal(lone.outcomes.get("t")?.ok, true);
});

Deno.test("the vote of a node that runs twice elects nobody, and it gets none", () => {
  const lone = new Lone();
  twin(lone, 2, true);
  lone.pass(1000);
  const term = lone.core.view().term + 1;
  lone.hear(2, { kind: "vote-reply", term, pre: true, granted: true });
  lone.hear(2, { kind: "vote-reply", term, pre: false, granted: true });
  assert.notEqual(lone.core.view().role, "leader");
  const ask = { transfer: false, lastIndex: 9, lastTerm: 9 };
  lone.hear(2, { kind: "vote", term: term + 5, pre: false, ...ask });
  assert.equal(lone.last(2, "vote-reply")?.granted, false);
  lone.hear(3, { kind: "vote", term: term + 6, pre: false, ...ask });
  assert.equal(lone.last(3, "vote-reply")?.granted, true);
});
