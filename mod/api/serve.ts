/** The API on its Unix socket and, if the settings say so, on TCP. @module */
import { parseAddress } from "../base/address.ts";
import { toHex } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import { TOKEN_CHARACTERS_MIN } from "../base/settings.ts";
import { createApp } from "./app.ts";
import type { RunningNode } from "./running_node.ts";

/** Group may look, others may not even reach the socket. */
const DIRECTORY_MODE = 0o750;
const SOCKET_MODE = 0o660;
/** The bits that SOCKET_MODE has not; in force while the socket is made. */
const SOCKET_UMASK = 0o117;
/** stat(2): others may write; only a file's owner may remove it. */
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
/** How long closing waits for answers under way; a client that does not read is cut off then. */
const CLOSE_LIMIT_MS = 3000;
/** Between two looks whether the socket is there still. */
const LOOK_MS = 2000;

/** Where to serve: the part of the settings that this needs. */
export interface ServeOptions {
  readonly socket: string;
  readonly api?: { readonly listen: string; readonly token: string } | null;
  readonly closeLimitMs?: number;
  readonly lookMs?: number;
}

/** A running server. */
export interface ApiServer {
  /** `HOST:PORT` that TCP clients reach, or null. */
  readonly address: string | null;
  close(): Promise<void>;
}

/** Starts serving. Throws a ProblemError where a daemon answers already, or the place is no good. */
export async function serveApi(node: RunningNode, options: ServeOptions): Promise<ApiServer> {
  const { socket, api = null, closeLimitMs = CLOSE_LIMIT_MS, lookMs = LOOK_MS } = options;
  // Whoever reaches the port could do everything: without a token there is no TCP.
  if (api !== null && api.token.length < TOKEN_CHARACTERS_MIN) {
    const why = `"api.token" must have ${TOKEN_CHARACTERS_MIN} characters at least`;
    throw new ProblemError("api.cannot-listen", why);
  }
  await clearPlace(socket);
  const stopping = new AbortController();
  const ending = new AbortController();
  const common = { life: toHex(crypto.getRandomValues(new Uint8Array(4))) };
  const servers: Deno.HttpServer[] = [];
  const underWay = new Set<Promise<void>>();
  const serve = (app: ReturnType<typeof createApp>) => {
    return (request: Request, { completed }: Deno.ServeHandlerInfo) => {
      const sent = completed.catch(() => {}).then(() => void underWay.delete(sent));
      underWay.add(sent);
      return app.fetch(request);
    };
  };
  // Abort without shutdown(): after that, Deno has no way left to cut a connection off.
  const end = async () => {
    ending.abort();
    await Promise.allSettled(servers.map((server) => server.finished));
  };
  let address: string | null = null;
  const { signal } = ending;
  const local = serve(createApp(node, { ...common, stopping: stopping.signal }));
  const listen = () => {
    servers.push(withUmask(() => Deno.serve({ path: socket, signal, onListen() {} }, local)));
    Deno.chmodSync(socket, SOCKET_MODE);
  };
  try {
    listen();
    if (api !== null) {
      const place = parseAddress(api.listen, true);
      if (place === null) {
        throw new ProblemError("heartbeat.bad-address", `"${api.listen}" in "api.listen"`);
      }
      const { token } = api;
      const remote = serve(createApp(node, { ...common, token, stopping: stopping.signal }));
      const server = Deno.serve({ ...place, signal, onListen() {} }, remote);
      servers.push(server);
      const host = place.hostname.includes(":") ? `[${place.hostname}]` : place.hostname;
      address = `${host}:${server.addr.port}`;
    }
  } catch (error) {
    await end();
    if (error instanceof ProblemError) throw error;
    const place = servers.length === 0 || api === null ? socket : api.listen;
    throw placeFault(`"${place}": ${messageOf(error)}`, error);
  }
  const looking = setInterval(() => relisten(socket, listen, stopping.signal), lookMs);
  return {
    address,
    async close() {
      clearInterval(looking);
      stopping.abort();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, closeLimitMs);
      await Promise.race([Promise.all(underWay), late.promise]);
      clearTimeout(timer);
      await end();
    },
  };
}

/**
 * A socket that somebody took away is made again: nobody else could tell the daemon anything, not even
 * to stop. What lies there instead is left alone, and what cannot be made is tried at the next look.
 */
async function relisten(socket: string, listen: () => void, stopping: AbortSignal): Promise<void> {
  try {
    Deno.lstatSync(socket);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return;
    await clearPlace(socket).then(() => stopping.aborted || listen()).catch(() => {});
  }
}

/** Makes the socket's directory, and removes a socket that nobody answers on. */
async function clearPlace(socket: string): Promise<void> {
  const directory = socket.slice(0, Math.max(1, socket.lastIndexOf("/")));
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    throw placeFault(`the directory "${directory}" cannot be made`, error);
  }
  const fault = ownerFault(Deno.statSync(directory), Deno.uid());
  if (fault !== null) throw placeFault(`the directory "${directory}" ${fault}`, null);
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

/**
 * Why a directory is no place for the socket, or null: who may write there may put a socket of his
 * own into the place of ours, and be told what was meant for the daemon.
 */
export function ownerFault(
  { mode, uid }: Pick<Deno.FileInfo, "mode" | "uid">,
  self: number | null,
): string | null {
  if (mode === null || uid === null) return null;
  if (uid !== 0 && uid !== self) return "belongs to another user";
  const open = (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0;
  return open ? "is one that others may write to" : null;
}

/** The socket is never open to others, not even before its mode is set. */
function withUmask<T>(make: () => T): T {
  const before = Deno.umask(SOCKET_UMASK);
  try {
    return make();
  } finally {
    Deno.umask(before);
  }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function placeFault(why: string, cause: unknown): ProblemError {
  return new ProblemError("api.cannot-listen", why, { cause });
}
