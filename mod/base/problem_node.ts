/** Problems of a node, its daemon and its state directory; see `problem.ts`. @module */
import { EXIT, type ProblemKind } from "./exit.ts";

export const NODE_PROBLEMS = {
  "node.already-running": {
    title: "Cannot start: another daemon uses this state directory",
    remedy: "stop it first; pentad status shows it",
    status: 409,
    exit: EXIT.failed,
  },
  "node.starting": {
    title: "Cannot answer yet: the node is starting",
    remedy: "ask again in a moment",
    status: 503,
    exit: EXIT.unreachable,
  },
  "node.stopped": {
    title: "Cannot answer any more: the node has stopped",
    remedy: "ask another node, or this one when its daemon is back",
    status: 503,
    exit: EXIT.unreachable,
  },
  "node.unreachable": {
    title: "Cannot reach the daemon",
    remedy: "start it (pentad daemon), or name its socket with --socket",
    status: 503,
    exit: EXIT.unreachable,
  },
  "node.denied": {
    title: "Cannot open the daemon's socket",
    remedy: "run this as root, or as a member of the group that owns the socket",
    status: 403,
    exit: EXIT.unreachable,
  },
  "node.strange-answer": {
    title: "Cannot understand the daemon's answer",
    remedy: "check that the address is that of a pentad, and of this version (pentad version)",
    status: 502,
    exit: EXIT.failed,
  },
  "node.state-damaged": {
    title: "Cannot trust the state directory",
    remedy: "keep a copy, then join the node anew; its peers hold the data",
    status: 500,
    exit: EXIT.failed,
  },
  "node.open-directory": {
    title: "Cannot use a directory that others may change",
    remedy: "make it root's alone (chown root:, chmod go-w), and look first who put what into it",
    status: 403,
    exit: EXIT.failed,
  },
  "node.other-machine": {
    title: "Cannot start: this state directory was made on another machine",
    remedy: "move it away and join anew; if this machine took the place of that one, which must " +
      "never come back: pentad daemon --accept-machine",
    status: 409,
    exit: EXIT.unsafe,
  },
  "node.twin": {
    title: "Cannot count a node that runs twice",
    remedy: "stop the copy, remove its state directory there, and let it join anew",
    status: 409,
    exit: EXIT.unsafe,
  },
  "node.database-lost": {
    title: "Cannot use the database, and no peer holds another",
    remedy: "move the state directory aside, start, and pentad config restore BACKUP; " +
      "if it was put back on purpose, remove config.db-seal",
    status: 500,
    exit: EXIT.failed,
  },
  "node.database-newer": {
    title: "Cannot read the database of a newer version",
    remedy: "start the version that wrote it",
    status: 500,
    exit: EXIT.failed,
  },
  "node.database-failed": {
    title: "Cannot write the database",
    remedy: "look at the disk and its file system; the next start reads and checks all of it",
    status: 503,
    exit: EXIT.failed,
  },
  "node.disk-full": {
    title: "Cannot write the database: its disk is full",
    remedy: "make room where the state directory is; the daemon is started anew by itself",
    status: 507,
    exit: EXIT.failed,
  },
  "node.disk-read-only": {
    title: "Cannot write the database: its file system is read-only",
    remedy: "see why in dmesg, check and remount it; the daemon is started anew by itself",
    status: 503,
    exit: EXIT.failed,
  },
  "node.unsupported-host": {
    title: "Cannot run on this host",
    remedy: "use 64-bit Linux with glibc or musl; under Deno itself, allow FFI (-A)",
    status: 500,
    exit: EXIT.failed,
  },
  "node.timeout": {
    title: "Cannot wait any longer",
    remedy: "it goes on in the background; look with pentad status",
    status: 504,
    exit: EXIT.timeout,
  },
} as const satisfies Record<string, ProblemKind>;
