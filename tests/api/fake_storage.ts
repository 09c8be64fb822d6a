/** Shared disks that are told what to be, for tests of API and CLI. */
import type { StorageNode, WitnessAsk, WitnessChange, WitnessState } from "../../mod/api/mod.ts";

const WITNESS = "ab".repeat(16);

export class FakeStorage implements StorageNode {
  state: WitnessState = {
    ...{ disk: null, votes: false, needed: 1, held: false, verdict: "no judgement" },
    disks: [
      { uuid: WITNESS, path: "/dev/sdb", state: "ready", seen: ["nodeA"], verdict: "fences" },
    ],
  };
  readonly #calls: unknown[];

  constructor(calls: unknown[]) {
    this.#calls = calls;
  }

  show(): Promise<unknown> {
    return Promise.resolve({ stream: "storage" });
  }

  witness(): WitnessState {
    return this.state;
  }

  setWitness(ask: WitnessAsk): Promise<WitnessChange> {
    this.#calls.push({ witness: ask });
    const before = this.state.disk;
    const after = ask.disks[0] === undefined ? null : WITNESS;
    const steps = before === after ? [] : [after];
    if (ask.commit) this.state = { ...this.state, disk: after };
    return Promise.resolve({ before, after, steps, warnings: after === null ? ["alone"] : [] });
  }
}
