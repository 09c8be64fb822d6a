/**
 * Programs that count in a file under flock(2), on whichever host. Two never hold the lock at once;
 * and since whoever gets it sees what was written under it before, no number that was closed well is
 * written twice.
 *
 * A holder that the cluster has not heard for as long as it takes to be dead has lost its lock, knows
 * it or not: what it writes then must not be committed over what the next one does.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import { timingOf } from "../base/timing.ts";
import type { Checks } from "./checks.ts";
import { type SimCluster, type SimNode, TARGET } from "./cluster.ts";
import { type OpenFile, SimProgram } from "./fuse_program.ts";

const FILES = ["k0", "k1"] as const;
/** How long a lock is held, at most. */
const HOLD_MS_MAX = 700;
const PAUSE_MS_MAX = 3000;
const DIGITS = 8;
/** Two clocks go a little apart. */
const DRIFT = 0.98;

interface Locker {
  readonly path: string;
  busy: boolean;
  since: number;
}

/** Who believes to hold a lock, and since which life of its daemon. */
interface Holder {
  readonly node: SimNode;
  readonly life: number;
}

/** See the module's note. */
export class Lockers {
  /** Sections that ended well. */
  sections = 0;
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #prng: Prng;
  readonly #all: readonly Locker[];
  readonly #holders = new Map<string, Set<Holder>>();
  readonly #counted = new Map<string, Set<number>>();
  #resting = false;
  #pids = 1000;

  constructor(cluster: SimCluster, checks: Checks, count: number) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#prng = cluster.world.prng("lockers");
    this.#all = Array.from({ length: count }, (_, at) => ({
      ...{ path: FILES[at % FILES.length] ?? FILES[0], busy: false, since: 0 },
    }));
  }

  nudge(): void {
    for (const each of this.#all) {
      if (!each.busy && !this.#resting && this.#cluster.world.now >= each.since) this.#begin(each);
    }
  }

  calm(): void {
    this.#resting = true;
  }

  open(): number {
    return this.#all.filter(({ busy }) => busy).length;
  }

  /** At the end: no node holds less than what was counted. */
  verify(): void {
    for (const [path, numbers] of this.#counted) {
      const most = Math.max(0, ...numbers);
      for (const node of this.#cluster.nodes) {
        const number = numberOf(node.runtime?.node.config.read(path) ?? new Uint8Array(0));
        if (number >= most) continue;
        this.#checks.fail("what close() acknowledged is there", `"${path}" is ${number} < ${most}`);
      }
    }
  }

  #begin(each: Locker): void {
    const node = this.#prng.pick(this.#cluster.nodes);
    const program = programOn(node, ++this.#pids);
    if (node === undefined || program === null) return;
    each.busy = true;
    program.open(each.path, { read: true, write: true, create: true }, (opened) => {
      if (!opened.ok) return this.#rest(each);
      const file = opened.value;
      const life = node.host.lives;
      program.lock(file, { kind: "write", wait: true, flock: true }, (locked) => {
        if (!locked.ok) return program.close(file, () => this.#rest(each));
        this.#section(each, { program, file, holder: { node, life } });
      });
    });
  }

  /** The lock is granted. */
  #section(
    each: Locker,
    { program, file, holder }: {
      readonly program: SimProgram;
      readonly file: OpenFile;
      readonly holder: Holder;
    },
  ): void {
    const { path } = each;
    const holders = this.#holders.get(path) ?? new Set();
    this.#holders.set(path, holders);
    for (const other of holders) if (this.#believes(other)) this.#fail(path, holder, other);
    holders.add(holder);
    this.#cluster.world.after(this.#prng.between(1, HOLD_MS_MAX), () => {
      program.read(file, 0, DIGITS, (read) => {
        const number = read.ok ? numberOf(read.value) + 1 : null;
        const close = () => {
          holders.delete(holder);
          program.close(file, (closed) => {
            if (closed.ok && number !== null) this.#count(path, number);
            this.#rest(each);
          });
        };
        if (number === null) return close();
        const text = encodeText(String(number).padStart(DIGITS, "0"));
        program.write(file, 0, text, (written) => {
          if (written.ok) return close();
          holders.delete(holder);
          program.close(file, () => this.#rest(each));
        });
      });
    });
  }

  /** It may act on its lock still: its daemon lives, and others heard it not long ago. */
  #believes({ node, life }: Holder): boolean {
    if (!node.host.alive || node.host.lives !== life) return false;
    const { deadMs, fenceWaitMs } = timingOf(this.#cluster.spec.profile);
    const silence = this.#cluster.world.now - this.#checks.lastHeard(node);
    return silence < DRIFT * (deadMs + fenceWaitMs);
  }

  #count(path: string, number: number): void {
    this.sections++;
    const numbers = this.#counted.get(path) ?? new Set();
    this.#counted.set(path, numbers);
    if (numbers.has(number)) {
      this.#checks.fail("whoever locks sees what was written before", `"${path}": ${number} twice`);
    }
    numbers.add(number);
  }

  #fail(path: string, { node }: Holder, other: Holder): void {
    const what = `"${path}" on ${node.name}, and on ${other.node.name}`;
    this.#checks.fail("a lock has one holder", what);
  }

  #rest(each: Locker): void {
    each.busy = false;
    each.since = this.#cluster.world.now + this.#prng.between(1, PAUSE_MS_MAX);
  }
}

/** A new program on a host's mount; null where nothing is mounted. */
export function programOn(node: SimNode | undefined, pid: number): SimProgram | null {
  const kernel = node?.host.alive === true ? node.host.fuse.kernel(TARGET) : null;
  return kernel && new SimProgram(kernel, { uid: 0, gid: 0, pid });
}

function numberOf(bytes: Uint8Array): number {
  return Number(decodeText(bytes) ?? 0);
}
