/**
 * Tests of shared disks, kept in the state directory: those of this node from each day, and those
 * that a person made with `pentad storage check`. Shown with the disks, after a restart too.
 *
 * @module
 */
import { failedSteps, type KeptTest, type PastTest } from "../base/disk_test.ts";
import { after, type Instant } from "../base/time.ts";
import { keepDiskTest, keptDiskTests, type KeptTests } from "../host/linux/disk_tests.ts";
import type { StorageView } from "../storage/mod.ts";
import type { Fact } from "../streams.ts";

/** A test as it is shown. */
export interface ShownTest {
  readonly by: KeptTest["by"];
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly verdict: KeptTest["verdict"];
  readonly failed: readonly string[];
  readonly steps: KeptTest["steps"];
}

/** What `storage show` has beside what the core sees. */
export interface ShownTests {
  readonly checks: readonly (ShownTest & { readonly path: string; readonly unit: string })[];
  /** Results that could not be read, or kept. */
  readonly faults: readonly string[];
}

/** See the module's note. */
export class DiskTests {
  readonly #state: string;
  readonly #say: (text: string) => void;
  #past: KeptTests = { tests: [], faults: [] };
  /** One is written after the other. */
  #writing: Promise<void> = Promise.resolve();
  #failed = "";

  constructor(state: string, say: (text: string) => void) {
    this.#state = state;
    this.#say = say;
  }

  /** Reads what former lives left; call it before {@link past}. */
  async load(): Promise<void> {
    this.#past = await read(this.#state);
    for (const fault of this.#past.faults) this.#say(`self-test: not read, ${fault}`);
  }

  /** What former lives saw of disks in use, for the core that begins at `now`. */
  past(now: Instant): readonly PastTest[] {
    const wall = Date.now();
    return this.#past.tests.filter(({ by }) => by === "daily")
      .map(({ disk: uuid, at, verdict, steps }) => {
        // A host's clock may have been set back meanwhile.
        return { uuid, at: after(now, -Math.max(0, wall - at)), test: { verdict, steps } };
      });
  }

  onFact(fact: Fact): void {
    if (fact.fact !== "storage.tested") return;
    const { disk, path, test } = fact;
    const kept: KeptTest = { by: "daily", at: Date.now(), disk, path, unit: "", ...test };
    this.#writing = this.#writing.then(() => keepDiskTest(this.#state, kept))
      .then(() => void (this.#failed = ""))
      .catch((error) => this.#fail(error instanceof Error ? error.message : String(error)));
  }

  /** Resolves when everything that was told is on its disk, or known not to be. */
  flushed(): Promise<void> {
    return this.#writing;
  }

  /** The view of stream 4 with the times of its tests, and with what a person tested. */
  async shown(view: StorageView): Promise<unknown> {
    const { tests, faults } = await read(this.#state);
    const wall = Date.now();
    const checks = tests.filter(({ by }) => by === "check");
    return {
      ...view,
      disks: view.disks.map(({ test, ...disk }) => ({
        ...disk,
        test: test === null ? null : {
          ...shownTest({ by: "daily", at: wall - test.ageMs, ...test }),
          ageMs: Math.round(test.ageMs),
          former: test.former,
        },
      })),
      tests: {
        checks: checks.map(({ path, unit, ...each }) => ({ path, unit, ...shownTest(each) })),
        faults: this.#failed === "" ? faults : [...faults, `not kept: ${this.#failed}`],
      } satisfies ShownTests,
    };
  }

  #fail(why: string): void {
    if (this.#failed !== why) this.#say(`self-test: its result is not kept, ${why}`);
    this.#failed = why;
  }
}

function shownTest(
  { by, at, verdict, steps }: Pick<KeptTest, "by" | "at" | "verdict" | "steps">,
): ShownTest {
  const failed = failedSteps({ verdict, steps });
  return { by, at: new Date(at).toISOString(), verdict, failed, steps };
}

async function read(state: string): Promise<KeptTests> {
  try {
    return await keptDiskTests(state);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { tests: [], faults: [`what is kept cannot be read: ${why}`] };
  }
}
