/**
 * What it takes to give the witness vote to other disks, or to take it away: pure. Refused is what
 * would leave the pair with a witness that one of the two does not reach, or that cannot judge.
 *
 * @module
 */
import { type ClusterSpec, nameOf, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { Millis } from "../base/time.ts";
import type { StorageView } from "../storage/mod.ts";

/** What is known on this node when it is asked. */
export interface WitnessSituation {
  readonly spec: ClusterSpec;
  readonly self: NodeId;
  readonly view: StorageView;
  /** The members whose beats are heard. */
  readonly online: ReadonlySet<NodeId>;
  readonly writable: boolean;
  /** A pulse that is older is none. */
  readonly deadMs: Millis;
}

/** What is to be done, in order: the witness of each step. */
export interface WitnessPlan {
  readonly steps: readonly (string | null)[];
  /** What the disk does not prove, or what will not be there any more. */
  readonly warnings: readonly string[];
}

type Disk = StorageView["disks"][number];

/**
 * Plans for these disks, each by its path or its uuid; none of them: no witness from then on. Throws
 * a ProblemError where it must not be.
 */
export function planWitness(situation: WitnessSituation, names: readonly string[]): WitnessPlan {
  const { spec } = situation;
  const chosen = names.map((name) => diskOf(situation, name));
  const disk = chosen[0] === undefined ? null : fit(situation, chosen);
  const before = spec.witness?.disk ?? null;
  if (before === disk) return { steps: [], warnings: [] };
  mustBeDecidable(situation);
  // Another disk is another voter: it comes only after the former one has gone.
  const both = before !== null && disk !== null && witnessVotes(spec);
  return { steps: both ? [null, disk] : [disk], warnings: warningsOf(situation, disk) };
}

function diskOf({ view }: WitnessSituation, name: string): Disk {
  const found = view.disks.find(({ path, uuid }) => path === name || uuid === name);
  if (found !== undefined) return found;
  throw new ProblemError("settings.invalid", `"${name}" is not among "disks" of the settings`);
}

/** The uuid to be named, where all the disks that would judge with it can. */
function fit(situation: WitnessSituation, chosen: readonly Disk[]): string {
  for (const each of chosen) mustBeReady(each);
  const [first] = chosen;
  const uuids = new Set(chosen.map(({ uuid }) => uuid ?? ""));
  const group = first?.group.length ? first.group : [first?.uuid ?? ""];
  // One of them stands for all; of several all must be named, or somebody meant something else.
  if (uuids.size > 1 && (uuids.size !== group.length || !group.every((each) => uuids.has(each)))) {
    const names = chosen.map(({ path }) => `"${path}"`).join(", ");
    throw unfit(`${names} were not labelled together (storage format DISK MORE... --commit)`);
  }
  for (const uuid of group) {
    const disk = situation.view.disks.find((each) => each.uuid === uuid);
    if (disk === undefined) {
      throw unfit(`${uuid}, which judges with it, is not a disk of this node`);
    }
    mustBeReady(disk);
    mustBeShared(situation, disk);
    if (disk.test?.verdict === "cannot-fence") {
      throw unfit(`"${disk.path}" takes the writes of who is not registered: it cannot fence`);
    }
  }
  return first?.uuid ?? "";
}

function mustBeReady({ path, state, detail }: Disk): void {
  if (state !== "ready") throw unfit(`"${path}" is ${state}: ${detail}`);
}

/** Every voter was seen to write there lately. */
function mustBeShared({ spec, self, deadMs }: WitnessSituation, { path, heard }: Disk): void {
  for (const { id, name } of voters(spec)) {
    const pulse = heard.find(({ node }) => node === id);
    if (id === self || (pulse !== undefined && pulse.ageMs <= deadMs)) continue;
    const seen = pulse === undefined
      ? "was not seen"
      : `was last seen ${pulse.ageMs.toFixed(0)} ms ago`;
    throw unfit(
      `${name} ${seen} on "${path}": it must be among "disks" of its settings, and reached`,
    );
  }
}

/** What the cluster would have to commit, it can. Who leads has the last word. */
function mustBeDecidable({ spec, self, online, writable }: WitnessSituation): void {
  if (!writable) throw new ProblemError("config.no-quorum", "nothing can be committed from here");
  if (voters(spec).length !== 2) return;
  const silent = voters(spec).find(({ id }) => id !== self && !online.has(id));
  if (silent === undefined) return;
  const why = `${nameOf(spec, silent.id)} is silent, and both must agree to another witness`;
  throw new ProblemError("config.unsafe-membership", why);
}

function warningsOf({ spec, view }: WitnessSituation, disk: string | null): string[] {
  const pair = voters(spec).length === 2;
  if (disk === null) {
    if (!pair) return [];
    return ["without a witness neither of the two goes on while the other one is silent"];
  }
  const named = view.disks.find(({ uuid }) => uuid === disk);
  const group = named?.group.length ? named.group : [disk];
  const said = view.disks.filter(({ uuid }) => uuid !== null && group.includes(uuid))
    .filter(({ test }) => test?.verdict !== "fences")
    .map(({ path }) => `"${path}" was not seen to fence yet (storage show)`);
  if (!pair) said.push("a witness votes between two voters only: until then it is only named");
  return said;
}

function unfit(why: string): ProblemError {
  return new ProblemError("storage.witness-unfit", why);
}
