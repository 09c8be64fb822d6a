/** The API on its Unix socket and, if the settings say so, on TCP. @module */
import { parseAddress } from "../base/address.ts";
import { toHex } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import { createApp } from "./app.ts";
import type { RunningNode } from "./running_node.ts";

/** Group may look, others may not even reach the socket. */
const DIRECTORY_MODE = 0o750;
const SOCKET_MODE = 0o660;
/** How long closing waits for requests that are being answered. */
const CLOSE_LIMIT_MS = 3000;

/** Where to serve: the part of the settings that this needs. */
export interface ServeOptions {
  readonly socket: string;
  readonly api?: { readonly listen: string; readonly token: string } | null;
}

/** A running server. */
export interface ApiServer {
  /** `HOST:PORT` that TCP clients reach, or null. */
  readonly address: string | null;
  close(): Promise<void>;
}

/** Starts serving. Throws a ProblemError where a daemon answers already, or the place is no good. */
export async function serveApi(node: RunningNode, options: ServeOptions): Promise<ApiServer> {
  const { socket, api = null } = options;
  await clearPlace(socket);
  const stopping = new AbortController();
  const ending = new AbortController();
  const common = { life: toHex(crypto.getRandomValues(new Uint8Array(4))) };
  const servers: { shutdown(): Promise<void> }[] = [];
  let address: string | null = null;
  try {
    const local = createApp(node, { ...common, stopping: stopping.signal });
    const { signal } = ending;
    servers.push(Deno.serve({ path: socket, signal, onListen() {} }, local.fetch));
    Deno.chmodSync(socket, SOCKET_MODE);
    if (api !== null) {
      const listen = parseAddress(api.listen, true);
      if (listen === null) {
        throw new ProblemError("heartbeat.bad-address", `"${api.listen}" in "api.listen"`);
      }
      const remote = createApp(node, { ...common, token: api.token, stopping: stopping.signal });
      const server = Deno.serve({ ...listen, signal, onListen() {} }, remote.fetch);
      servers.push(server);
      const host = listen.hostname.includes(":") ? `[${listen.hostname}]` : listen.hostname;
      address = `${host}:${server.addr.port}`;
    }
  } catch (error) {
    ending.abort();
    if (error instanceof ProblemError) throw error;
    throw placeFault(error instanceof Error ? error.message : String(error), error);
  }
  return {
    address,
    async close() {
      stopping.abort();
      const timer = setTimeout(() => ending.abort(), CLOSE_LIMIT_MS);
      await Promise.all(servers.map((server) => server.shutdown()));
      clearTimeout(timer);
    },
  };
}

/** Makes the socket's directory, and removes a socket that nobody answers on. */
async function clearPlace(socket: string): Promise<void> {
  const directory = socket.slice(0, Math.max(1, socket.lastIndexOf("/")));
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    throw placeFault(`the directory "${directory}" cannot be made`, error);
  }
  let found: Deno.FileInfo;
  try {
    found = Deno.lstatSync(socket);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw placeFault(`"${socket}" cannot be looked at`, error);
  }
  if (!found.isSocket) throw placeFault(`"${socket}" is there and is not a socket`, null);
  if (await answers(socket)) {
    throw new ProblemError("node.already-running", `a daemon answers on "${socket}"`);
  }
  Deno.removeSync(socket);
}

async function answers(socket: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path: socket })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    if (error instanceof Deno.errors.NotFound) return false;
    throw placeFault(`"${socket}" cannot be tried`, error);
  }
}

function placeFault(why: string, cause: unknown): ProblemError {
  return new ProblemError("settings.invalid", `the API cannot listen: ${why}`, { cause });
}
