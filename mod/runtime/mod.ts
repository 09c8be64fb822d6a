/** One node: pure core, drivers, ports. The same in the daemon and in the simulator. @module */
export { type MountAsk, NodeRuntime, type RuntimeOptions } from "./node_runtime.ts";
