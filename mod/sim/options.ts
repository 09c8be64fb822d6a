/**
 * Every probability and range that the simulated world draws from. Times are milliseconds.
 *
 * @module
 */
import { CONFIG_LIMITS } from "../config/mod.ts";
import { CLOCK_DRIFT_RATIO } from "../base/timing.ts";
import type { Millis } from "../base/time.ts";
import type { Prng } from "../base/prng.ts";

/** From low to high, drawn evenly. */
export type Range = readonly [low: number, high: number];

/** The world's character. A caller prints it with the seed, and a run can be repeated. */
export interface WorldOptions {
  /** A host's clock runs at 1 ± so much of this; any two differ by at most twice it. */
  readonly clockRate: number;
  /** A host's monotonic clock shows this when the host comes up. */
  readonly clockStartMs: Range;
  readonly wallSkewSeconds: Range;
  readonly timerLateMs: Range;

  readonly netDelayMs: Range;
  readonly netLoss: number;
  readonly netDuplicate: number;
  /** An old datagram comes once more, this much later. */
  readonly netReplay: number;
  readonly netReplayMs: Range;
  /** One bit of a datagram is turned over (the UDP checksum fails to see it). */
  readonly netCorrupt: number;
  /** Bytes of a connection that the system takes beyond what has arrived. */
  readonly tcpBufferBytes: number;
  /** How long one side of a cut connection goes on hoping. */
  readonly tcpStallMs: Range;
  /** A lost segment comes so much later. */
  readonly tcpResendMs: Range;
  readonly tcpSplit: number;
  readonly tcpJoin: number;
  /** When a side closes, what has not arrived is lost. */
  readonly tcpCloseLoses: number;

  readonly diskCallMs: Range;
  /** A call is slow with this probability, and takes then so long. */
  readonly diskSlow: number;
  readonly diskSlowMs: Range;
  /** A call in flight at a crash is executed; else it is not. */
  readonly diskCrashExecuted: number;
  /** A write that is executed at a crash is torn. */
  readonly diskCrashTorn: number;
  /** What a target without ABORT took from who was ejected lands within so long. */
  readonly diskLingerMs: Range;
  /** A call that hung is executed late, when the path is mended; else it fails. */
  readonly diskHungExecuted: number;

  readonly databaseOpenMs: Range;
  readonly databaseCommitMs: Range;
  readonly databaseSlow: number;
  readonly databaseSlowMs: Range;
  /** A commit in flight at a crash is durable; else it is absent. */
  readonly databaseCrashDurable: number;

  /** How much of the log a node keeps, and how a snapshot is cut: `ConfigLimits`. */
  readonly logTailBytes: number;
  readonly logTailEntries: number;
  readonly logTailBytesMax: number;
  readonly snapshotChunkBytes: number;

  readonly processStartMs: Range;
  readonly processStartFails: number;
  readonly processStopMs: Range;
  /** Memory on its way to another machine: it breaks, or is there and its source does not hear of it. */
  readonly migrationFails: number;
  readonly migrationHalf: number;
  /** A process does not heed SIGTERM. */
  readonly processStopHangs: number;
  /** From SIGKILL until every process is gone. */
  readonly processKillMs: Range;
  readonly processMonitorMs: Range;
  readonly processListMs: Range;
  /** How late the daemon hears of an exit of a process that a former daemon started. */
  readonly processAdoptedMs: Range;
  /** How late the keeper acts on the end of the guard. */
  readonly keeperLateMs: Range;

  readonly watchdogPresent: boolean;
  readonly watchdogOpenMs: Range;
  readonly watchdogLateMs: Range;
  /** From a reset until the host can run a daemon again. */
  readonly rebootMs: Range;
  /** The most that load and memory are at the beginning. */
  readonly loadStart: number;
  /** How far a load value wanders between two samples. */
  readonly loadStep: number;
}

/** A healthy small cluster: some loss, some lateness, nothing cut. */
export const DEFAULTS: WorldOptions = {
  clockRate: CLOCK_DRIFT_RATIO / 2,
  clockStartMs: [5_000, 90_000],
  wallSkewSeconds: [-2, 2],
  timerLateMs: [0, 5],
  netDelayMs: [0.1, 2],
  netLoss: 0.001,
  netDuplicate: 0.001,
  netReplay: 0.0005,
  netReplayMs: [50, 30_000],
  netCorrupt: 0,
  tcpBufferBytes: 64 * 1024,
  tcpStallMs: [1000, 5000],
  tcpResendMs: [200, 400],
  tcpSplit: 0.05,
  tcpJoin: 0.2,
  tcpCloseLoses: 0.5,
  diskCallMs: [0.2, 4],
  diskSlow: 0.002,
  diskSlowMs: [20, 150],
  diskCrashExecuted: 0.5,
  diskCrashTorn: 0.3,
  diskHungExecuted: 0.5,
  diskLingerMs: [0, 2500],
  databaseOpenMs: [5, 50],
  databaseCommitMs: [0.3, 6],
  databaseSlow: 0.005,
  databaseSlowMs: [20, 150],
  databaseCrashDurable: 0.5,
  logTailBytes: CONFIG_LIMITS.tailBytes,
  logTailEntries: CONFIG_LIMITS.tailEntries,
  logTailBytesMax: CONFIG_LIMITS.tailBytesMax,
  snapshotChunkBytes: CONFIG_LIMITS.chunkBytes,
  processStartMs: [1, 40],
  processStartFails: 0.005,
  processStopMs: [2, 500],
  processStopHangs: 0.02,
  migrationFails: 0,
  migrationHalf: 0,
  processKillMs: [1, 60],
  processMonitorMs: [1, 20],
  processListMs: [1, 10],
  processAdoptedMs: [0, 250],
  keeperLateMs: [0, 20],
  watchdogPresent: true,
  watchdogOpenMs: [0.1, 5],
  watchdogLateMs: [0, 20],
  rebootMs: [5_000, 40_000],
  loadStart: 0.5,
  loadStep: 0.03,
};

/** A number out of a range. */
export function draw(prng: Prng, [low, high]: Range): number {
  return low + prng.fraction() * (high - low);
}

/** A duration that is mostly `usual`, and with probability `chance` one of `slow`. */
export function drawSlow(
  prng: Prng,
  usual: Range,
  slow: { readonly chance: number; readonly range: Range },
): Millis {
  return draw(prng, prng.chance(slow.chance) ? slow.range : usual);
}

/** Nothing goes wrong but what is asked for. */
export const CALM: Partial<WorldOptions> = {
  netLoss: 0,
  netDuplicate: 0,
  netReplay: 0,
  processStartFails: 0,
  processStopHangs: 0,
  diskSlow: 0,
  databaseSlow: 0,
  // Equal nodes: the first one by name is best.
  loadStart: 0,
  loadStep: 0,
};
