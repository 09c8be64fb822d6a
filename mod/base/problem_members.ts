/**
 * The part of the registry of problems that is about who is a member and who leads; `problem.ts` has
 * the whole.
 *
 * @module
 */
import { EXIT, type ProblemKind } from "./exit.ts";

/** Every code, with the remedy that is true whenever the code is. */
export const MEMBER_PROBLEMS = {
  "config.learner-behind": {
    title: "Cannot promote: the learner is not caught up",
    remedy: "wait until pentad config member list shows it as ready; it is then promoted by itself",
    status: 409,
    exit: EXIT.failed,
  },
  "config.last-voter": {
    title: "Cannot remove the last voter",
    remedy: "add another voter first (pentad config member add), or stop the daemon for good",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.member-in-use": {
    title: "Cannot remove a member that may run resources",
    remedy:
      "move them away (pentad node maintenance NODE), or if it is off: pentad node confirm-dead",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.rename-refused": {
    title: "Cannot rename the member",
    remedy: "do what the detail says, and repeat; nothing was changed",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.readdress-refused": {
    title: "Cannot change the member's addresses",
    remedy: "write them into its settings, restart its daemon, and repeat; nothing was changed",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.cannot-transfer": {
    title: "Cannot hand the leadership over",
    remedy: "name a voter that answers and is caught up: pentad config member list",
    status: 409,
    exit: EXIT.failed,
  },
  "config.needs-consent": {
    title: "Cannot go on alone without your consent",
    remedy: "read what it may cost; if that is to be, repeat it with --accept-risk=data-loss",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.force-refused": {
    title: "Cannot go on alone: that is not what is missing",
    remedy: "do what the detail says; pentad status shows who is here",
    status: 409,
    exit: EXIT.unsafe,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;
