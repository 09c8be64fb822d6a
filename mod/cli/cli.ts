/** What every command of the command line works with. @module */
import { EXIT, ProblemError } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";
import type { DiskPort } from "../host/ports.ts";
import { Client, type OpenFiles, SOCKET_PATH, type Target } from "./client.ts";
import type { Io } from "./io.ts";
import { type Format, Printer } from "./print.ts";

/** What main.ts hands in. */
export interface Wiring {
  daemon(settings: Settings, acceptMachine: boolean): Promise<number>;
  diskWorker(args: readonly string[]): Promise<unknown>;
  keeper(args: readonly string[]): Promise<unknown>;
  /** Disks of this host, each in a process of its own. */
  disks(): Promise<DiskPort>;
  /** The one file that this program was started from; null where it runs from its source. */
  readonly file: string | null;
  /** Reads a dead node's files. */
  readonly offline: OpenFiles;
}

/** Options that every command has. */
export interface Globals {
  readonly socket?: string | undefined;
  readonly api?: string | undefined;
  readonly data?: string | undefined;
  readonly json?: true | undefined;
  readonly quiet?: true | undefined;
  readonly output?: Format | undefined;
  readonly wait?: number | undefined;
}

/** A change may take this long unless `--wait` says otherwise. */
const WAIT_SECONDS = 60;

/** One run: what commands work with. */
export class Cli {
  readonly io: Io;
  readonly wiring: Wiring;
  /** What the process ends with. */
  exit: number = EXIT.ok;
  #globals: Globals = {};
  #client: Client | null = null;
  #printer: Printer | null = null;

  constructor(io: Io, wiring: Wiring) {
    this.io = io;
    this.wiring = wiring;
  }

  /** The global options, once they are read. */
  set globals(globals: Globals) {
    this.#globals = globals;
  }

  get print(): Printer {
    const { json, output, quiet } = this.#globals;
    return this.#printer ??= new Printer(this.io, json ? "json" : output ?? null, quiet);
  }

  get client(): Client {
    return this.#client ??= new Client(this.#target());
  }

  /** How long a change may take. */
  get waitMs(): number {
    return (this.#globals.wait ?? WAIT_SECONDS) * 1000;
  }

  /** `--wait` was given: then what a change leads to is waited for too. */
  get waits(): boolean {
    return this.#globals.wait !== undefined;
  }

  /** The daemon's socket on this host; what works beside a daemon needs one. */
  get socket(): string {
    const target = this.#target();
    if (target.kind === "socket") return target.path;
    throw new ProblemError("cli.usage", "this works beside the daemon: without --api and --data");
  }

  /** Of whoever runs this; where nobody says, it is root. */
  get home(): string {
    return this.io.env("HOME") || "/root";
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  #target(): Target {
    const { data } = this.#globals;
    if (data !== undefined) {
      if (this.#globals.socket !== undefined || this.#globals.api !== undefined) {
        throw new ProblemError("cli.usage", "--data reads files; --socket and --api ask a daemon");
      }
      return { kind: "files", path: data, open: this.wiring.offline };
    }
    const url = this.#globals.api ?? this.io.env("PENTAD_API");
    if (url !== undefined && this.#globals.socket === undefined) {
      const token = this.io.env("PENTAD_TOKEN");
      if (token === undefined) {
        throw new ProblemError("cli.usage", "--api needs the token in PENTAD_TOKEN");
      }
      // Not quoted: it is a secret. What is no header would fail with it in the message.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        throw new ProblemError("cli.usage", "PENTAD_TOKEN is not printable ASCII without spaces");
      }
      if (!/^https?:\/\/[^/?#@\s]+\/*$/.test(url) || !URL.canParse(url)) {
        throw new ProblemError("cli.usage", `"${url}" is not http://HOST:PORT`);
      }
      return { kind: "tcp", url: url.replace(/\/+$/, ""), token };
    }
    const path = this.#globals.socket ?? this.io.env("PENTAD_SOCKET") ?? SOCKET_PATH;
    if (path === "") throw new ProblemError("cli.usage", "the socket's path is empty");
    return { kind: "socket", path };
  }
}
