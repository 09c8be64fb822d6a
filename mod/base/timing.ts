/**
 * Every timeout of pentad, derived from two inputs, with its relations asserted.
 *
 * All safety is a matter of time. The one inequality that carries it: a node may act until
 * `lease` after it sent its last proven beat; a watchdog petted at that very moment fires
 * `watchdog` later; so nobody may take over what it ran before `lease + watchdog + slack` after
 * that beat. The others count from DOWN, which is at least `dead` after the same beat.
 *
 * `lease` is longer than `dead` (DESIGN.md of heartbeat says why): between DOWN and the end of its
 * own lease the survivor of a pair must be able to win the judgement on the disk, or it would kill
 * its own resources whenever its peer dies.
 *
 * @module
 */
import { assert } from "./assert.ts";
import type { Millis } from "./time.ts";

/** The named sets of inputs. `standard` is the seed's 60 s; `fast` is for LANs that are watched. */
export type ProfileName = "standard" | "fast";
/** All profile names, for validation and help. */
export const PROFILE_NAMES: readonly ProfileName[] = ["standard", "fast"];

/** More than this many beats lost in a row means DOWN. */
export const BEAT_LOSS_MAX = 5;
/**
 * Beats between DOWN and the end of the survivor's lease: the time to judge in. Two of them are gone
 * before it begins: silence is looked at with each beat, and the last pulse of the silent one may be
 * read a beat after the last of ours that it proved.
 */
export const JUDGE_BEATS = 4;
const LATE_BEATS = 2;
/** How far two hosts' clock rates may differ: 500 ppm each way, as NTP's own limit. */
export const CLOCK_DRIFT_RATIO = 0.001;
/** Time for a timer to fire late and for a kill to be carried out. */
export const LATENESS_MS = 150;

interface Inputs {
  readonly beatMs: Millis;
  readonly watchdogMs: Millis;
  /** From the last beat to recovery; `fenceWaitMs` is what is left after `deadMs`. */
  readonly recoveryMs: Millis;
  readonly raftBeatMs: Millis;
  readonly electionMinMs: Millis;
}

const INPUTS: Readonly<Record<ProfileName, Inputs>> = {
  standard: {
    beatMs: 1000,
    watchdogMs: 10_000,
    recoveryMs: 60_000,
    raftBeatMs: 150,
    electionMinMs: 1000,
  },
  fast: { beatMs: 200, watchdogMs: 2000, recoveryMs: 4200, raftBeatMs: 50, electionMinMs: 300 },
};

/** Every derived timeout, in milliseconds. */
export interface Timing {
  readonly profile: ProfileName;
  /** One beat per peer per link; also the period of the disk pulse. */
  readonly beatMs: Millis;
  readonly beatLossMax: number;
  /** Silence after which a node is DOWN. */
  readonly deadMs: Millis;
  /** How long a node may act on its newest proven beat, from when it sent it. */
  readonly leaseMs: Millis;
  /** Hardware (or process) watchdog timeout. */
  readonly watchdogMs: Millis;
  /** From DOWN to "surely dead" where there is no better proof. */
  readonly fenceWaitMs: Millis;
  /** The least that `fenceWaitMs` may be. */
  readonly fenceWaitMinMs: Millis;
  readonly slackMs: Millis;
  /** How long the side with fewer disk locks waits before it claims the witness. */
  readonly headStartMs: Millis;
  /** How long a claim on the disk may take before it counts as lost. */
  readonly claimMs: Millis;
  /** How often an armed watchdog is petted. */
  readonly petMs: Millis;
  /** Deadline of one disk call; past it the disk counts as hung. */
  readonly diskCallMs: Millis;
  readonly raftBeatMs: Millis;
  /** Elections start after a random time from here to twice here. */
  readonly electionMinMs: Millis;
  /** How often the HA manager and agents look at everything once more. */
  readonly haRoundMs: Millis;
  /** How long a client's write may wait for a leader and a majority. */
  readonly proposeMs: Millis;
  /** How long a program that uses the mount may wait for an answer. */
  readonly fuseCallMs: Millis;
}

/** Derives all timeouts of a profile and asserts their relations. */
export function timingOf(profile: ProfileName): Timing {
  const { beatMs, watchdogMs, recoveryMs, raftBeatMs, electionMinMs } = INPUTS[profile];
  const deadMs = (BEAT_LOSS_MAX + 1) * beatMs;
  const judgeMs = JUDGE_BEATS * beatMs;
  const leaseMs = deadMs + judgeMs;
  const slackMs = Math.ceil(recoveryMs * CLOCK_DRIFT_RATIO) + LATENESS_MS;
  const timing: Timing = {
    profile,
    beatMs,
    beatLossMax: BEAT_LOSS_MAX,
    deadMs,
    leaseMs,
    watchdogMs,
    fenceWaitMs: recoveryMs - deadMs,
    fenceWaitMinMs: leaseMs + watchdogMs + slackMs - deadMs,
    slackMs,
    headStartMs: (judgeMs - LATE_BEATS * beatMs) / 2,
    claimMs: (judgeMs - LATE_BEATS * beatMs) / 2,
    petMs: Math.min(beatMs, watchdogMs / 5),
    diskCallMs: deadMs,
    raftBeatMs,
    electionMinMs,
    haRoundMs: 2 * beatMs,
    proposeMs: 2 * deadMs,
    fuseCallMs: 5 * beatMs,
  };
  assertTiming(timing);
  return timing;
}

/** After this time without renewal another node may take a lock below `priv/lock` (as in Proxmox VE). */
export const LOCK_EXPIRY_MS: Millis = 120_000;
/** How long a leader waits for the removal of such a lock before it proposes it again. */
export const LOCK_RETRY_MS: Millis = 1000;

/** The relations that safety and liveness rest on. */
export function assertTiming(timing: Timing): void {
  assert(
    timing.fenceWaitMs >= timing.fenceWaitMinMs,
    "A dead node's lease and watchdog have both run out before its resources start elsewhere",
  );
  assert(
    timing.leaseMs >=
      timing.deadMs + LATE_BEATS * timing.beatMs + timing.headStartMs + timing.claimMs,
    "A survivor can win the judgement before its own lease ends",
  );
  assert(timing.petMs * 4 <= timing.watchdogMs, "A watchdog survives three missed pets");
  assert(timing.raftBeatMs * 4 <= timing.electionMinMs, "A leader survives three lost heartbeats");
  assert(
    timing.fuseCallMs > 2 * timing.electionMinMs && timing.fuseCallMs < timing.proposeMs,
    "A program outwaits an election, and its write is retried for longer than it waits",
  );
  assert(timing.electionMinMs < timing.deadMs, "A new leader is there before a node is DOWN");
}

/** One row of the table that `pentad heartbeat timing` prints. */
export interface TimingRow {
  readonly name: keyof Timing;
  readonly value: Millis;
  readonly formula: string;
}

/** The table of all timeouts with their formulas. */
export function timingTable(timing: Timing): readonly TimingRow[] {
  const row = (name: keyof Timing, formula: string): TimingRow => ({
    name,
    value: Number(timing[name]),
    formula,
  });
  return [
    row("beatMs", "input"),
    row("beatLossMax", "constant: more than this many lost in a row is DOWN"),
    row("deadMs", "(beatLossMax + 1) × beatMs"),
    row("leaseMs", `deadMs + ${JUDGE_BEATS} × beatMs, from the send time of the proven beat`),
    row("watchdogMs", "input"),
    row("slackMs", `recovery × ${CLOCK_DRIFT_RATIO} clock drift + ${LATENESS_MS} ms lateness`),
    row("fenceWaitMinMs", "leaseMs + watchdogMs + slackMs − deadMs"),
    row("fenceWaitMs", "recovery (input) − deadMs; at least fenceWaitMinMs"),
    row("headStartMs", `(leaseMs − deadMs − ${LATE_BEATS} × beatMs) / 2`),
    row("claimMs", `(leaseMs − deadMs − ${LATE_BEATS} × beatMs) / 2`),
    row("petMs", "min(beatMs, watchdogMs / 5)"),
    row("diskCallMs", "deadMs"),
    row("raftBeatMs", "input"),
    row("electionMinMs", "input; a random time from here to twice here"),
    row("haRoundMs", "2 × beatMs"),
    row("proposeMs", "2 × deadMs"),
    row("fuseCallMs", "5 × beatMs"),
  ];
}
