/**
 * The part of the registry of problems that is about the program on its host; `problem.ts` has the
 * whole.
 *
 * @module
 */
import { EXIT, type ProblemKind } from "./exit.ts";

/** Every code, with the remedy that is true whenever the code is. */
export const INSTALL_PROBLEMS = {
  "install.no-file": {
    title: "Cannot install what is not the one file",
    remedy: "make it with deno task build, and run that",
    status: 500,
    exit: EXIT.failed,
  },
  "install.in-the-way": {
    title: "Cannot install: something is in the way",
    remedy: "look what it is, move it away, and repeat",
    status: 500,
    exit: EXIT.failed,
  },
  "install.not-root": {
    title: "Cannot write the system's folders",
    remedy: "run it as root",
    status: 403,
    exit: EXIT.failed,
  },
  "install.unknown-host": {
    title: "Cannot know this host's name and address",
    remedy: "name them: --name NAME --address IP",
    status: 500,
    exit: EXIT.usage,
  },
  "install.format": {
    title: "Cannot change to that version",
    remedy: "upgrade the other nodes' way first, one version after the other; nothing was changed",
    status: 409,
    exit: EXIT.unsafe,
  },
  "install.unhealthy": {
    title: "Cannot keep that version: the node does not come back with it",
    remedy: "the version before is in use again; see journalctl -u pentad",
    status: 500,
    exit: EXIT.failed,
  },
  "install.not-started": {
    title: "Cannot start the daemon",
    remedy: "all is in place; see journalctl -u pentad, then: systemctl start pentad",
    status: 500,
    exit: EXIT.failed,
  },
  "install.no-previous": {
    title: "Cannot go back: no other version is here",
    remedy: "install one: pentad upgrade FILE",
    status: 404,
    exit: EXIT.notFound,
  },
  "install.still-member": {
    title: "Cannot uninstall a member of a cluster",
    remedy: "pentad leave first; where no other node lives any more: --accept-risk lose-data",
    status: 409,
    exit: EXIT.unsafe,
  },
} as const satisfies Record<string, ProblemKind>;
