/**
 * May this node be rebooted, or its program be changed, now: what would become of votes and resources.
 * Pure. A failure is what would do harm; a warning is what a person should know beforehand.
 *
 * @module
 */
import { type Formats, upgradeFault } from "../../base/formats.ts";
import { formatMillis } from "../../base/time.ts";
import { timingOf } from "../../base/timing.ts";
import type { StatusDocument } from "../../node/view.ts";
import type { Simulation } from "../../sim/mod.ts";
import { type Finding, ill, well } from "./finding.ts";

/** How the cluster would go on without this node. */
export type Outlook = Pick<Simulation, "quorate" | "resources">;

/** A program file that is to be changed to. */
export interface NextProgram {
  readonly version: string;
  readonly formats: Formats;
  readonly bytes: number;
}

/** What is known of this host's installation. */
export interface Installed {
  readonly version: string;
  readonly formats: Formats;
  /** `/usr/local/bin/pentad` leads to a version, and systemd starts it. */
  readonly managed: boolean;
  /** Where the new file goes, and where it unpacks itself; null: not to be seen. */
  readonly freeBytes: number | null;
}

/** A file, and what it unpacks to where it is packed: some three times as much. */
const ROOM = 4;

/** Votes that are there without this node, and how many are needed. */
export function votesWithout(
  status: StatusDocument,
  name: string,
): { readonly left: number; readonly needed: number; readonly witness: number } {
  const { nodes, votes } = status;
  const there = nodes.filter((node) => node.name !== name && (node.self || isThere(node.state)))
    .reduce((sum, { vote }) => sum + vote, 0);
  const witness = witnessVotes(status);
  return { left: there + witness, needed: votes.needed, witness };
}

/** Votes of the shared disk that a survivor can count on: none where the disk is not well. */
export function witnessVotes({ votes, nodes, streams }: StatusDocument): number {
  const isWell = streams.some(({ name, state }) => name === "storage" && state === "ok");
  const all = nodes.reduce((sum, { vote }) => sum + vote, 0);
  return isWell ? Math.max(0, votes.expected - all) : 0;
}

/** Of a node that is heard, and for longer than its orderly stop takes. */
export function isThere(state: string): boolean {
  return state === "online" || state === "maintenance";
}

/** Findings about a reboot of the node that answers. */
export function rebootFindings(
  status: StatusDocument,
  outlook: Outlook | null,
  enabled: boolean | null,
): Finding[] {
  const self = status.nodes.find((node) => node.self);
  if (status.cluster === null || self === undefined) return [noMember(), ...ofBoot(enabled)];
  const { name } = self;
  const drain = `pentad node drain ${name} --reboot empties it first, and waits until it is back`;
  return [
    ...ofNow(status),
    ...ofOthers(status),
    ofVotes(status, name),
    ...ofResources(status, name, outlook),
    ...(status.leader === name ? [well("lead", "it leads, and hands over before it goes")] : []),
    ...ofBoot(enabled),
    well("next", drain),
  ];
}

/** Findings about a change of the program on the node that answers; `next` null: no file is named. */
export function upgradeFindings(
  status: StatusDocument,
  here: Installed,
  next: NextProgram | null,
): Finding[] {
  const self = status.nodes.find((node) => node.self);
  const member = status.cluster !== null && self !== undefined;
  return [
    ...(next === null ? [] : ofFile(here, next)),
    here.managed
      ? well("install", `pentad ${here.version} is installed, and systemd restarts it`)
      : ill(
        "warn",
        "install",
        "pentad is not installed here under systemd: an upgrade would restart nothing",
        "pentad install, or restart the daemon by hand after the upgrade",
      ),
    ...(member
      ? [...ofNow(status), ...ofOthers(status), ofRestart(status, self.name)]
      : [noMember()]),
  ];
}

function noMember(): Finding {
  return well("cluster", "this host is no member: nothing depends on it");
}

function ofNow({ quorate, config, ha }: StatusDocument): Finding[] {
  const found = [
    quorate && config.writable ? well("quorum", "the cluster is quorate, and can be written") : ill(
      "fail",
      "quorum",
      quorate ? "the configuration cannot be written" : "this node has no quorum",
      "pentad status says who is missing; wait, or bring them back first",
    ),
  ];
  if (ha.mode !== "armed") {
    const what = `HA is ${ha.mode}: what stops starts nowhere else`;
    found.push(ill("warn", "ha", what, "pentad ha arm, unless all of it is to stand still"));
  }
  return found;
}

/** Who is away already is one that is not there to take over. */
function ofOthers({ nodes }: StatusDocument): Finding[] {
  const away = nodes.filter(({ self, state }) => !self && state !== "online");
  return away.map(({ name, state }) =>
    ill("warn", "others", `${name} is ${state}`, "one at a time: wait until it is online again")
  );
}

function ofVotes(status: StatusDocument, name: string): Finding {
  const { left, needed, witness } = votesWithout(status, name);
  const with_ = witness > 0 ? `, the disk's ${witness} among them` : "";
  const what = `without it ${left} votes are there${with_}, and ${needed} are needed`;
  if (left >= needed) return well("votes", what);
  const fix = "the others freeze until it is back: bring back who is away, or add a third vote " +
    "(a node, or a shared disk)";
  return ill("fail", "votes", what, fix);
}

function ofResources(
  { resources, ha }: StatusDocument,
  name: string,
  outlook: Outlook | null,
): Finding[] {
  const running = resources.filter(({ state }) => state === "started");
  const here = running.filter(({ node }) => node === name);
  if (here.length === 0) return [well("resources", "nothing runs here")];
  if (ha.mode !== "armed" || outlook === null) {
    const ids = here.map(({ id }) => id).join(", ");
    const what = `${ids} would start nowhere else`;
    return [ill("fail", "resources", what, "pentad ha arm, or stop them first")];
  }
  return running.flatMap(({ id, node }) => {
    const after = outlook.resources.find((each) => each.id === id);
    // What runs elsewhere is worth a word only where it would be lost too.
    if (after?.runs === true && node !== name) return [];
    if (after?.runs === true) return [well("resources", `${id} moves to ${after.node}`)];
    const why = after === undefined || after.why === "" ? "" : `: ${after.why}`;
    const fix = "make room for it, change the rule that keeps it here, or stop it first";
    return [ill("fail", "resources", `${id} would run nowhere${why}`, fix)];
  });
}

function ofBoot(enabled: boolean | null): Finding[] {
  if (enabled === null) return [];
  return [
    enabled ? well("boot", "systemd starts it after the boot") : ill(
      "fail",
      "boot",
      "systemd does not start pentad after a boot: the node would stay away",
      "systemctl enable pentad",
    ),
  ];
}

/** What a restart of the daemon does: resources stay, and its vote is away for a moment. */
function ofRestart(status: StatusDocument, name: string): Finding {
  const { left, needed } = votesWithout(status, name);
  const what = `while it restarts ${left} votes are there, and ${needed} are needed`;
  if (left >= needed) return well("restart", `${what}; what runs here is not touched`);
  const lease = formatMillis(
    timingOf(status.cluster?.profile === "fast" ? "fast" : "standard").leaseMs,
  );
  const fix = `the others only read meanwhile, and stop what they run after ${lease}: ` +
    "pentad ha disarm before, pentad ha arm after, or a shared disk as third vote";
  return ill("warn", "restart", what, fix);
}

function ofFile(here: Installed, next: NextProgram): Finding[] {
  const fault = upgradeFault(here.formats, next.formats);
  const found = [
    next.version === here.version
      ? ill(
        "warn",
        "file",
        `it is pentad ${next.version}, which is in use`,
        "nothing is to be done",
      )
      : well("file", `it is pentad ${next.version}; in use is ${here.version}`),
    fault === null ? well("formats", "it speaks and reads what this node does") : ill(
      "fail",
      "formats",
      fault,
      "upgrade by versions that lie between; see CHANGELOG",
    ),
  ];
  const grows = next.formats.database > here.formats.database ||
    next.formats.identity > here.formats.identity;
  if (fault === null && grows) {
    const what = "it stores what the version in use cannot read";
    found.push(ill("warn", "formats", what, "there is no rollback after it: pentad config backup"));
  }
  if (here.freeBytes !== null && here.freeBytes < ROOM * next.bytes) {
    const what = `${mebibytes(here.freeBytes)} MiB are free, it wants ${
      mebibytes(ROOM * next.bytes)
    }`;
    found.push(ill("fail", "space", what, "make room in /opt and /var"));
  }
  return found;
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}
