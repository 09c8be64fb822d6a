/** The command line's way to a daemon: HTTP over its Unix socket, or over TCP with a token. @module */
import { type ProblemCode, ProblemError, PROBLEMS } from "../base/problem.ts";
import { Silence } from "./silence.ts";

/** Where the daemon's socket is unless told otherwise. */
export const SOCKET_PATH = "/run/pentad/api.sock";
/**
 * What stands for the host where a socket is the way. A name would be looked up first, though nobody
 * needs it: with the network down, every command would wait for name servers.
 */
const SOCKET_ORIGIN = "http://127.0.0.1";
/** Reading asks one node only; more than this means that it hangs. */
const READ_LIMIT_MS = 10_000;

/** A quiet daemon comments every 15 s; three missed ones mean that it hangs. */
const STREAM_LIMIT_MS = 45_000;

/** How to reach a daemon. */
export type Target =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly url: string; readonly token: string }
  /** No daemon: files that answer as one would. */
  | { readonly kind: "files"; readonly path: string; readonly open: OpenFiles };

/** Opens a dead node's files; what it answers is the API. */
export type OpenFiles = (path: string) => Promise<{
  fetch(request: Request): Promise<Response>;
  close(): void;
}>;

/** What to send. */
export interface Ask {
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** For changes; reading has a limit of its own. */
  readonly limitMs?: number;
}

/** An answer of success. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** One daemon. Refusals and silence are ProblemErrors. */
export class Client {
  readonly #target: Target;
  readonly #http: Deno.HttpClient | null;
  #files: ReturnType<OpenFiles> | null = null;

  constructor(target: Target) {
    this.#target = target;
    this.#http = target.kind === "socket"
      ? Deno.createHttpClient({ proxy: { transport: "unix", path: target.path } })
      : null;
  }

  async close(): Promise<void> {
    this.#http?.close();
    // What could not be opened was told to whoever asked.
    (await this.#files?.catch(() => null))?.close();
  }

  /** One request, and its whole answer. */
  async send(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const limitMs = ask.limitMs ?? READ_LIMIT_MS;
    const signal = AbortSignal.timeout(limitMs);
    try {
      const response = await this.#fetch(method, path, { ask, signal });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { status: response.status, headers: response.headers, bytes };
      throw problemIn(response, bytes);
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      if (!signal.aborted) throw brokenOff(this.#where(), error);
      throw new ProblemError("node.timeout", `no answer in ${limitMs / 1000} s`, { cause: error });
    }
  }

  /** GET of a JSON document. The server is ours: its shapes are not checked again. */
  async get<T>(path: string, ask: Ask = {}): Promise<T> {
    return parse<T>((await this.send("GET", path, ask)).bytes);
  }

  /** A change; its answer as JSON. */
  async change<T>(method: string, path: string, ask: Ask): Promise<T> {
    return parse<T>((await this.send(method, path, ask)).bytes);
  }

  /**
   * An answer that goes on: its bytes as they come, until `signal` aborts. A daemon that hangs is not
   * quiet but silent: it leaves out its comments, and the stream fails after `limitMs`.
   */
  async stream(
    path: string,
    signal: AbortSignal,
    limitMs = STREAM_LIMIT_MS,
  ): Promise<ReadableStream<Uint8Array>> {
    const silence = new Silence(limitMs);
    const either = AbortSignal.any([signal, silence.signal]);
    try {
      const response = await this.#fetch("GET", path, { ask: {}, signal: either });
      if (!response.ok) throw problemIn(response, new Uint8Array(await response.arrayBuffer()));
      return (response.body ?? new ReadableStream()).pipeThrough(silence.watch());
    } catch (error) {
      silence.end();
      if (silence.signal.aborted) throw silence.signal.reason;
      throw error;
    }
  }

  async #fetch(
    method: string,
    path: string,
    { ask, signal }: { ask: Ask; signal: AbortSignal },
  ): Promise<Response> {
    const headers = new Headers(ask.headers);
    const { json, body } = ask;
    if (json !== undefined) headers.set("Content-Type", "application/json");
    const base = this.#target.kind === "tcp" ? this.#target.url : SOCKET_ORIGIN;
    if (this.#target.kind === "tcp") headers.set("Authorization", `Bearer ${this.#target.token}`);
    const content = json !== undefined ? JSON.stringify(json) : body && new Uint8Array(body);
    const init = { method, headers, signal, ...(content === undefined ? {} : { body: content }) };
    if (this.#target.kind === "files") {
      this.#files ??= this.#target.open(this.#target.path);
      return await (await this.#files).fetch(new Request(`${base}${path}`, init));
    }
    try {
      return await fetch(`${base}${path}`, {
        ...init,
        ...(this.#http === null ? {} : { client: this.#http }),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw unreachable(this.#where(), error);
    }
  }

  #where(): string {
    return this.#target.kind === "tcp" ? `"${this.#target.url}"` : `"${this.#target.path}"`;
  }
}

/** A path of the tree as an address; each name is escaped. */
export function configAddress(path: string): string {
  const names = path.replace(/^\/+/, "").split("/");
  for (const name of names) {
    // An address with these would be shortened on its way, and mean something else.
    if (name === "." || name === "..") {
      throw new ProblemError("config.bad-path", `"${name}" is not a name`);
    }
  }
  const below = names.map(encodeURIComponent).join("/");
  return below === "" ? "/v1/config" : `/v1/config/${below}`;
}

/** Why nobody answers, out of the system's own words (errno(3)). */
export function unreachable(where: string, error: unknown): ProblemError {
  const said = error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : "";
  if (/permission denied|os error 13\b/i.test(said)) {
    return new ProblemError("node.denied", `${where} is not open to this user`, { cause: error });
  }
  const why = /no such file|os error 2\b/i.test(said)
    ? "is not there"
    : /connection refused|os error 111\b/i.test(said)
    ? "is there, but nobody listens"
    : "does not answer";
  return new ProblemError("node.unreachable", `${where} ${why}`, { cause: error });
}

function brokenOff(where: string, cause: unknown): ProblemError {
  return new ProblemError("node.unreachable", `${where} broke off in its answer`, { cause });
}

function parse<T>(bytes: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T;
  } catch (error) {
    throw new ProblemError("node.strange-answer", "it is not JSON", { cause: error });
  }
}

function problemIn({ status, headers }: Response, bytes: Uint8Array): ProblemError {
  const text = new TextDecoder().decode(bytes);
  const named = headers.get("Pentad-Problem");
  if (text === "" && named !== null && Object.hasOwn(PROBLEMS, named)) {
    return new ProblemError(named as ProblemCode, `the daemon answered ${status}`);
  }
  try {
    const { code, why } = JSON.parse(text) as { code?: unknown; why?: unknown };
    if (typeof code === "string" && Object.hasOwn(PROBLEMS, code)) {
      return new ProblemError(code as ProblemCode, String(why));
    }
    return new ProblemError("node.strange-answer", `${status} with the unknown code "${code}"`);
  } catch {
    return new ProblemError("node.strange-answer", `${status}: ${text.slice(0, 200)}`);
  }
}
