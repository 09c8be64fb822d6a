/** Changes of the tree on behalf of a client. @module */
import { decodeText, encodeText, fromHex, toHex } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import { sha256 } from "../base/seal.ts";
import { decidedBy } from "../config/mod.ts";
import type { Operation, Outcome } from "../streams.ts";
import type { Call } from "./route.ts";
import type { ChangeAsk } from "./running_node.ts";

/** How often a change of an HA file begins anew because another client was faster. */
export const UPDATE_TRIES_MAX = 8;
/** Hex digits of a request id. */
const REQUEST_DIGITS = 16;

type AnyCall = Call<unknown, unknown>;

/** Proposes what a client asks for; the outcome of success, or the problem thrown. */
export async function propose(
  call: AnyCall,
  ask: Pick<ChangeAsk, "expect" | "operations">,
): Promise<Extract<Outcome, { ok: true }>> {
  const { node, author, reason, requestId } = call;
  const decided = ask.operations.map(decidedBy).find((path) => path !== null) ?? null;
  if (decided !== null) {
    throw new ProblemError("config.decided", `"${decided}" holds what the manager decided`);
  }
  const outcome = await node.change({ ...ask, author, reason, request: requestId });
  if (outcome.ok) return outcome;
  throw new ProblemError(outcome.problem.code, outcome.problem.why);
}

/** Operations that make `path` hold exactly `data`. */
export function writeWhole(path: string, data: Uint8Array, exists: boolean): Operation[] {
  const first: Operation = exists ? { op: "truncate", path, size: 0 } : { op: "create", path };
  return data.length === 0 ? [first] : [first, { op: "write", path, offset: 0, data }];
}

/**
 * Reads a text file of the tree, changes it and writes it back, if need be several times: each try
 * expects the version that it read. `update` throws a ProblemError to refuse, and returns null where
 * nothing is to be done.
 */
export async function updateFile(
  call: AnyCall,
  path: string,
  update: (text: string) => string | null,
): Promise<void> {
  const { node, author, reason } = call;
  for (let tries = 0; tries < UPDATE_TRIES_MAX; tries++) {
    const entry = node.entry(path);
    const text = readText(call, path);
    const next = update(text);
    if (next === null) return;
    const parent = path.slice(0, path.lastIndexOf("/"));
    const orphan = node.entry(parent) === null;
    const outcome = await node.change({
      request: tryId(call.requestId, tries),
      expect: [
        ...(orphan ? [{ path: parent, version: 0 }] : []),
        { path, version: entry?.version ?? 0 },
      ],
      operations: [
        ...(orphan ? [{ op: "mkdir", path: parent } as const] : []),
        ...writeWhole(path, encodeText(next), entry !== null),
      ],
      author,
      reason,
    });
    if (outcome.ok) return;
    if (outcome.problem.code !== "config.version-mismatch") {
      throw new ProblemError(outcome.problem.code, outcome.problem.why);
    }
    // Another client was faster; see what it did before the next try.
    await node.barrier();
  }
  throw new ProblemError(
    "api.busy",
    `"${path}" changed ${UPDATE_TRIES_MAX} times under this change`,
  );
}

/** A text file of the tree; empty where there is none. */
export function readText(call: Pick<AnyCall, "node">, path: string): string {
  const bytes = call.node.read(path);
  const text = bytes === null ? "" : decodeText(bytes);
  if (text === null) throw new ProblemError("ha.bad-file", `"${path}" is not UTF-8`);
  return text;
}

/** Each try is a transaction of its own, and a retry of the whole request goes through the same ones. */
function tryId(requestId: string, tries: number): string {
  if (tries === 0) return requestId;
  const hash = sha256(fromHex(requestId) ?? new Uint8Array(0), encodeText(`try ${tries}`));
  return toHex(hash).slice(0, REQUEST_DIGITS);
}
