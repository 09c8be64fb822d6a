/** One node with the file `f`, and a program that has it. @module */
import assert from "node:assert/strict";
import { Bench, type Seat } from "./bench.ts";
import { type Fd, System } from "./system.ts";

/** `f` holds "old". */
export function desk(): { bench: Bench; system: System; seat: Seat } {
  const bench = new Bench();
  const system = new System(bench.first);
  assert.equal(system.put("f", "old"), "ok");
  return { bench, system, seat: bench.first };
}

/** Asks for a commit, and does not wait for it; the number of the request. */
export function flush(seat: Seat, { node, handle }: Fd): number {
  return seat.ask(node, { call: "flush", handle, owner: 1n });
}
