/** Programs that the lab runs on this machine. @module */

/** How a program ended. */
export interface Ran {
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end. */
export async function ran(command: readonly string[]): Promise<Ran> {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Runs a program that must succeed; its standard output. */
export async function must(...command: readonly string[]): Promise<string> {
  const { code, out, err } = await ran(command);
  if (code === 0) return out;
  throw new Error(`${command.join(" ")}: exit ${code}: ${err}${out}`);
}

/** Looks every so often until `done` says so; throws after `seconds`. */
export async function until(
  what: string,
  seconds: number,
  done: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    if (await done()) return;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}
