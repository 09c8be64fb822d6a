/**
 * Programs on the mounts of a simulated cluster. Scribes each replace, rename onto and remove a file
 * of their own, on whichever host, and read the files of the others: a file is always whole, and at
 * the end it is what the last close(2) that succeeded left, or one that nobody knows the end of.
 * Lockers (`lockers.ts`) count under a lock.
 *
 * @module
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimProgram } from "./fuse_program.ts";
import type { Outcome } from "./fuse_walk.ts";
import { Lockers, programOn } from "./lockers.ts";

/** Between two operations of a program, at most. */
const PAUSE_MS_MAX = 2500;
/** Lines of a file, at most. */
const LINES_MAX = 300;
const ABSENT = "";

interface Scribe {
  readonly path: string;
  /** What the file may hold; {@link ABSENT}: there may be none. */
  possible: Set<string>;
  /** What it may hold for ever, since nobody knows how these ended. */
  readonly doubtful: Set<string>;
  busy: boolean;
  /** It writes: a file that is made is seen by others on that host before it is closed, empty. */
  writing: boolean;
  writes: number;
  /** When it begins the next operation. */
  since: number;
}

/** See the module's note. */
export class Mounts {
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #prng: Prng;
  readonly #scribes: readonly Scribe[];
  readonly #lockers: Lockers;
  #resting = false;
  #values = 0;
  #pids = 100;

  constructor(
    cluster: SimCluster,
    checks: Checks,
    { scribes, lockers }: { readonly scribes: number; readonly lockers: number },
  ) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#prng = cluster.world.prng("mounts");
    this.#scribes = Array.from({ length: scribes }, (_, at) => ({
      ...{ path: `s${at}`, possible: new Set([ABSENT]), doubtful: new Set<string>() },
      ...{ busy: false, writing: false, writes: 0, since: 0 },
    }));
    this.#lockers = new Lockers(cluster, checks, lockers);
  }

  /** Sections under a lock that ended well. */
  get sections(): number {
    return this.#lockers.sections;
  }

  /** Whoever has nothing under way begins something. */
  nudge(): void {
    this.#lockers.nudge();
    for (const each of this.#scribes) {
      if (!each.busy && !this.#resting && this.#cluster.world.now >= each.since) this.#begin(each);
    }
  }

  /** From now on nobody begins anything new. */
  calm(): void {
    this.#resting = true;
    this.#lockers.calm();
  }

  /** How many wait for an answer. */
  open(): number {
    return this.#scribes.filter(({ busy }) => busy).length + this.#lockers.open();
  }

  /** At the end: what every node must hold. */
  verify(): void {
    this.#lockers.verify();
    for (const node of this.#cluster.nodes) {
      for (const { path, possible, doubtful } of this.#scribes) {
        const bytes = node.runtime?.node.config.read(path) ?? null;
        const text = bytes === null ? ABSENT : decodeText(bytes) ?? "no text";
        if (possible.has(text) || doubtful.has(text)) continue;
        const what = `${node.name}: "${path}" holds ${shown(text)}, closed was ${
          [...possible].map(shown)
        }`;
        this.#checks.fail("what close() acknowledged is there", what);
      }
    }
  }

  #begin(each: Scribe): void {
    const program = this.#program();
    if (program === null) return;
    const kind = this.#prng.between(0, 5);
    if (kind < 2) return this.#read(each, program);
    each.busy = true;
    if (kind === 2) {
      return program.unlink(each.path, (end) => this.#end(each, ABSENT, end, "ENOENT"));
    }
    const text = this.#text();
    each.writing = true;
    each.writes++;
    if (kind < 5) {
      return program.writeFile(each.path, encodeText(text), (end) => this.#end(each, text, end));
    }
    const draft = `${each.path}.new`;
    program.writeFile(draft, encodeText(text), (written) => {
      // Nobody else writes the draft, but what it holds now may be an older one.
      if (!written.ok) return this.#rest(each);
      program.rename(draft, each.path, (end) => this.#end(each, text, end));
    });
  }

  /** `same`: this error says that it was so already. */
  #end(each: Scribe, text: string, end: Outcome<null>, same: string | null = null): void {
    if (end.ok) each.possible = new Set([text]);
    else if (end.errno !== same) {
      each.doubtful.add(text);
      for (const before of each.possible) each.doubtful.add(before);
    }
    this.#rest(each);
  }

  #read(each: Scribe, program: SimProgram): void {
    const owner = this.#prng.pick(this.#scribes) ?? each;
    const { path, writing, writes } = owner;
    each.busy = true;
    program.readFile(path, (read) => {
      this.#rest(each);
      const text = read.ok ? decodeText(read.value) : null;
      if (!read.ok || (text !== null && isWhole(text))) return;
      const isMade = writing || owner.writing || owner.writes !== writes;
      if (read.value.length === 0 && isMade) return;
      this.#checks.fail("a closed file is whole", `"${path}" was read as ${shown(text ?? "?")}`);
    });
  }

  #rest(each: Scribe): void {
    Object.assign(each, { busy: false, writing: false });
    each.since = this.#cluster.world.now + this.#prng.between(1, PAUSE_MS_MAX);
  }

  #program(): SimProgram | null {
    return programOn(this.#prng.pick(this.#cluster.nodes), ++this.#pids);
  }

  #text(): string {
    const lines = this.#prng.between(1, LINES_MAX);
    return `${++this.#values} of ${lines} lines\n`.repeat(lines);
  }
}

/** Every line says how many there are. */
function isWhole(text: string): boolean {
  const first = text.slice(0, text.indexOf("\n") + 1);
  const lines = Number(/ of (\d+) lines\n$/.exec(first)?.[1] ?? 0);
  return lines > 0 && text === first.repeat(lines);
}

function shown(text: string): string {
  return text === ABSENT
    ? "nothing"
    : `${JSON.stringify(text.slice(0, 20))} (${text.length} bytes)`;
}
