/** A text file of the tree, changed by the node itself on the version that it read. @module */
import { decodeText, encodeText } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Operation } from "../streams.ts";
import type { Member } from "./member.ts";

/** Tries while others write to the same file. */
const TRIES_MAX = 8;

/** A running member, as far as it is needed here. */
export interface TreeParts {
  readonly runtime: NodeRuntime;
  readonly member: Member;
}

/** Which file, what is to become of its text ("" where there is none; null: nothing), and why. */
export interface TextEdit {
  readonly path: string;
  readonly edit: (text: string) => string | null;
  readonly reason: string;
}

/** Changes it. What is no text stays as it is. Throws a ProblemError where nothing can be written. */
export async function editText(
  { runtime, member }: TreeParts,
  { path, edit, reason }: TextEdit,
): Promise<void> {
  for (let tries = 1;; tries++) {
    const entry = member.entry(path);
    const text = decodeText(runtime.node.config.read(path) ?? new Uint8Array(0));
    const next = text === null ? null : edit(text);
    if (next === null) return;
    const operations: Operation[] = [
      entry === null ? { op: "create", path } : { op: "truncate", path, size: 0 },
      { op: "write", path, offset: 0, data: encodeText(next) },
    ];
    const expect = [{ path, version: entry?.version ?? 0 }];
    const outcome = await member.change({ expect, operations, author: "root", reason });
    if (outcome.ok) return;
    const { code, why } = outcome.problem;
    if (code !== "config.version-mismatch" || tries >= TRIES_MAX) throw new ProblemError(code, why);
  }
}
