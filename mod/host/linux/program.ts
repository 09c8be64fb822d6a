/** A program of this host that is run for what it prints. @module */

/** Bounds of a run. */
export interface RunBounds {
  readonly limitMs: number;
  /** What it prints beyond is dropped. */
  readonly bytesMax: number;
}

/**
 * What a program printed, errors behind the rest. Throws where this host has none of that name, or it
 * takes too long; how it ended is part of the text.
 */
export async function runBounded(
  [program = "", ...args]: readonly string[],
  { limitMs, bytesMax }: RunBounds,
): Promise<string> {
  const signal = AbortSignal.timeout(limitMs);
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const [out, err, { code }] = await Promise.all([
    textOf(child.stdout, bytesMax),
    textOf(child.stderr, bytesMax),
    child.status,
  ]);
  if (signal.aborted) throw new Error(`"${program}" took more than ${limitMs / 1000} s`);
  return `${out}${err}${code === 0 ? "" : `\n"${program}" ended with ${code}\n`}`;
}

/** Reads to the end, so that the program can end; keeps the beginning. */
async function textOf(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes <= bytesMax) text += decoder.decode(chunk, { stream: true });
  }
  return bytes > bytesMax ? `${text}\n(${bytes} bytes in all)\n` : text;
}
