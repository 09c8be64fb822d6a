/**
 * Who of a lab's nodes is there, while they go and come back one by one: a node that is on is quorate
 * at every look, except between its boot and the moment in which it is a member again.
 *
 * @module
 */
import assert from "node:assert/strict";
import { pause } from "../../scripts/local_cluster.ts";
import type { LabNode } from "./lab_node.ts";

const LOOK_MS = 250;

/** See the module's note. Always end it. */
export class Attendance {
  readonly #nodes: readonly LabNode[];
  readonly #away = new Set<LabNode>();
  readonly #faults: string[] = [];
  readonly #looks = new Map<string, number>();
  readonly #watching: Promise<unknown>;
  #ended = false;

  constructor(nodes: readonly LabNode[]) {
    this.#nodes = nodes;
    this.#watching = Promise.all(nodes.map((node) => this.#watch(node)));
  }

  /** Waits until a node's host has gone off by itself, and powers it on, as its firmware would. */
  async comesBack(at: number, seconds: number): Promise<void> {
    const node = this.#nodes[at];
    assert.ok(node !== undefined);
    await node.host.gone(seconds);
    this.#away.add(node);
    console.log(`${node.name} went off`);
    await node.boot();
    await node.until("it is there again", ({ quorate }) => quorate, 120);
    this.#away.delete(node);
    console.log(`${node.name} is back`);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#watching;
  }

  assertQuorate(): void {
    assert.equal(this.#faults.join("\n"), "");
    for (const { name } of this.#nodes) {
      assert.ok((this.#looks.get(name) ?? 0) > 0, `${name} was looked at`);
    }
  }

  async #watch(node: LabNode): Promise<void> {
    while (!this.#ended) {
      await pause(LOOK_MS);
      if (this.#away.has(node)) continue;
      const status = await node.status();
      // Who gave no answer in between goes: others say whether they miss its vote.
      if (status === null || this.#away.has(node)) continue;
      if (status.cluster === null) this.#faults.push(`${node.name} calls itself a stranger`);
      // Its daemon has stopped its node already, on the way down.
      if (status.node?.boot === "") continue;
      this.#looks.set(node.name, (this.#looks.get(node.name) ?? 0) + 1);
      if (status.quorate) continue;
      const others = status.nodes.map(({ name, state }) => `${name} ${state}`).join(", ");
      this.#faults.push(`${node.name} was not quorate at ${new Date().toISOString()}: ${others}`);
    }
  }
}
