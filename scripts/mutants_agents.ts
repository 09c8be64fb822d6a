/** Mutants of the agents and of what undoes their work. @module */
import type { Mutant } from "./mutant.ts";

export const AGENT_MUTANTS: readonly Mutant[] = [
  {
    name: "any number of starts at a time",
    file: "ha/agent.ts",
    find: "this.#starting < permit.maxWorkers",
    put: "this.#starting < permit.maxWorkers * 99",
    shape: "tests/ha/agent_test.ts",
    seeds: 1,
  },
  {
    name: "a wrong definition tried on every node",
    file: "ha/agent.ts",
    find: 'again ? "waiting" : scope === "everywhere" ? "invalid" : "failed"',
    put: 'again ? "waiting" : "failed"',
    shape: "tests/ha/agent_test.ts",
    seeds: 1,
  },
  {
    name: "a stop that fails never fences",
    file: "ha/agent.ts",
    find: 'onStopFailure === "fence"',
    put: 'onStopFailure === "block"',
    shape: "tests/ha/final_word_test.ts",
    seeds: 1,
  },
  {
    name: "what is about to be made is let go by the keeper",
    file: "host/linux/keeper_main.ts",
    find: "if (this.#pending.has(id)) return",
    put: "if (this.#pending.has(id) && id.length > 99) return",
    shape: "tests/host/process_test.ts",
    seeds: 1,
  },
  {
    name: "a conflict of addresses is not seen",
    file: "host/linux/neighbour_wire.ts",
    find: "if (same(sender, address)) return mac;",
    put: "if (same(sender, address)) return null;",
    shape: "tests/host/address_wire_test.ts",
    seeds: 1,
  },
  {
    name: "a start that was called off is held in a later tenure",
    file: "ha/agents/kind_driver.ts",
    find: "if (spec.calledOff()) return done(CALLED_OFF);",
    put: "",
    shape: "tests/host/ocf_test.ts",
    seeds: 1,
  },
  {
    name: "what its agent does not know any more counts as stopped",
    file: "ha/agents/ocf.ts",
    find: "(refused && (status === 5",
    put: "((refused || true) && (status === 5",
    shape: "tests/host/ocf_test.ts",
    seeds: 1,
  },
];
