/**
 * A client that asks a server in the lab ten times a second, and what can be said afterwards of who
 * answered, and of who served.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Lab } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/shell.ts";
import type { Poll } from "./poller_main.ts";

const PROGRAM = new URL("./poller_main.ts", import.meta.url).pathname;
/** Whoever has to start the server, or to find the way to it, has so long. */
const ANSWER_SECONDS = 60;
/** Longer than any call in time, and its turn. */
const GAP_MS = 500;

/** The client, on this machine's own place in the lab's network. Always end it. */
export class Polling {
  readonly polls: Poll[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read(child.stdout);
  }

  static start(lab: Lab, url: string): Polling {
    const [program = "", ...args] = [
      ...lab.network.prefix,
      ...[Deno.execPath(), "run", "-A", "--no-check", PROGRAM, url],
    ];
    return new Polling(
      new Deno.Command(program, { args, stdin: "null", stdout: "piped" }).spawn(),
    );
  }

  /** Waits for an answer to what is asked from now on. */
  async answered(): Promise<void> {
    const from = Date.now();
    await until("the server answers", ANSWER_SECONDS, () => {
      return this.polls.some(({ asked, text }) => asked > from && text !== null);
    });
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.polls.push(...lines.map((line) => JSON.parse(line) as Poll));
    }
  }
}

/** Each move and each other silence that a client saw, as a line for people. */
export function downtimes(polls: readonly Poll[]): readonly string[] {
  const answers = polls.filter(({ text }) => text !== null)
    .sort((a, b) => a.answered - b.answered);
  const lines: string[] = [];
  for (const [at, now] of answers.entries()) {
    const last = answers[at - 1];
    if (last === undefined) continue;
    const ms = now.answered - last.answered;
    const [from = "", to = ""] = [last, now].map(({ text }) => text?.split(" ")[0]);
    const ways = from === to ? `${from}, where it stayed` : `${from} to ${to}`;
    if (last.text !== now.text || ms > GAP_MS) lines.push(`${ways}: no answer for ${ms} ms`);
  }
  return lines;
}

/** Throws where two servers lived at once, by what they said of themselves. */
export function assertServedOnce(lab: Lab): void {
  const lives = new Map<string, { first: number; last: number }>();
  for (const line of Deno.readTextFileSync(`${lab.share}/serves`).trim().split("\n")) {
    const [seconds = "", ...who] = line.split(" ");
    const at = Number(seconds);
    const life = lives.get(who.join(" ")) ?? { first: at, last: at };
    lives.set(who.join(" "), { first: Math.min(life.first, at), last: Math.max(life.last, at) });
  }
  const order = [...lives].sort(([, a], [, b]) => a.first - b.first);
  for (const [at, [who, { first }]] of order.entries()) {
    const before = order[at - 1];
    if (before === undefined) continue;
    assert.ok(before[1].last < first, `${who} began before ${before[0]} ended`);
  }
  assert.ok(order.length > 1, "It moved");
  console.log(`${order.length} lives of the server, one after the other`);
}
