/**
 * The part of the registry of problems that is about joining over SSH; `problem.ts` has the whole.
 *
 * @module
 */
import { EXIT, type ProblemKind } from "./exit.ts";

/** Every code, with the remedy that is true whenever the code is. */
export const JOIN_PROBLEMS = {
  "join.missing-program": {
    title: "Cannot join over SSH without its programs",
    remedy:
      "install the package named in the detail, or join with a ticket: pentad join --ticket -",
    status: 500,
    exit: EXIT.failed,
  },
  "join.host-key": {
    title: "Cannot trust the host's key",
    remedy:
      "compare with what the host itself prints: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    status: 403,
    exit: EXIT.unsafe,
  },
  "join.login": {
    title: "Cannot log in there",
    remedy:
      "let root in there with a key or a password, or join with a ticket: pentad join --ticket -",
    status: 403,
    exit: EXIT.failed,
  },
  "join.no-way": {
    title: "Cannot reach that host over SSH",
    remedy:
      "see that its name, the network and its sshd are as they should be, and repeat: what is " +
      "done already is not done again",
    status: 502,
    exit: EXIT.failed,
  },
  "join.far-side": {
    title: "Cannot work with pentad on the other host",
    remedy: "see there: pentad status; what it cannot find is named with --remote-pentad PATH",
    status: 502,
    exit: EXIT.failed,
  },
  "join.key-in-use": {
    title: "Cannot take the renewal of the key back",
    remedy: "finish it: pentad join renew-key",
    status: 409,
    exit: EXIT.unsafe,
  },
  "join.key-waits": {
    title: "Cannot finish the renewal of the key yet: a member is missing",
    remedy:
      "bring it back and repeat; if it is gone for good: pentad config member remove NODE, and repeat",
    status: 504,
    exit: EXIT.timeout,
  },
  "join.no-ssh-key": {
    title: "Cannot renew a key that the cluster does not have",
    remedy: "nothing is to be renewed here; pentad join HOST exchanges keys",
    status: 404,
    exit: EXIT.notFound,
  },
  "join.no-such-ticket": {
    title: "Cannot find that ticket",
    remedy: "see pentad join ticket list on the node that made it; a restart there ended it too",
    status: 404,
    exit: EXIT.notFound,
  },
  "join.precondition": {
    title: "Cannot join as things are",
    remedy: "mend what the detail names and repeat; nothing was changed on either side",
    status: 409,
    exit: EXIT.failed,
  },
  "join.deploy": {
    title: "Cannot put pentad onto the other host",
    remedy: "mend what the detail names and repeat: what is done already is not undone",
    status: 502,
    exit: EXIT.failed,
  },
  "join.copy": {
    title: "Cannot copy the configuration",
    remedy: "see the detail, and repeat the join: it goes on where it stopped",
    status: 502,
    exit: EXIT.failed,
  },
} as const satisfies Record<string, ProblemKind>;
