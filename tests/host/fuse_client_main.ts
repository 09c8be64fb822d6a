/**
 * Uses files as it is told by lines of JSON on its standard input, and answers each with one on its
 * standard output. A process of its own: close(2) waits for the FLUSH, and whoever serves a mount
 * cannot wait for itself.
 *
 * @module
 */
import fs from "node:fs/promises";
import { Buffer } from "node:buffer";
import { errnoName } from "../../mod/config/fuse/errno.ts";
import { TextLineStream } from "./lines.ts";

/** One call. `bytes` are in base64. */
export interface Ask {
  readonly id: number;
  readonly call: string;
  readonly path: string;
  readonly other?: string;
  readonly number?: number;
}

/** Its end: a value of the call's own, or an error's code. */
export type Told =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly code: string };

async function perform({ call, path, other = "", number = 0 }: Ask): Promise<unknown> {
  switch (call) {
    case "write":
      return await fs.writeFile(path, Buffer.from(other, "base64"));
    case "read":
      return (await fs.readFile(path)).toString("base64");
    case "list":
      return await fs.readdir(path);
    case "stat": {
      const { size, mode, mtimeMs } = await fs.lstat(path);
      return { size, mode: mode & 0o7777, mtime: mtimeMs / 1000 };
    }
    case "mkdir":
      return await fs.mkdir(path);
    case "rmdir":
      return await fs.rmdir(path);
    case "unlink":
      return await fs.unlink(path);
    case "rename":
      return await fs.rename(path, other);
    case "truncate":
      return await fs.truncate(path, number);
    case "utime":
      return await fs.utimes(path, number, number);
    case "symlink":
      return await fs.symlink(other, path);
    case "readlink":
      return await fs.readlink(path);
    default:
      throw new Error(`Unknown call "${call}"`);
  }
}

/** The runtime has no name, or another one, for some errors; their numbers it has. */
function codeOf(error: unknown): string {
  const { code, errno } = error as { code?: string; errno?: number };
  return errnoName(-(errno ?? 0)) ?? code ?? String(error);
}

async function answer(line: string): Promise<void> {
  const ask = JSON.parse(line) as Ask;
  let told: Told;
  try {
    told = { id: ask.id, value: await perform(ask) ?? null };
  } catch (error) {
    told = { id: ask.id, code: codeOf(error) };
  }
  console.log(JSON.stringify(told));
}

if (import.meta.main) {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) void answer(line);
}
