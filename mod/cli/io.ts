/** What a command touches of the terminal; tests hand in their own. @module */
import { concat } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";

/** Streams and surroundings of one run. */
export interface Io {
  out(data: string | Uint8Array): void;
  err(text: string): void;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  /** Standard input is a terminal: nobody pipes anything in. */
  readonly inputTerminal: boolean;
  readonly columns: number;
  env(name: string): string | undefined;
  /** All of standard input; null where it is longer than `bytesMax`. */
  stdin(bytesMax: number): Promise<Uint8Array | null>;
  /** A whole file; null where it is longer than `bytesMax`. Throws what Deno throws. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array | null>;
  /** True where users other than owner and group may read the file. */
  openToOthers(path: string): boolean;
  /** Ends what follows (`-f`, `-w`). */
  readonly signal: AbortSignal;
}

const COLUMNS_DEFAULT = 100;
const READ_BYTES = 65_536;
/** stat(2). */
const OTHERS_READ = 0o004;

/** The real terminal. */
export function realIo(): Io {
  const encoder = new TextEncoder();
  return {
    out: (data) => print(typeof data === "string" ? encoder.encode(data) : data),
    err: (text) => complain(encoder.encode(text)),
    terminal: Deno.stdout.isTerminal(),
    inputTerminal: Deno.stdin.isTerminal(),
    columns: columns(),
    env: (name) => Deno.env.get(name),
    stdin: (bytesMax) => readAtMost(Deno.stdin, bytesMax),
    async readFile(path, bytesMax) {
      using file = await Deno.open(path);
      return await readAtMost(file, bytesMax);
    },
    openToOthers: (path) => ((Deno.statSync(path).mode ?? 0) & OTHERS_READ) !== 0,
    signal: new AbortController().signal,
  };
}

/** A device or a pipe may never end: what is too long is not read to its end. */
export async function readAtMost(
  from: { read(buffer: Uint8Array): Promise<number | null> },
  bytesMax: number,
): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length <= bytesMax) {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await from.read(buffer);
    if (count === null) return concat(...parts);
    parts.push(buffer.subarray(0, count));
    length += count;
  }
  return null;
}

/** Why a file could not be opened or read, as a clause. */
export function unreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "is not there";
  if (error instanceof Deno.errors.PermissionDenied) return "may not be read by this user";
  if (error instanceof Deno.errors.IsADirectory) return "is a directory";
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

function print(data: Uint8Array): void {
  try {
    writeAll(Deno.stdout, data);
  } catch (error) {
    // `pentad events | head` closes our output: there is nobody left to tell.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    const why = error instanceof Error ? error.message : String(error);
    throw new ProblemError("cli.output", `standard output: ${why}`, { cause: error });
  }
}

/** The exit code speaks where nobody reads the complaint. */
function complain(data: Uint8Array): void {
  try {
    writeAll(Deno.stderr, data);
  } catch {
    return;
  }
}

function writeAll(to: { writeSync(data: Uint8Array): number }, data: Uint8Array): void {
  for (let at = 0; at < data.length;) at += to.writeSync(data.subarray(at));
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return COLUMNS_DEFAULT;
  }
}
