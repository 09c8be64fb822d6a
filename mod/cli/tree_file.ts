/** One text file of the tree, changed on the version that was read. @module */
import { decodeText, encodeText } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import type { Cli } from "./cli.ts";
import { configAddress } from "./client.ts";
import { existingVersion, isProblem } from "./config_change.ts";

/** Tries while others change the same file. */
const TRIES_MAX = 8;

/** A file's text, and its version (0: it is not there). Throws where it is no text. */
export async function readTreeFile(
  cli: Cli,
  path: string,
): Promise<{ readonly text: string; readonly version: number }> {
  try {
    const { headers, bytes } = await cli.client.send("GET", `${configAddress(path)}?read=quorum`);
    const text = decodeText(bytes);
    if (text === null) throw new ProblemError("config.bad-path", `"${path}" is not UTF-8`);
    return { text, version: Number(headers.get("ETag")?.replaceAll('"', "") ?? 0) };
  } catch (error) {
    if (isProblem(error, "config.not-found")) return { text: "", version: 0 };
    throw error;
  }
}

/** Changes a file by a function of its text; that returns null where nothing is to be changed. */
export async function editTreeFile(
  cli: Cli,
  path: string,
  edit: (text: string) => string | null,
  reason: string,
): Promise<boolean> {
  for (let tries = 1;; tries++) {
    const { text, version } = await readTreeFile(cli, path);
    const next = edit(text);
    if (next === null) return false;
    try {
      await writeTreeFile(cli, path, { bytes: encodeText(next), version, reason });
      return true;
    } catch (error) {
      if (!isProblem(error, "config.version-mismatch") || tries >= TRIES_MAX) throw error;
    }
  }
}

/** Makes the folders above a path that are not there. */
export async function makeFoldersAbove(cli: Cli, path: string): Promise<void> {
  const names = path.split("/").slice(0, -1);
  for (const at of names.keys()) {
    const folder = names.slice(0, at + 1).join("/");
    if (await existingVersion(cli, folder, "quorum") > 0) continue;
    try {
      await cli.client.send("PUT", `${configAddress(folder)}?type=directory`, {
        headers: { "If-None-Match": "*" },
        limitMs: cli.waitMs,
      });
    } catch (error) {
      // Somebody else made it meanwhile: the file's own writing tells whether it serves.
      if (!isProblem(error, "config.version-mismatch")) throw error;
    }
  }
}

/** Writes a file that has this version (0: that is not there). */
export async function writeTreeFile(
  cli: Cli,
  path: string,
  what: { readonly bytes: Uint8Array; readonly version: number; readonly reason: string },
): Promise<void> {
  const condition = what.version === 0
    ? { "If-None-Match": "*" }
    : { "If-Match": `"${what.version}"` };
  await cli.client.send("PUT", configAddress(path), {
    body: what.bytes,
    headers: { ...condition, "Pentad-Reason": what.reason },
    limitMs: cli.waitMs,
  });
}
