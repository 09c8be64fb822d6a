/**
 * What daemon and keeper say to each other over the node's Unix socket: lines of words. The daemon
 * asks `TAG VERB ARGUMENT…`, the keeper answers `TAG ok WORD…` or `TAG no WHY…`, in any order.
 *
 * | verb | arguments |
 * |---|---|
 * | `hello` | protocol number; answered by the keeper's pid, start time, and `told` or `fresh` |
 * | `guard` | until, sent at: milliseconds of CLOCK_BOOTTIME |
 * | `kill-all` | none; answered when nothing is left |
 * | `add` | resource: it is about to be started |
 * | `main` | resource, pid, start time: it was started |
 * | `made` | resource: what it holds besides processes was made |
 * | `gone` | resource: it was stopped, or was not started after all |
 * | `arm` | timeout in ms, sent at, pid and start time of the daemon |
 * | `pet` | sent at |
 * | `disarm` | none |
 *
 * @module
 */
import { isResourceId, type ResourceId } from "../../base/id.ts";
import { type Instant, instant, type Millis } from "../../base/time.ts";
import type { ProcessName } from "./proc.ts";

/** A keeper outlives its daemon, so an upgraded daemon may meet an older keeper. */
export const KEEPER_PROTOCOL = 2;
/** Longest line of either side. */
export const KEEPER_LINE_MAX = 512;

/** The argument that makes the program a keeper; the run directory follows. */
export const KEEPER_ARGUMENT = "keeper";

/** A line of the daemon, understood. */
export type KeeperAsk =
  | { readonly verb: "hello"; readonly protocol: number }
  | { readonly verb: "guard"; readonly until: Instant; readonly sentAt: Instant }
  | { readonly verb: "kill-all" | "disarm" }
  | { readonly verb: "add" | "made" | "gone"; readonly id: ResourceId }
  | { readonly verb: "main"; readonly id: ResourceId; readonly main: ProcessName }
  | {
    readonly verb: "arm";
    readonly timeoutMs: Millis;
    readonly sentAt: Instant;
    readonly daemon: ProcessName;
  }
  | { readonly verb: "pet"; readonly sentAt: Instant };

/** Prints an ask, without tag and line end. */
export function printAsk(ask: KeeperAsk): string {
  switch (ask.verb) {
    case "hello":
      return `hello ${ask.protocol}`;
    case "guard":
      return `guard ${ask.until} ${ask.sentAt}`;
    case "add":
    case "made":
    case "gone":
      return `${ask.verb} ${ask.id}`;
    case "main":
      return `main ${ask.id} ${ask.main.pid} ${ask.main.start}`;
    case "arm":
      return `arm ${ask.timeoutMs} ${ask.sentAt} ${ask.daemon.pid} ${ask.daemon.start}`;
    case "pet":
      return `pet ${ask.sentAt}`;
    default:
      return ask.verb;
  }
}

/** Reads a line of the daemon; null where it is none. */
export function parseAsk(line: string): { readonly tag: number; readonly ask: KeeperAsk } | null {
  const [tag, verb, ...words] = line.split(" ");
  const number = whole(tag);
  const ask = number === null ? null : parseWords(verb ?? "", words);
  return number === null || ask === null ? null : { tag: number, ask };
}

function parseWords(verb: string, words: readonly string[]): KeeperAsk | null {
  const [first = "", second, third, fourth, fifth] = words;
  if (fifth !== undefined) return null;
  switch (verb) {
    case "hello": {
      const protocol = whole(first);
      return protocol === null ? null : { verb, protocol };
    }
    case "guard": {
      const [until, sentAt] = [time(first), time(second)];
      return until === null || sentAt === null ? null : { verb, until, sentAt };
    }
    case "kill-all":
    case "disarm":
      return { verb };
    case "add":
    case "made":
    case "gone":
      return isResourceId(first) ? { verb, id: first } : null;
    case "main": {
      const main = nameOf(second, third);
      return isResourceId(first) && main !== null ? { verb, id: first, main } : null;
    }
    case "arm": {
      const [timeoutMs, sentAt, daemon] = [whole(first), time(second), nameOf(third, fourth)];
      const wrong = timeoutMs === null || sentAt === null || daemon === null;
      return wrong ? null : { verb, timeoutMs, sentAt, daemon };
    }
    case "pet": {
      const sentAt = time(first);
      return sentAt === null ? null : { verb, sentAt };
    }
    default:
      return null;
  }
}

/** Cuts a stream of bytes into lines; a line that is too long ends the conversation. */
export class LineReader {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** The lines that are whole now; null where one is too long. */
  push(bytes: Uint8Array): string[] | null {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    const long = [this.#rest, ...lines].some((line) => line.length > KEEPER_LINE_MAX);
    return long ? null : lines;
  }
}

function whole(word: string | undefined): number | null {
  return word !== undefined && /^\d{1,15}$/.test(word) ? Number(word) : null;
}

/**
 * An instant may be infinite: `Infinity` is never, `-Infinity` is long ago. A fraction is printed with
 * as many digits as the number needs, 17 at most of those that count.
 */
function time(word: string | undefined): Instant | null {
  const fine = word !== undefined && /^-?(?:Infinity|\d{1,15}(?:\.\d{1,20})?)$/.test(word);
  return fine ? instant(Number(word)) : null;
}

function nameOf(pid: string | undefined, start: string | undefined): ProcessName | null {
  const [a, b] = [whole(pid), whole(start)];
  return a === null || b === null || a < 2 ? null : { pid: a, start: b };
}
