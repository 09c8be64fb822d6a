/**
 * The newest result of each test of each disk, in the state directory: a small file for each, which
 * is replaced whole. Two programs write there (the daemon, and `pentad storage check` beside it), and
 * neither reads before it writes. A file that cannot be understood is told, and no more than that.
 *
 * @module
 */
import { boundedTest, type KeptTest, keptTest } from "../../base/disk_test.ts";
import { decodeText, encodeText, toHex } from "../../base/bytes.ts";
import { sha256 } from "../../base/seal.ts";

/** The folder within the state directory. */
export const TESTS_FOLDER = "disk-tests";
/** Files that are kept; of more the oldest go. */
export const TESTS_MAX = 64;
/** Names looked at: whoever may write there may write more of them. */
const NAMES_MAX = 4096;
/** Longest file. A bounded result is shorter. */
const BYTES_MAX = 256 * 1024;
const NAME = /^(daily|check)-[0-9a-f]{32}\.json$/;

/** What is kept, and what could not be read. */
export interface KeptTests {
  readonly tests: readonly KeptTest[];
  /** Files that are there and hold no result, each with why. */
  readonly faults: readonly string[];
}

/** Keeps a result in the place of the last one of that test and disk: durable when it resolves. */
export async function keepDiskTest(state: string, test: KeptTest): Promise<void> {
  // Without a state directory nobody would look there again.
  await Deno.stat(state);
  const folder = `${state}/${TESTS_FOLDER}`;
  await Deno.mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  const kept = boundedTest(test);
  const name = `${kept.by}-${toHex(sha256(encodeText(kept.disk))).slice(0, 32)}.json`;
  await replace(`${folder}/${name}`, encodeText(`${JSON.stringify(kept)}\n`));
  await prune(folder);
}

/** Everything that is kept, the newest first. */
export async function keptDiskTests(state: string): Promise<KeptTests> {
  const folder = `${state}/${TESTS_FOLDER}`;
  const tests: KeptTest[] = [];
  const faults: string[] = [];
  for (const name of (await namesIn(folder)).slice(0, TESTS_MAX)) {
    // One by one: they are small, and few.
    const read = await readOne(`${folder}/${name}`);
    if (typeof read === "string") faults.push(`"${folder}/${name}" ${read}`);
    else tests.push(read);
  }
  return { tests: tests.sort((a, b) => b.at - a.at), faults };
}

/** On threads of the runtime: an fsync must not stall a beat. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  try {
    const file = await Deno.open(temporary, { createNew: true, write: true, mode: 0o600 });
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  const folder = await Deno.open(path.slice(0, path.lastIndexOf("/")), { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/** Disks come and go, and a crash leaves half a file; neither may fill the folder. */
async function prune(folder: string): Promise<void> {
  const files: { readonly name: string; readonly at: number }[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || files.length >= NAMES_MAX) continue;
    const { mtime } = await Deno.stat(`${folder}/${name}`).catch(() => ({ mtime: null }));
    files.push({ name, at: mtime?.getTime() ?? 0 });
  }
  const old = files.filter(({ name }) => NAME.test(name)).sort((a, b) => b.at - a.at)
    .slice(TESTS_MAX);
  // Half a file of long ago: whoever writes one now is done within moments.
  const stale = files.filter(({ name, at }) => /\.new$/.test(name) && at < Date.now() - HALF_MS);
  for (const { name } of [...old, ...stale]) {
    await Deno.remove(`${folder}/${name}`).catch(() => {});
  }
}

/** A file that was not renamed after so long never will be. */
const HALF_MS = 60 * 60 * 1000;

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && NAME.test(name)) names.push(name);
      if (names.length >= NAMES_MAX) break;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

async function readOne(path: string): Promise<KeptTest | string> {
  const buffer = new Uint8Array(BYTES_MAX + 1);
  let length = 0;
  try {
    using file = await Deno.open(path);
    for (let count: number | null = 0; count !== null && length < buffer.length;) {
      length += count;
      count = await file.read(buffer.subarray(length));
    }
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (length > BYTES_MAX) return `is longer than ${BYTES_MAX} bytes`;
  const text = decodeText(buffer.subarray(0, length));
  if (text === null) return "is not text";
  try {
    return keptTest(JSON.parse(text)) ?? "holds no result of a test";
  } catch {
    return "is not JSON";
  }
}
