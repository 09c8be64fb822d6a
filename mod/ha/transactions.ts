/** The transactions of stream 3, each with what it expects of the tree. @module */
import { encodeText } from "../base/bytes.ts";
import type { NodeId, RequestId } from "../base/id.ts";
import type { Expectation, Operation, Transaction } from "../streams.ts";
import { COMMANDS_FILE, DIRECTORIES, type HaFiles, LOCK, OUT_FILE } from "./files.ts";
import { DISARM_FILE, type Mode, printMode } from "./mode.ts";
import { STATUS_FILE } from "./status.ts";

/** Who signs: makes request ids and knows the name and the time. */
export interface Clerk {
  /** An id that nobody had before. */
  readonly nextId: () => RequestId;
  readonly author: () => string;
  /** Seconds since 1970, for people. */
  readonly time: () => number;
  /** Newest index that is applied here. */
  readonly base: () => number;
}

/** Takes the lock: it stands as we saw it, or not at all. */
export function lockOf(clerk: Clerk, files: HaFiles): Transaction {
  const parents = missing(files, ["priv", "priv/lock"]);
  const expect: Expectation[] = [
    ...parents.map((path) => ({ path, version: 0 })),
    { path: LOCK, version: files.lock?.epoch ?? 0 },
  ];
  const operations: Operation[] = parents.map((path) => ({ op: "mkdir", path }));
  if (files.lock !== null) operations.push({ op: "rmdir", path: LOCK });
  operations.push({ op: "mkdir", path: LOCK });
  return sign(clerk, { expect, operations, reason: "the manager takes its lock" });
}

/** Gives the lock back. */
export function unlockOf(clerk: Clerk, epoch: number): Transaction {
  const expect = [{ path: LOCK, version: epoch }];
  const operations: Operation[] = [{ op: "rmdir", path: LOCK }];
  return sign(clerk, { expect, operations, reason: "the manager stops" });
}

/** Writes decisions and takes the orders that led to them away. */
export function decisionOf(
  clerk: Clerk,
  files: HaFiles,
  { epoch, bytes, mode = null, out = null, moves = null }: {
    readonly epoch: number;
    readonly bytes: Uint8Array | null;
    /** The mode, if it is another than before. */
    readonly mode?: Mode | null;
    /** Who of those that were put out is left, if somebody was vouched for. */
    readonly out?: ReadonlyMap<NodeId, string> | null;
    /** Definitions of machines that go with it to their new owners. */
    readonly moves?: Pick<Transaction, "expect" | "operations"> | null;
  },
): Transaction {
  const parents = missing(files, ["ha"]);
  const expect: Expectation[] = [
    ...parents.map((path) => ({ path, version: 0 })),
    { path: LOCK, version: epoch },
    { path: STATUS_FILE, version: files.statusVersion },
    // What may be decided depends on it, whoever changes it.
    { path: DISARM_FILE, version: files.modeVersion },
  ];
  const operations: Operation[] = parents.map((path) => ({ op: "mkdir", path }));
  if (bytes !== null) operations.push(...whole(STATUS_FILE, bytes, files.statusVersion !== 0));
  if (files.commands.length > 0) {
    expect.push({ path: COMMANDS_FILE, version: files.commandsVersion });
    operations.push({ op: "truncate", path: COMMANDS_FILE, size: 0 });
  }
  if (mode !== null) {
    const exists = files.modeVersion !== 0;
    const text = printMode(mode);
    if (text !== null) operations.push(...whole(DISARM_FILE, text, exists));
    else if (exists) operations.push({ op: "remove", path: DISARM_FILE });
  }
  if (out !== null) {
    expect.push({ path: OUT_FILE, version: files.outVersion });
    const lines = [...out].map(([id, name]) => `${id} ${name}\n`);
    if (lines.length === 0) operations.push({ op: "remove", path: OUT_FILE });
    else operations.push(...whole(OUT_FILE, encodeText(lines.join("")), true));
  }
  if (bytes !== null && moves !== null) {
    expect.push(...moves.expect);
    operations.push(...moves.operations);
  }
  return sign(clerk, { expect, operations, reason: "the manager decides" });
}

/** Adds an order to the manager's. */
export function orderOf(clerk: Clerk, files: HaFiles, line: string): Transaction {
  const parents = missing(files, ["ha"]);
  const expect: Expectation[] = [
    ...parents.map((path) => ({ path, version: 0 })),
    { path: COMMANDS_FILE, version: files.commandsVersion },
  ];
  const bytes = encodeText([...files.commands, line].join("\n") + "\n");
  const operations: Operation[] = [
    ...parents.map((path): Operation => ({ op: "mkdir", path })),
    ...whole(COMMANDS_FILE, bytes, files.commandsVersion !== 0),
  ];
  return sign(clerk, { expect, operations, reason: "an order to the manager" });
}

function missing(files: HaFiles, paths: readonly (typeof DIRECTORIES[number])[]): string[] {
  return paths.filter((path) => !files.hasDirectory(path));
}

function whole(path: string, data: Uint8Array, exists: boolean): Operation[] {
  const first: Operation = exists ? { op: "truncate", path, size: 0 } : { op: "create", path };
  return [first, { op: "write", path, offset: 0, data }];
}

function sign(
  { nextId, author, base, time }: Clerk,
  body: Pick<Transaction, "expect" | "operations" | "reason">,
): Transaction {
  return { request: nextId(), base: base(), author: author(), time: time(), ...body };
}
