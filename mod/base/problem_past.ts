/** Problems of history, export, backup and of a dead node's files; see `problem.ts`. @module */
import { EXIT, type ProblemKind } from "./exit.ts";

export const PAST_PROBLEMS = {
  "config.decided": {
    title: "Cannot write what the manager decided",
    remedy: "say what you want by pentad ha; an old file of it would be obeyed. It can be removed",
    status: 403,
    exit: EXIT.unsafe,
  },
  "config.no-transaction": {
    title: "Cannot find that transaction",
    remedy: "see pentad config history for those there are",
    status: 404,
    exit: EXIT.notFound,
  },
  "config.backup-failed": {
    title: "Cannot make a backup",
    remedy: "make room where it goes, or name another place: pentad config backup FILE",
    status: 500,
    exit: EXIT.failed,
  },
  "config.backup-exists": {
    title: "Cannot put a backup there: something is there",
    remedy: "name a file that does not exist yet",
    status: 409,
    exit: EXIT.failed,
  },
  "config.bad-backup": {
    title: "Cannot use that backup",
    remedy:
      "take another one: a member keeps its newest in the folder backup of its state directory",
    status: 409,
    exit: EXIT.failed,
  },
  "config.not-alone": {
    title: "Cannot restore while other members may live",
    remedy: "switch every member that the detail names off for good, then repeat with --yes",
    status: 409,
    exit: EXIT.unsafe,
  },
  "config.export-place": {
    title: "Cannot export into that directory",
    remedy: "name a directory that is empty or not there yet, with room in it",
    status: 409,
    exit: EXIT.failed,
  },
  "config.export-broken": {
    title: "Cannot trust what was to be exported",
    remedy: "the marker in the directory says that it is not whole; repeat into an empty one",
    status: 502,
    exit: EXIT.failed,
  },
  "node.offline": {
    title: "Cannot do that with a dead node's files",
    remedy: "with --data work: config ls, get, history, show, diff and export; else ask a daemon",
    status: 409,
    exit: EXIT.usage,
  },
  "node.bad-data": {
    title: "Cannot read a node's files there",
    remedy: "name a state directory (it holds config.db), or a backup file",
    status: 409,
    exit: EXIT.failed,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;
