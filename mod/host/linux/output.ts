/** What resources and their agents printed on this host. @module */
import type { ResourceId } from "../../base/id.ts";
import { runPaths } from "./run_directory.ts";

/** Of each file that is shown. */
const SHOWN_BYTES = 8 * 1024;

/** The end of a resource's log, and of what its start goes on printing; empty where there is none. */
export async function readOutput(runDirectory: string, id: ResourceId): Promise<string> {
  const { logs } = runPaths(runDirectory);
  const parts: string[] = [];
  for (const name of [`${id}.log`, `${id}.start`]) {
    const text = await readTail(`${logs}/${name}`);
    // What a start printed before its end is in the log already.
    if (text !== "" && !parts.join("").endsWith(text)) parts.push(text);
  }
  return parts.join("");
}

async function readTail(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    await file.seek(Math.max(0, size - SHOWN_BYTES), Deno.SeekMode.Start);
    const bytes = new Uint8Array(SHOWN_BYTES);
    const length = await file.read(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    return "";
  }
}
