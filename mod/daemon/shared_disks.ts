/** The shared disks of a running member, for the API. @module */
import type { StorageNode } from "../api/storage_node.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { DiskTests } from "./disk_tests.ts";

/** See the module's note. */
export class SharedDisks implements StorageNode {
  readonly #runtime: NodeRuntime;
  readonly #tests: DiskTests;

  constructor(runtime: NodeRuntime, tests: DiskTests) {
    this.#runtime = runtime;
    this.#tests = tests;
  }

  show(): Promise<unknown> {
    return this.#tests.shown(this.#runtime.node.storage.view());
  }
}
