/** Changes of the tree by the command line: always on a version, never twice. @module */
import { toHex } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import type { Cli } from "./cli.ts";
import { configAddress } from "./client.ts";
import { reason as checkReason } from "./options.ts";

/** Tries where the user named no version and another client was faster. */
const TRIES_MAX = 3;

/** What to change. */
export interface PathChange {
  readonly method: "PUT" | "DELETE";
  readonly query?: string;
  readonly body?: Uint8Array;
  /** The version it must have; 0: it must not exist. Absent: whatever it has now. */
  readonly expect: number | undefined;
  readonly reason: string | undefined;
  /** The request id of a first try. */
  readonly request: string | undefined;
}

/** The version of a path; 0 where there is none. */
export async function existingVersion(
  cli: Cli,
  path: string,
  read: "local" | "quorum",
): Promise<number> {
  try {
    const { headers } = await cli.client.send("HEAD", `${configAddress(path)}?read=${read}`);
    return Number(headers.get("ETag")?.replaceAll('"', "") ?? 0);
  } catch (error) {
    if (isProblem(error, "config.not-found")) return 0;
    throw error;
  }
}

/** Changes a path, and says what was done. */
export async function changePath(cli: Cli, path: string, change: PathChange): Promise<void> {
  for (let tries = 1;; tries++) {
    const expect = change.expect ??
      await existingVersion(cli, path, tries === 1 ? "local" : "quorum");
    try {
      return await attempt(cli, path, { ...change, expect });
    } catch (error) {
      const again = isProblem(error, "config.version-mismatch") &&
        change.expect === undefined && change.request === undefined && tries < TRIES_MAX;
      if (!again) throw error;
    }
  }
}

async function attempt(
  cli: Cli,
  path: string,
  change: PathChange & { readonly expect: number },
): Promise<void> {
  const { method, query = "", body, expect, reason } = change;
  const request = change.request ?? toHex(crypto.getRandomValues(new Uint8Array(8)));
  if (reason !== undefined) checkReason(reason);
  const headers: Record<string, string> = {
    "Idempotency-Key": request,
    ...conditionFor(method, expect),
    ...(reason === undefined ? {} : { "Pentad-Reason": reason }),
  };
  try {
    const answer = await cli.client.change<{ txn_id: string; version: number }>(
      method,
      `${configAddress(path)}${query}`,
      { ...(body === undefined ? {} : { body }), headers, limitMs: cli.waitMs },
    );
    if (cli.print.format === "json") return cli.print.json(answer);
    cli.print.note(`committed txn_id=${answer.txn_id}, version ${answer.version}`);
  } catch (error) {
    // In each of these the change may be done.
    const open = ["config.unknown-outcome", "node.timeout", "node.unreachable"] as const;
    if (open.some((code) => isProblem(error, code))) {
      cli.io.err(`the request's id is ${request}: repeat with --request ${request}\n`);
    }
    throw error;
  }
}

function conditionFor(method: "PUT" | "DELETE", expect: number): Record<string, string> {
  if (expect > 0) return { "If-Match": `"${expect}"` };
  // The repetition of a removal finds nothing any more; the log knows what the first try did.
  return method === "DELETE" ? { "If-Match": "*" } : { "If-None-Match": "*" };
}

/** Is it that refusal? */
export function isProblem(error: unknown, code: string): boolean {
  return error instanceof ProblemError && error.problem.code === code;
}
