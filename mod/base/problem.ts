/**
 * The registry of everything that a user can be refused or meet: a stable code, what failed, why,
 * the remedy, the exit code and the HTTP status. CLI, API, journal and runbook are prints of it.
 *
 * @module
 */
import { EXIT, type ProblemKind } from "./exit.ts";
import { INSTALL_PROBLEMS } from "./problem_install.ts";
import { JOIN_PROBLEMS } from "./problem_join.ts";
import { MEMBER_PROBLEMS } from "./problem_members.ts";
import { NODE_PROBLEMS } from "./problem_node.ts";
import { PAST_PROBLEMS } from "./problem_past.ts";
import { RULE_PROBLEMS } from "./problem_rules.ts";

export { EXIT };

/** Every code, with the remedy that is true whenever the code is. */
export const PROBLEMS = {
  "api.bad-request": {
    title: "Cannot read the request",
    remedy: "compare the body and parameters with GET /v1/openapi.json",
    status: 400,
    exit: EXIT.usage,
  },
  "api.unauthorized": {
    title: "Cannot accept the request without a valid token",
    remedy: "send Authorization: Bearer with the token of the settings file",
    status: 401,
    exit: EXIT.failed,
  },
  "api.no-such-route": {
    title: "Cannot find that address",
    remedy: "see GET /v1/openapi.json for the addresses there are",
    status: 404,
    exit: EXIT.notFound,
  },
  "api.method-not-allowed": {
    title: "Cannot use that method there",
    remedy: "use one that Allow names",
    status: 405,
    exit: EXIT.usage,
  },
  "api.not-acceptable": {
    title: "Cannot answer in a form that the request accepts",
    remedy: "send no Accept header, or one that the answer's media type fits",
    status: 406,
    exit: EXIT.usage,
  },
  "api.slow-request": {
    title: "Cannot wait for a body that long",
    remedy: "send the whole body at once; nothing was changed",
    status: 408,
    exit: EXIT.timeout,
  },
  "api.cannot-listen": {
    title: "Cannot open the API",
    remedy: "free the place named in the detail, or name another in the settings file",
    status: 500,
    exit: EXIT.failed,
  },
  "api.too-large": {
    title: "Cannot take a body of that size",
    remedy: "send at most the size named in the detail",
    status: 413,
    exit: EXIT.usage,
  },
  "api.precondition-required": {
    title: "Cannot change this without If-Match",
    remedy: "read it first and send its ETag as If-Match, or If-None-Match: * for a new file",
    status: 428,
    exit: EXIT.usage,
  },
  "api.busy": {
    title: "Cannot take more requests now",
    remedy: "try again in a moment; Retry-After says when",
    status: 429,
    exit: EXIT.failed,
  },
  "api.socket-only": {
    title: "Cannot do that over TCP",
    remedy: "do it as root on the node itself, through its Unix socket",
    status: 403,
    exit: EXIT.failed,
  },
  "cli.usage": {
    title: "Cannot understand the command",
    remedy: "see pentad help, or the command's own --help",
    status: 400,
    exit: EXIT.usage,
  },
  "cli.output": {
    title: "Cannot write the output",
    remedy:
      "make room where the output goes, or name another place; for an order, see pentad status",
    status: 500,
    exit: EXIT.failed,
  },
  "config.no-quorum": {
    title: "Cannot write: this partition has no quorum",
    remedy: "bring a node or the witness back; reading works, see pentad status",
    status: 503,
    exit: EXIT.noQuorum,
  },
  "config.unknown-outcome": {
    title: "Cannot tell whether the write was committed",
    remedy: "repeat the command with the same request id: it is applied at most once",
    status: 504,
    exit: EXIT.timeout,
  },
  "config.version-mismatch": {
    title: "Cannot write: it changed under you",
    remedy: "read it again and repeat the change on what is there now",
    status: 412,
    exit: EXIT.changed,
  },
  "config.not-found": {
    title: "Cannot find that path",
    remedy: "see pentad config ls",
    status: 404,
    exit: EXIT.notFound,
  },
  "config.exists": {
    title: "Cannot create: the path exists",
    remedy: "choose another name, or write to what is there",
    status: 409,
    exit: EXIT.failed,
  },
  "config.not-a-directory": {
    title: "Cannot use a file as a directory",
    remedy: "check the path with pentad config ls",
    status: 409,
    exit: EXIT.failed,
  },
  "config.is-a-directory": {
    title: "Cannot use a directory as a file",
    remedy: "name a file below it",
    status: 409,
    exit: EXIT.failed,
  },
  "config.not-empty": {
    title: "Cannot remove a directory that is not empty",
    remedy: "remove what is in it first",
    status: 409,
    exit: EXIT.failed,
  },
  "config.bad-path": {
    title: "Cannot use that path",
    remedy: "use names of 1 to 255 bytes without '/', '.', '..' and control characters",
    status: 400,
    exit: EXIT.usage,
  },
  "config.too-large": {
    title: "Cannot store that much",
    remedy: "split it: a file holds 1 MiB",
    status: 413,
    exit: EXIT.failed,
  },
  "config.full": {
    title: "Cannot store more: the tree is full",
    remedy: "remove what is not needed: the tree holds 128 MiB and 262144 entries",
    status: 507,
    exit: EXIT.failed,
  },
  "config.guest-exists": {
    title: "Cannot give a VMID twice",
    remedy: "choose a free VMID, or move the guest's file from the node that has it",
    status: 409,
    exit: EXIT.failed,
  },
  "config.expired-request": {
    title: "Cannot apply a request that old",
    remedy: "look whether it was applied (pentad config history), then send it as a new one",
    status: 409,
    exit: EXIT.changed,
  },
  "config.membership-busy": {
    title: "Cannot change the members while another change is under way",
    remedy: "wait until the change under way is committed, then repeat",
    status: 409,
    exit: EXIT.failed,
  },
  "config.unsafe-membership": {
    title: "Cannot change the members: the rest could not go on",
    remedy: "bring the silent nodes back first",
    status: 409,
    exit: EXIT.unsafe,
  },
  ...MEMBER_PROBLEMS,
  "config.no-history": {
    title: "Cannot look that far back",
    remedy: "see pentad config history for what this node keeps; another node may keep more",
    status: 404,
    exit: EXIT.notFound,
  },
  ...PAST_PROBLEMS,
  "config.cannot-undo": {
    title: "Cannot take that transaction back",
    remedy: "read what is there now (pentad config get), and change that",
    status: 409,
    exit: EXIT.changed,
  },
  "config.diverged": {
    title: "Cannot vote: this replica differs from its peers",
    remedy: "pentad status names the index; the replica is rebuilt from its peers",
    status: 503,
    exit: EXIT.failed,
  },
  "config.damaged": {
    title: "Cannot read all of the database back",
    remedy: "look at the disk (dmesg, smartctl); pentad config verify says what is damaged",
    status: 503,
    exit: EXIT.degraded,
  },
  "ha.no-such-resource": {
    title: "Cannot find that resource",
    remedy: "see pentad ha list",
    status: 404,
    exit: EXIT.notFound,
  },
  "ha.exists": {
    title: "Cannot add: the resource exists",
    remedy: "change it with pentad ha set, or choose another name",
    status: 409,
    exit: EXIT.failed,
  },
  "ha.bad-resource": {
    title: "Cannot accept that resource",
    remedy: "see pentad help ha add for the options there are",
    status: 400,
    exit: EXIT.usage,
  },
  "ha.bad-file": {
    title: "Cannot read an HA file",
    remedy: "repair the line named in the detail; the last good content stays in force",
    status: 409,
    exit: EXIT.failed,
  },
  ...RULE_PROBLEMS,
  "ha.no-such-node": {
    title: "Cannot find that node",
    remedy: "see pentad node list",
    status: 404,
    exit: EXIT.notFound,
  },
  "ha.node-unfit": {
    title: "Cannot place the resource on that node",
    remedy: "choose a node that is online and not in maintenance",
    status: 409,
    exit: EXIT.unsafe,
  },
  "heartbeat.bad-address": {
    title: "Cannot use that address",
    remedy: "write it as HOST:PORT, IPv6 as [ADDRESS]:PORT",
    status: 400,
    exit: EXIT.usage,
  },
  "join.bad-ticket": {
    title: "Cannot join with that ticket",
    remedy: "make a new one on a member: pentad join ticket new",
    status: 403,
    exit: EXIT.failed,
  },
  "join.refused": {
    title: "Cannot join: the cluster refused",
    remedy: "do what the detail says and repeat; nothing was changed here",
    status: 409,
    exit: EXIT.failed,
  },
  "join.already-member": {
    title: "Cannot join: this node is a member of a cluster",
    remedy: "pentad leave first, or use another state directory",
    status: 409,
    exit: EXIT.failed,
  },
  "join.not-a-member": {
    title: "Cannot do that: this node is not a member of a cluster",
    remedy: "pentad init NAME makes a cluster, pentad join enters one",
    status: 409,
    exit: EXIT.failed,
  },
  "join.last-member": {
    title: "Cannot leave: this is the last voter",
    remedy: "stop the daemon and remove its state directory instead",
    status: 409,
    exit: EXIT.unsafe,
  },
  ...INSTALL_PROBLEMS,
  ...JOIN_PROBLEMS,
  ...NODE_PROBLEMS,
  "settings.invalid": {
    title: "Cannot read the settings",
    remedy: "repair the line named in the detail",
    status: 400,
    exit: EXIT.usage,
  },
  "settings.unreadable": {
    title: "Cannot open the settings file",
    remedy: "write it as README shows, or name another with --settings",
    status: 400,
    exit: EXIT.usage,
  },
  "storage.foreign-disk": {
    title: "Cannot use the disk: it carries something else",
    remedy: "name an empty disk, or wipe this one yourself if nothing on it is needed",
    status: 409,
    exit: EXIT.unsafe,
  },
  "storage.wrong-cluster": {
    title: "Cannot use the disk: it belongs to another cluster",
    remedy: "name this cluster's disk",
    status: 409,
    exit: EXIT.unsafe,
  },
  "storage.unusable": {
    title: "Cannot use the disk",
    remedy: "check that it is there, large enough and readable by root",
    status: 409,
    exit: EXIT.failed,
  },
  "storage.witness-unfit": {
    title: "Cannot make the disk the witness",
    remedy: "do what the detail says, look at pentad storage show on every node, and repeat",
    status: 409,
    exit: EXIT.unsafe,
  },
  "storage.needs-consent": {
    title: "Cannot change who may write without your consent",
    remedy: "read what it would do; if that is to be, repeat it with the risk that is named",
    status: 409,
    exit: EXIT.unsafe,
  },
  "storage.in-use": {
    title: "Cannot test a disk that somebody is registered on",
    remedy: "see pentad storage show for its daily self-test, and test here one that nobody uses",
    status: 409,
    exit: EXIT.unsafe,
  },
  "storage.conflict": {
    title: "Cannot do that: the disk answered with a reservation conflict",
    remedy: "see pentad storage reservations show for who is registered, and who holds it",
    status: 409,
    exit: EXIT.failed,
  },
  "storage.unsupported": {
    title: "Cannot do that on this disk",
    remedy: "see the capabilities in pentad storage reservations show",
    status: 409,
    exit: EXIT.failed,
  },
  "storage.hung": {
    title: "Cannot get an answer from the disk",
    remedy: "look at its paths; what was asked may still happen, so look before you repeat it",
    status: 504,
    exit: EXIT.timeout,
  },
  "bug": {
    title: "Cannot go on: pentad itself is wrong",
    remedy: "please report it with all that the detail says",
    status: 500,
    exit: EXIT.bug,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;

/** A stable code out of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS;

/** What a user met: the registry's entry plus what is particular to this time. */
export interface Problem {
  readonly code: ProblemCode;
  /** Why, this time: one clause with the values in quotes, no final period. */
  readonly why: string;
}

/** Makes a problem. */
export function problem(code: ProblemCode, why: string): Problem {
  return { code, why };
}

/** A problem as an exception, for the edges (CLI, API, settings); cores return {@link Problem}. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(code: ProblemCode, why: string, options?: ErrorOptions) {
    super(`${PROBLEMS[code].title}: ${why}`, options);
    this.problem = problem(code, why);
  }
}

/** The four parts of a problem, as lines for people. */
export function formatProblem({ code, why }: Problem): string {
  const { title, remedy } = PROBLEMS[code];
  return `error: ${title}\n  why    ${why}\n  fix    ${remedy}\n  code   ${code}`;
}
