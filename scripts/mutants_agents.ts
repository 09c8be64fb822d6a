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
    name: "a machine is taken from whoever has it",
    file: "ha/machines.ts",
    find: "if (file.node !== nameOf(spec, from)) continue;",
    put: "if (file.node === nameOf(spec, entry.node)) continue;",
    shape: "tests/ha/machines_test.ts",
    seeds: 1,
  },
  {
    name: "a proof of anybody's death lets a machine go",
    file: "ha/plan.ts",
    find: 'if (node === old.node && (proof !== null || old.state === "relocate")) {',
    put: 'if (proof !== null || old.state === "relocate") {',
    shape: "tests/ha/machines_test.ts",
    seeds: 1,
  },
  {
    name: "any node starts a machine",
    file: "ha/agents/vm.ts",
    find: "if (file.node === node) return null;",
    put: 'if (file.node !== "") return null;',
    shape: "tests/ha/machines_test.ts",
    seeds: 1,
  },
];
