/**
 * What the parts of stream 4 share within one step: who we are, the time, and the effects so far.
 *
 * @module
 */
import { type ClusterSpec, nameOf } from "../base/cluster.ts";
import type { PastTest } from "../base/disk_test.ts";
import type { BootId, NodeId } from "../base/id.ts";
import type { Reason } from "../base/reason.ts";
import { EPOCH, type Instant } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type { StorageFact } from "../streams.ts";
import type { DiskCall, StorageEffect, StorageOptions } from "./events.ts";
import { DISK_NODE_MAX } from "./layout.ts";
import { type Loss, Standing } from "./standing.ts";
import type { CallSink } from "./procedure.ts";
import type { PulseContent } from "./pulse.ts";

/** One per core; the core sets the time and takes the effects, the parts add to them. */
export class StorageContext implements CallSink {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly standing = new Standing();
  /** Self-tests of former lives, by the disks' uuids. */
  readonly tests: ReadonlyMap<string, PastTest>;
  /** The other voter of a pair is silent: the disks judge. */
  judging = false;
  /** What the next pulse says. */
  content: PulseContent = { guardMarginMs: 0, diskLocks: 0, words: "none", cause: "", mail: [] };
  #spec: ClusterSpec;
  #timing: Timing;
  #now: Instant = EPOCH;
  #effects: StorageEffect[] = [];

  constructor(
    { self, boot, spec, tests = [] }: Pick<StorageOptions, "self" | "boot" | "spec" | "tests">,
  ) {
    this.tests = new Map(tests.map((past) => [past.uuid, past]));
    this.self = self;
    this.boot = boot;
    this.#spec = spec;
    this.#timing = timingOf(spec.profile);
  }

  get spec(): ClusterSpec {
    return this.#spec;
  }

  get timing(): Timing {
    return this.#timing;
  }

  setSpec(spec: ClusterSpec): void {
    this.#spec = spec;
    this.#timing = timingOf(spec.profile);
  }

  /** The other members that have a pulse slot, by id. */
  peers(): readonly NodeId[] {
    const ids = this.#spec.members.map(({ id }) => id);
    return ids.filter((id) => id !== this.self && id <= DISK_NODE_MAX).sort((a, b) => a - b);
  }

  now(): Instant {
    return this.#now;
  }

  begin(now: Instant): void {
    this.#now = now;
    this.standing.look(now, this.#timing);
  }

  /** May a key be registered now that is gone, or never was there? */
  mayRegister(loss: Omit<Loss, "judging">): boolean {
    const { judging } = this;
    return this.standing.mayRegister({ ...loss, judging }, this.#now, this.#timing);
  }

  /** The effects since the last call. */
  take(): StorageEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  tell(fact: StorageFact): void {
    this.#effects.push({ kind: "tell", fact });
  }

  say(text: string, because: Reason | null, routine = false): void {
    this.#effects.push({ kind: "say", saying: { stream: "storage", text, routine, because } });
  }

  call(disk: number, tag: number, call: DiskCall): void {
    this.#effects.push({ kind: "disk", disk, tag, call });
  }

  /** A node's name for people. */
  name(node: NodeId): string {
    return nameOf(this.#spec, node);
  }
}
