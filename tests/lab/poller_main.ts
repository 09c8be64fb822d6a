/**
 * `poller_main.ts URL`: a client that asks a server ten times a second, whatever becomes of the call
 * before, and prints a line of JSON for each answer: {@link Poll}.
 *
 * @module
 */

/** One call. Milliseconds since 1970. */
export interface Poll {
  /** When it was asked. */
  readonly asked: number;
  readonly answered: number;
  /** What was answered; null for nothing in time. */
  readonly text: string | null;
}

const EVERY_MS = 100;
const PATIENCE_MS = 1000;

if (import.meta.main) {
  const [url = ""] = Deno.args;
  setInterval(async () => {
    const asked = Date.now();
    const text = await ask(url);
    console.log(JSON.stringify({ asked, answered: Date.now(), text } satisfies Poll));
  }, EVERY_MS);
}

async function ask(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return await response.text();
  } catch {
    return null;
  }
}
