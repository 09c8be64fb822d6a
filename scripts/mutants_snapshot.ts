/** Mutants of snapshots, compaction and replicas that differ. @module */
import { type Mutant, THREE } from "./mutant.ts";

export const SNAPSHOT_MUTANTS: readonly Mutant[] = [
  {
    name: "snapshot acknowledged before it is durable",
    file: "config/install.ts",
    find:
      '      raft.send(from, { kind: "snapshot-reply", term: raft.term, transfer, next, done });',
    put:
      '      raft.send(from, { kind: "snapshot-reply", term: raft.term, transfer, next, done }, true);',
    shape: "tests/config/install_test.ts",
    seeds: 1,
  },
  {
    name: "snapshot installed without the request memory",
    file: "config/install.ts",
    find: "this.#replica.restore({ applied: index, stateCrc, rows, requests, locks });",
    put: "this.#replica.restore({ applied: index, stateCrc, rows, requests: [], locks });",
    shape: THREE,
    seeds: 400,
  },
  {
    name: "compaction beyond applied",
    file: "config/core.ts",
    find: "const ask = { log: raft.log, applied: raft.applied, needed",
    put: "const ask = { log: raft.log, applied: raft.log.last, needed",
    aids: [{
      file: "config/raft.ts",
      find: '    assert(index <= this.applied, "What is not applied stays in the log");\n',
      put: "",
    }],
    shape: THREE,
    seeds: 100,
  },
  {
    name: "snapshot of an older term or index accepted over newer state",
    file: "config/install.ts",
    find: "return !forced && index <= this.#raft.commit;",
    put: "return !forced && index < 0;",
    shape: "tests/config/install_test.ts",
    seeds: 1,
  },
  {
    name: "log kept behind an installed snapshot that it does not match",
    file: "config/raft.ts",
    find: "log.termAt(base.index) === base.term && log.chainAt(base.index) === base.chain;",
    put: "log.last > base.index;",
    aids: [{
      file: "config/log.ts",
      find:
        '      assert(this.chainAt(base.index) === base.chain, "A log that is kept holds the new base");\n',
      put: "",
    }],
    shape: "tests/config/install_test.ts",
    seeds: 1,
  },
  {
    name: "log dropped behind an installed snapshot that it matches",
    file: "config/raft.ts",
    find: "log.termAt(base.index) === base.term && log.chainAt(base.index) === base.chain;",
    put: "log.last < base.index;",
    shape: "tests/config/install_test.ts",
    seeds: 1,
  },
  {
    name: "chunk of another snapshot taken for this one's",
    file: "config/install.ts",
    find: "known.transfer === transfer) return known;",
    put: "known.transfer > 0) return known;",
    shape: "tests/config/install_test.ts",
    seeds: 1,
  },
  {
    name: "replica that differs rebuilt by one that may be the odd one itself",
    file: "config/twins.ts",
    find: 'if (isOdd(raft)) condemn(raft, reason("config.odd", { node: raft.name(raft.self) }));',
    put: "if (isOdd(raft)) raft.effects.push();",
    shape: "tests/config/resync_test.ts",
    seeds: 1,
  },
];
