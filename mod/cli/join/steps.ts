/**
 * The steps of `pentad join HOST`, in order. Each looks first whether it is done, so that repeating
 * the command goes on where it was cut off; until `keys` nothing is changed on either side.
 *
 * @module
 */
import { ProblemError } from "../../base/problem.ts";
import { needPrograms, scanHostKeys } from "../../host/linux/ssh.ts";
import {
  findings,
  fingerprintOf,
  knownHostsLine,
  ownAddresses,
  readHostKeys,
} from "../../join/mod.ts";
import type { MemberRow } from "../../api/membership_node.ts";
import type { StatusDocument } from "../../node/view.ts";
import { makeFoldersAbove, readTreeFile, writeTreeFile } from "../tree_file.ts";
import { ask } from "./ask.ts";
import { keptOf, ownFiles, refuseConflicts, retireKept, setAside } from "./own_files.ts";
import { linked, ownTrust, readTrusted, trust } from "./trust.ts";
import type { JoinWork } from "./work.ts";

/** How often the leader is asked whether we vote now. */
const LOOK_MS = 200;
/** The ticket is used at once. */
const TICKET_MINUTES = 5;

/** One step: what it would do, and doing it; the answer says what was found or done. */
export interface Step {
  readonly name: string;
  readonly does: string;
  /** It changes something on one of the hosts. */
  readonly changes: boolean;
  run(work: JoinWork): Promise<string>;
}

export const STEPS: readonly Step[] = [
  {
    name: "programs",
    does: "look for ssh, ssh-keygen, ssh-keyscan and rsync here",
    changes: false,
    async run() {
      await needPrograms();
      return "ssh, ssh-keygen, ssh-keyscan and rsync are there";
    },
  },
  { name: "host-key", does: "pin the key of the other host", changes: false, run: pinHostKey },
  {
    name: "login",
    does: "log in there as root",
    changes: false,
    async run({ ssh, order: { target } }) {
      await ssh.run(["true"]);
      return `logged in as ${target.user}@${target.host}`;
    },
  },
  {
    name: "preconditions",
    does: "compare versions, clocks, names, addresses and guests of both sides",
    changes: false,
    async run(work) {
      const took = await work.look();
      const [first, ...more] = findings(work.here, work.there, took);
      if (first !== undefined) {
        const whole = [first, ...more].map(({ why }) => why).join("; ");
        throw new ProblemError(first.code, whole);
      }
      const { cluster, nodes } = work.there;
      return `cluster "${cluster?.name ?? ""}" of ${nodes.map(({ name }) => name).join(", ")}`;
    },
  },
  {
    name: "copy",
    does: "copy the cluster's tree, once, and look for files that would be lost",
    changes: false,
    run: copyTree,
  },
  {
    name: "keys",
    does: "make root's key pair here, and let the cluster know it and this host's keys",
    changes: true,
    async run(work) {
      const { here } = work;
      const own = await ownTrust(work.cli.home, here.node, ownAddresses(here));
      readTrusted(await work.far(["join", "trust"], own));
      return `"${work.there.node}" knows root@${here.node}`;
    },
  },
  {
    name: "member",
    does: "get a one-time ticket and become a member with it",
    changes: true,
    async run(work) {
      if (work.here.cluster !== null) return "is a member already";
      if (work.here.mount !== null) setAside(work.here.mount);
      const minutes = ["--minutes", String(TICKET_MINUTES)];
      const { ticket } = await work.far(["join", "ticket", "new", ...minutes]) as {
        ticket?: unknown;
      };
      const { client, waitMs: limitMs } = work.cli;
      await client.change("POST", "/v1/join", {
        json: { ticket: String(ticket), disk: work.order.disk },
        limitMs,
      });
      return "is a member, and learns the configuration";
    },
  },
  {
    name: "voter",
    does: "wait until it has everything and votes",
    changes: false,
    run: untilVoter,
  },
  {
    name: "trust",
    does: "let sshd here know the cluster's keys",
    changes: true,
    async run(work) {
      await work.look();
      const { here, cli } = work;
      const { home } = cli;
      await trust(cli, await ownTrust(home, here.node, ownAddresses(here)));
      const left = linked(home, here.mount);
      return left.length === 0 ? "every node's root may log in to every other" : left.join("; ");
    },
  },
  {
    name: "files",
    does: "put guests and files that this machine had into the tree",
    changes: true,
    run: mergeFiles,
  },
  {
    name: "links",
    does: "look whether both hear each other on every link",
    changes: false,
    async run({ cli, here }) {
      const { nodes } = await cli.client.get<StatusDocument>("/v1/status");
      const others = nodes.filter(({ name }) => name !== here.node);
      return others.map(({ name, links, rtt_ms }) =>
        `${name} ${links} links up${rtt_ms === null ? "" : `, ${rtt_ms.toFixed(1)} ms`}`
      ).join("; ");
    },
  },
];

async function pinHostKey({ cli, order, pinned }: JoinWork): Promise<string> {
  const { target, fingerprint } = order;
  const keys = readHostKeys(await scanHostKeys(target));
  const [shown] = keys;
  if (shown === undefined) {
    throw new ProblemError("join.no-way", `no SSH server answers at "${target.host}"`);
  }
  const told = keys.find((key) => fingerprintOf(key) === fingerprint);
  if (fingerprint !== null && told === undefined) {
    const has = keys.map(fingerprintOf).join(", ");
    throw new ProblemError("join.host-key", `"${target.host}" has ${has}, not ${fingerprint}`);
  }
  if (fingerprint === null) await askForKey(cli, target.host, fingerprintOf(shown));
  const key = told ?? shown;
  const name = target.port === null ? target.host : `[${target.host}]:${target.port}`;
  Deno.writeTextFileSync(pinned, `${knownHostsLine([name], key)}\n`, { mode: 0o600 });
  return `${key.type} ${fingerprintOf(key)}`;
}

async function askForKey(cli: JoinWork["cli"], host: string, shown: string): Promise<void> {
  if (!cli.io.inputTerminal) {
    const why = `"${host}" says ${shown}; nobody is here to compare it: --fingerprint ${shown}`;
    throw new ProblemError("join.host-key", why);
  }
  cli.io.err(`The key of "${host}" is ${shown}.\n`);
  cli.io.err("There, ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub prints the same? [yes/no] ");
  if (await ask() !== "yes") throw new ProblemError("join.host-key", "it was not accepted");
}

async function copyTree(work: JoinWork): Promise<string> {
  if (work.here.cluster !== null) return "is a member already: nothing to compare";
  const { mount } = work.there;
  if (mount === null) {
    throw new ProblemError("join.copy", `the tree is not mounted on "${work.there.node}"`);
  }
  Deno.mkdirSync(work.copy, { recursive: true, mode: 0o700 });
  await work.ssh.copy(mount, work.copy);
  const files = [work.here.mount, keptOf(work.here.mount)].flatMap((folder) =>
    folder === null ? [] : ownFiles(folder, work.here.node)
  );
  refuseConflicts(files, work.copy);
  return files.length === 0
    ? "nothing here stands against it"
    : `${files.length} files of this machine go into it`;
}

async function mergeFiles(work: JoinWork): Promise<string> {
  const { cli, here } = work;
  const kept = keptOf(here.mount);
  const files = kept === null ? [] : ownFiles(kept, here.node);
  for (const { path, source } of files) {
    const { version } = await readTreeFile(cli, path);
    // What is in its place by now was compared, or is a former try's.
    if (version > 0) continue;
    await makeFoldersAbove(cli, path);
    const reason = `${here.node} had it before it joined`;
    await writeTreeFile(cli, path, { bytes: Deno.readFileSync(source), version, reason });
  }
  const moved = here.mount === null ? null : retireKept(here.mount);
  if (moved === null) return "there were none";
  return `${files.length} files are in the tree; the old folder is "${moved}"`;
}

async function untilVoter({ cli }: JoinWork): Promise<string> {
  const end = performance.now() + cli.waitMs;
  while (performance.now() < end) {
    const { members } = await cli.client.get<{ members: readonly MemberRow[] }>(
      "/v1/config-members",
    ).catch(() => ({ members: [] as readonly MemberRow[] }));
    const self = members.find((member) => member.self);
    if (self?.role === "voter" && await isSettled(cli)) return "it votes";
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new ProblemError("node.timeout", "it does not keep up with the leader yet");
}

/** The mount, where there is to be one, is there, or will not come. */
async function isSettled(cli: JoinWork["cli"]): Promise<boolean> {
  const { mount } = await cli.client.get<StatusDocument>("/v1/status");
  return mount.state === "mounted" || mount.path === null || mount.why !== null;
}

/** What stands before anything that is done there, whatever that is. */
const WAY_IN: readonly string[] = ["programs", "host-key", "login"];
export const LOGIN_STEPS: readonly Step[] = STEPS.filter(({ name }) => WAY_IN.includes(name));
