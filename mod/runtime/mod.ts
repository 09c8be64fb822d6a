/** One node: pure core, drivers, ports. The same in the daemon and in the simulator. @module */
export { type MountAsk, NodeRuntime } from "./node_runtime.ts";
export type { RuntimeOptions } from "./runtime_options.ts";
