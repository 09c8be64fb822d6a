/** The simulated world: the ports of `host/ports.ts` over virtual time and one seed. @module */
export { HostClock } from "./clock.ts";
export { DatabaseStore } from "./database.ts";
export { type DiskPath, SimDisk, SimDisks } from "./disk.ts";
export { type HostEnd, SimHost } from "./host.ts";
export { type Deliver, HostFuse, SimFuse } from "./fuse.ts";
export { type CallErrno, type Result, SimKernel } from "./fuse_kernel.ts";
export { type OpenFile, type OpenHow, SimProgram } from "./fuse_program.ts";
export type { Done, Outcome } from "./fuse_walk.ts";
export { HostKeeper } from "./keeper.ts";
export { type Path, type PathCondition, SimNetwork, type Way } from "./network.ts";
export { DEFAULTS, draw, type Range, type WorldOptions } from "./options.ts";
export { HostProcesses, SimPlant } from "./plant.ts";
export { SimSite } from "./site.ts";
export { HostWatchdog } from "./watchdog.ts";
export { Happening, World } from "./world.ts";
export { Checks, type Violation } from "./checks.ts";
export { type ClusterShape, SimCluster, type SimNode } from "./cluster.ts";
export { type Fault, printFault } from "./faults.ts";
export {
  printLine,
  simulate,
  type SimulatedEvent,
  type Simulation,
  type SimulationAsk,
} from "./simulation.ts";
export { drawPlan, type RunPlan } from "./plan.ts";
export { drawCrowd, printCrowdRule, printDcFault, printProperties } from "./crowd_plan.ts";
export { NAMES_KEY, type Recorded, type RecordedInput } from "./registers.ts";
export { play, type RunResult } from "./run.ts";
export { playScenario, printScenario, readScenario, type ScenarioFile } from "./scenario.ts";
export { type JudgementResult, playJudgement } from "./judgement.ts";
export {
  type DiskFault,
  drawJudgement,
  type JudgementPlan,
  type JudgementShape,
  printDiskFault,
  printMove,
} from "./judgement_plan.ts";
