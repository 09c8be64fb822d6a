/** The shared disks of a running member, for the API. @module */
import type {
  StorageNode,
  WitnessAsk,
  WitnessChange,
  WitnessDisk,
  WitnessState,
} from "../api/storage_node.ts";
import { nameOf, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import { timingOf } from "../base/timing.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import { panelOf, type StorageView } from "../storage/mod.ts";
import type { DiskTests } from "./disk_tests.ts";
import type { Member } from "./member.ts";
import { planWitness } from "./witness_plan.ts";

/** A change that waits for the one before, or for the other node to hear of it, is tried so often. */
const BUSY_TRIES = 100;
const BUSY_MS = 100;

/** See the module's note. */
export class SharedDisks implements StorageNode {
  readonly #runtime: NodeRuntime;
  readonly #member: Member;
  readonly #tests: DiskTests;
  #changing = false;

  constructor(runtime: NodeRuntime, member: Member, tests: DiskTests) {
    this.#runtime = runtime;
    this.#member = member;
    this.#tests = tests;
  }

  show(): Promise<unknown> {
    return this.#tests.shown(this.#view);
  }

  witness(): WitnessState {
    const { spec } = this.#runtime;
    const view = this.#view;
    const disk = spec.witness?.disk ?? null;
    const labels = view.disks.flatMap(({ uuid, group }) => uuid === null ? [] : [{ uuid, group }]);
    const panel = disk === null ? null : panelOf(disk, labels);
    const order = panel?.order ?? (disk === null ? [] : [disk]);
    return {
      disk,
      votes: witnessVotes(spec),
      needed: panel?.needed ?? (disk === null ? 0 : 1),
      disks: order.map((uuid) => this.#diskOf(view, uuid)),
      held: view.witnessHeld,
      verdict: view.verdict,
    };
  }

  async setWitness({ disks, commit }: WitnessAsk): Promise<WitnessChange> {
    const before = this.#runtime.spec.witness?.disk ?? null;
    const { steps, warnings } = planWitness(this.#situation(), disks);
    const after = steps.length === 0 ? before : steps.at(-1) ?? null;
    if (commit && steps.length > 0) await this.#change(steps);
    return { before, after, steps, warnings };
  }

  async #change(steps: readonly (string | null)[]): Promise<void> {
    if (this.#changing) {
      throw new ProblemError("config.membership-busy", "the witness is being changed from here");
    }
    this.#changing = true;
    try {
      for (const [at, disk] of steps.entries()) {
        // Each rests on the one before.
        await this.#decide(disk).catch((error) => {
          if (at === 0 || !(error instanceof ProblemError)) throw error;
          const { code, why } = error.problem;
          const undone =
            "the witness of before is taken away already, and no other came: repeat it";
          throw new ProblemError(code, `${why}; ${undone}`, { cause: error });
        });
      }
    } finally {
      this.#changing = false;
    }
  }

  async #decide(disk: string | null): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#member.changeSpec({ change: "witness", disk });
      } catch (error) {
        const busy = error instanceof ProblemError &&
          error.problem.code === "config.membership-busy";
        if (!busy || tries >= BUSY_TRIES) throw error;
      }
      await new Promise((done) => setTimeout(done, BUSY_MS));
    }
  }

  get #view(): StorageView {
    return this.#runtime.node.storage.view();
  }

  #situation() {
    const { spec, self, board } = this.#runtime;
    const online = [...board.members].filter(([, { state }]) => state === "online")
      .map(([id]) => id);
    const writable = board.position?.writable === true && board.view?.quorate === true;
    const { deadMs } = timingOf(spec.profile);
    return { spec, self, view: this.#view, online: new Set<NodeId>(online), writable, deadMs };
  }

  #diskOf(view: StorageView, uuid: string): WitnessDisk {
    const { spec, self } = this.#runtime;
    const disk = view.disks.find((each) => each.uuid === uuid);
    if (disk === undefined) return { uuid, path: null, state: "absent", seen: [], verdict: null };
    const { path, state, heard, test } = disk;
    const { deadMs } = timingOf(spec.profile);
    const lately = heard.filter(({ ageMs }) => ageMs <= deadMs).map(({ node }) => node);
    const seen = [...state === "ready" ? [self] : [], ...lately].map((node) => nameOf(spec, node));
    return { uuid, path, state, seen: seen.sort(), verdict: test?.verdict ?? null };
  }
}
