/** For how long a member has said that it holds no guard. */
import assert from "node:assert/strict";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { Guardless } from "../../mod/ha/guardless.ts";
import type { MemberHealth } from "../../mod/streams.ts";
import { vitalsOf } from "./vitals.ts";

const NODE = nodeId(2);

function health(guardMarginMs: number | null, state: MemberHealth["state"] = "online") {
  const vitals = guardMarginMs === null ? null : vitalsOf({ guardMarginMs });
  const heard = { lastHeard: instant(0), vouched: instant(0) };
  return { node: NODE, state, boot: bootId("0".repeat(16)), vitals, ...heard };
}

Deno.test("Guardless counts from the first word without a guard to the first with one", () => {
  const guardless = new Guardless();
  const at = (ms: number) => guardless.for(NODE, instant(ms));
  assert.equal(at(100), 0, "it said nothing yet");
  guardless.note(health(0), instant(100));
  guardless.note(health(0), instant(300));
  assert.equal(at(400), 300);
  guardless.note(health(1), instant(400));
  assert.equal(at(500), 0);
  for (const other of [health(null), health(0, "down"), health(0, "isolated")]) {
    guardless.note(health(0), instant(500));
    guardless.note(other, instant(600));
    assert.equal(at(700), 0, `${other.state}: its words are of the past`);
  }
});
