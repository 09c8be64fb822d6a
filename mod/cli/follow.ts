/** Prints server-sent events until they end, or a person ends them. @module */
import { ProblemError } from "../base/problem.ts";
import type { Cli } from "./cli.ts";
import { readEvents, type SseEvent } from "./sse.ts";

/** What is read, and how it is told that it ended. */
export interface FollowOptions {
  /** Path and question of the API. */
  readonly address: string;
  /** It is to go on until a person ends it: else its end is none of a fault. */
  readonly follow: boolean;
  /** The id that the reader has already. */
  readonly last: string | null;
  readonly print: (event: SseEvent) => void;
  /** Why it ended too early, as a sentence; `last`: the newest id that came. */
  readonly why: (last: string | null) => string;
}

/** Throws `node.unreachable` where the daemon goes away, or we were too slow for it. */
export async function followEvents(cli: Cli, options: FollowOptions): Promise<void> {
  const { address, follow, print, why } = options;
  const { signal } = cli.io;
  let { last } = options;
  const ended = (cause: unknown) => new ProblemError("node.unreachable", why(last), { cause });
  try {
    for await (const event of readEvents(await cli.client.stream(address, signal))) {
      last = event.id ?? last;
      print(event);
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof ProblemError ? error : ended(error);
  }
  if (follow && !signal.aborted) throw ended(null);
}
