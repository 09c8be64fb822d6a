/** What a command touches of the terminal; tests hand in their own. @module */

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
  stdin(): Promise<Uint8Array>;
  readFile(path: string): Promise<Uint8Array>;
  /** Ends what follows (`-f`, `-w`). */
  readonly signal: AbortSignal;
}

const COLUMNS_DEFAULT = 100;

/** The real terminal. */
export function realIo(): Io {
  const encoder = new TextEncoder();
  return {
    out: (data) => writeAll(Deno.stdout, typeof data === "string" ? encoder.encode(data) : data),
    err: (text) => writeAll(Deno.stderr, encoder.encode(text)),
    terminal: Deno.stdout.isTerminal(),
    inputTerminal: Deno.stdin.isTerminal(),
    columns: columns(),
    env: (name) => Deno.env.get(name),
    async stdin() {
      return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
    },
    readFile: (path) => Deno.readFile(path),
    signal: new AbortController().signal,
  };
}

function writeAll(to: { writeSync(data: Uint8Array): number }, data: Uint8Array): void {
  try {
    for (let at = 0; at < data.length;) at += to.writeSync(data.subarray(at));
  } catch (error) {
    // `pentad events | head` closes our output: there is nobody left to tell.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return COLUMNS_DEFAULT;
  }
}
