/**
 * The daemon's side of the keeper (keeper_main.ts): finds the living one or starts a new one, tells
 * it everything again whenever the connection is new, and notices when it is lost.
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import { SIGKILL } from "../ffi/pidfd.ts";
import { smallText } from "./files.ts";
import { KEEPER_ARGUMENT, KEEPER_PROTOCOL, type KeeperAsk, LineReader } from "./keeper_wire.ts";
import { printAsk } from "./keeper_wire.ts";
import type { ProcessName } from "./proc.ts";
import { NODE_VARIABLE, pause, signal } from "./process_hunt.ts";
import { nodeToken, runPaths } from "./run_directory.ts";

/** How long one answer may take, but for `kill-all`. */
const ANSWER_MS: Millis = 3000;
/** Unanswered lines after which the keeper counts as hung; it is then killed and replaced. */
const UNANSWERED_MAX = 64;
/** Attempts to reach or start a keeper before the askers are told that there is none. */
const ATTEMPTS_MAX = 20;
const RETRY_MS: Millis = 50;
/** Between two rounds of attempts. */
const ROUND_MS: Millis = 1000;

/** What a keeper's client is made with. */
export interface KeeperOptions {
  /** How to start this very program: `[deno, "run", flags…, "main.ts"]`, or `[executable]`. */
  readonly selfCommand: readonly string[];
  /** The node's run directory; it is made if missing. */
  readonly runDirectory: string;
}

/** How an ask ended: the words of the answer, or why there is none. */
type Answer = { readonly ok: string } | { readonly no: string };

/** The daemon's end. See the module's note. */
export class Keeper {
  readonly runDirectory: string;
  /** By which this node's processes are known. */
  readonly token: string;
  readonly #command: readonly string[];
  readonly #replays: (() => readonly KeeperAsk[])[] = [];
  readonly #losses: ((why: string) => void)[] = [];
  #connecting: Promise<void> | null = null;
  #link: Link | null = null;
  #process: (ProcessName & { readonly fresh: boolean }) | null = null;
  #closed = false;

  constructor({ selfCommand, runDirectory }: KeeperOptions) {
    this.#command = selfCommand;
    this.runDirectory = runDirectory;
    this.token = nodeToken(runDirectory);
  }

  /** The living keeper; null while there is none. */
  get process(): ProcessName | null {
    return this.#process;
  }

  /** Each new connection begins with what `replay` returns. */
  onConnect(replay: () => readonly KeeperAsk[]): void {
    this.#replays.push(replay);
  }

  /** Called when the keeper is lost; a new one is started at once. */
  onLost(listener: (why: string) => void): void {
    this.#losses.push(listener);
  }

  /**
   * Resolves when a keeper is connected or cannot be had. True where it was told no guard before:
   * nobody has kept what runs here.
   */
  async connect(): Promise<{ readonly fresh: boolean } | null> {
    if (this.#link === null && !this.#closed) {
      this.#connecting ??= this.#connect().finally(() => this.#connecting = null);
      await this.#connecting;
    }
    return this.#process;
  }

  /** Asks; resolves with null for `ok`, or with why not. */
  async ask(ask: KeeperAsk, limitMs: Millis = ANSWER_MS): Promise<string | null> {
    await this.connect();
    if (this.#link === null) return "the keeper cannot be reached";
    const answer = await this.#link.ask(ask, limitMs);
    return "ok" in answer ? null : answer.no;
  }

  /** Says something that a replay would say again: nothing is lost where nobody listens now. */
  tell(ask: KeeperAsk): void {
    this.#link?.ask(ask, ANSWER_MS);
  }

  /** Hangs up. The keeper stays as long as there is something to keep. */
  close(): void {
    this.#closed = true;
    this.#link?.close();
    this.#link = null;
  }

  async #connect(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX && !this.#closed; attempt++) {
      const connection = await this.#dial();
      if (connection !== null && await this.#greet(connection)) return;
      if (connection === null && await this.#spawn()) continue;
      await pause(RETRY_MS);
    }
  }

  async #dial(): Promise<Deno.UnixConn | null> {
    try {
      const path = runPaths(this.runDirectory).keeperSocket;
      return await Deno.connect({ transport: "unix", path });
    } catch {
      return null;
    }
  }

  async #greet(connection: Deno.UnixConn): Promise<boolean> {
    const link = new Link(connection, (why) => this.#lost(link, why));
    const answer = await link.ask({ verb: "hello", protocol: KEEPER_PROTOCOL }, ANSWER_MS);
    const words = "ok" in answer ? /^(\d+) (\d+) (told|fresh)$/.exec(answer.ok) : null;
    if (words === null || this.#closed) {
      link.close();
      // One that does not even greet hangs: it would keep nothing.
      if ("no" in answer && answer.no === HUNG) this.#killHung();
      return false;
    }
    this.#process = {
      pid: Number(words[1]),
      start: Number(words[2]),
      fresh: words[3] === "fresh",
    };
    this.#link = link;
    for (const replay of this.#replays) for (const ask of replay()) this.tell(ask);
    return true;
  }

  /** Starts a keeper and waits until it listens; false where it ended instead. */
  async #spawn(): Promise<boolean> {
    const [program = Deno.execPath(), ...prefix] = this.#command;
    try {
      // Where the directory was lost, a keeper would draw another token, and find nothing of ours.
      if (nodeToken(this.runDirectory, this.token) !== this.token) return false;
      const child = new Deno.Command(program, {
        args: [...prefix, KEEPER_ARGUMENT, this.runDirectory],
        env: { [NODE_VARIABLE]: this.token },
        cwd: "/",
        stdin: "null",
        stdout: "piped",
        stderr: "null",
        detached: true,
      }).spawn();
      child.unref();
      child.status.catch(() => {});
      const reader = child.stdout.getReader();
      const { done } = await reader.read();
      reader.cancel().catch(() => {});
      return !done;
    } catch {
      return false;
    }
  }

  #lost(link: Link, why: string): void {
    if (this.#link !== link) return;
    this.#link = null;
    if (why === HUNG) this.#killHung();
    this.#process = null;
    if (this.#closed) return;
    for (const listener of this.#losses) listener(why);
    this.#regain();
  }

  async #regain(): Promise<void> {
    while (!this.#closed && await this.connect() === null) await pause(ROUND_MS);
  }

  #killHung(): void {
    const written = this.#process ?? readName(runPaths(this.runDirectory).keeperPid);
    if (written !== null) signal(written, SIGKILL);
  }
}

const HUNG = "the keeper does not answer";

/** One connection: lines out in order, answers by tag. */
class Link {
  readonly #connection: Deno.UnixConn;
  readonly #onEnd: (why: string) => void;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  readonly #encoder = new TextEncoder();
  #writing: Promise<void> = Promise.resolve();
  #tag = 0;
  #ended = false;

  constructor(connection: Deno.UnixConn, onEnd: (why: string) => void) {
    this.#connection = connection;
    this.#onEnd = onEnd;
    this.#listen();
  }

  ask(ask: KeeperAsk, limitMs: Millis): Promise<Answer> {
    if (this.#ended) return Promise.resolve({ no: "the keeper is lost" });
    if (this.#pending.size >= UNANSWERED_MAX) {
      this.#end(HUNG);
      return Promise.resolve({ no: HUNG });
    }
    const tag = ++this.#tag;
    const line = this.#encoder.encode(`${tag} ${printAsk(ask)}\n`);
    this.#writing = this.#writing.then(() => this.#write(line)).catch(() => this.#end("it ended"));
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ no: HUNG }), limitMs);
      this.#pending.set(tag, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  close(): void {
    this.#end("closed");
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  async #listen(): Promise<void> {
    const reader = new LineReader();
    const chunk = new Uint8Array(4096);
    try {
      for (;;) {
        const length = await this.#connection.read(chunk);
        const lines = length === null ? null : reader.push(chunk.subarray(0, length));
        if (lines === null) break;
        for (const line of lines) this.#answer(line);
      }
    } catch {
      // A broken connection is an ended keeper.
    }
    this.#end("the keeper has ended");
  }

  #answer(line: string): void {
    const words = /^(\d{1,15}) (ok|no) ?(.*)$/.exec(line);
    if (words === null) return;
    const tag = Number(words[1]);
    const waiting = this.#pending.get(tag);
    this.#pending.delete(tag);
    waiting?.(words[2] === "ok" ? { ok: words[3] ?? "" } : { no: words[3] ?? "" });
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.close();
    for (const waiting of this.#pending.values()) waiting({ no: why });
    this.#pending.clear();
    this.#onEnd(why);
  }
}

function readName(path: string): ProcessName | null {
  try {
    const words = /^(\d{1,10}) (\d{1,15})\n$/.exec(smallText(path));
    return words === null ? null : { pid: Number(words[1]), start: Number(words[2]) };
  } catch {
    return null;
  }
}
