/**
 * A run directory that was lost while the host went on (somebody removed it, or its file system was
 * unmounted) takes the token along by which this node's processes are known. They run on, and a daemon
 * that begins anew would not see them: it would start all of it a second time. So the token is noted in
 * the state directory too, and what bears one that is no longer in force is ended first.
 *
 * @module
 */
import { ProblemError } from "../../base/problem.ts";
import { stateFailureCode } from "../database_failure.ts";
import { bytesDurable } from "./durable_file.ts";
import { smallText } from "./files.ts";
import { kernelBoot, readAllStats, readEnvironment, valueOf } from "./proc.ts";
import {
  describeLeft,
  KILL_LIMIT_MS,
  NODE_VARIABLE,
  pause,
  ProcessHunt,
  signal,
  VARIABLE_OF,
} from "./process_hunt.ts";
import { SIGKILL } from "../ffi/pidfd.ts";
import type { GroupKind } from "./cgroup.ts";
import { dropDamagedToken, nodeToken } from "./run_directory.ts";

const NOTE = "run-token";
const LOOK_MS = 10;

/** Ends what runs by another token than that of `run`. Throws where something does not end. */
export async function endFormerLife(run: string, state: string): Promise<void> {
  const path = `${state}/${NOTE}`;
  const token = tokenOf(run);
  const boot = kernelBoot();
  const [formerBoot, former] = noted(path);
  if (formerBoot === boot && former === token) return;
  // A host that began anew runs nothing that it ran before.
  if (formerBoot === boot && former !== undefined) await end(former);
  try {
    bytesDurable(path, new TextEncoder().encode(`${boot} ${token}\n`));
  } catch (error) {
    throw unusable(path, error);
  }
}

/** The token of a run directory; what is damaged there is as good as lost, and so are those by it. */
function tokenOf(run: string): string {
  try {
    dropDamagedToken(run);
    return nodeToken(run);
  } catch (error) {
    throw unusable(run, error);
  }
}

function unusable(path: string, cause: unknown): ProblemError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ProblemError(stateFailureCode(why), `"${path}": ${why}`, { cause });
}

/** Boot and token; empty where there is no note, or none that can be read. */
function noted(path: string): readonly string[] {
  try {
    const words = smallText(path).trim().split(" ");
    return words.length === 2 && /^[0-9a-f]{32}$/.test(words[1] ?? "") ? words : [];
  } catch {
    return [];
  }
}

async function end(token: string): Promise<void> {
  // The keeper first: it would go on by what it was told, whoever keeps this node by now.
  for (const limit = performance.now() + KILL_LIMIT_MS;; await pause(LOOK_MS)) {
    const left = readAllStats().filter(({ pid }) =>
      pid !== Deno.pid && valueOf(readEnvironment(pid), `${NODE_VARIABLE}=`) === token
    );
    if (left.length === 0) break;
    if (performance.now() > limit) throw stuck(describeLeft(left));
    for (const each of left) signal(each, SIGKILL);
  }
  for (const kind of Object.keys(VARIABLE_OF) as GroupKind[]) {
    // deno-lint-ignore no-await-in-loop -- one after the other, each to its end
    const left = await new ProcessHunt(kind, token).killAll({}, KILL_LIMIT_MS);
    if (left.length > 0) throw stuck(describeLeft(left));
  }
}

function stuck(why: string): ProblemError {
  return new ProblemError("node.already-running", `of its former life, ${why}`);
}
