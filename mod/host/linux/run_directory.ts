/**
 * What lies in a node's run directory on behalf of its processes. It is on a tmpfs in production and
 * private to root.
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import { isThere, smallText } from "./files.ts";

const TOKEN_BYTES = 16;

/** Paths in a run directory. */
export interface RunPaths {
  readonly token: string;
  readonly keeperSocket: string;
  readonly keeperLock: string;
  readonly keeperPid: string;
  readonly keeperLog: string;
  readonly records: string;
  readonly logs: string;
  /** What is held besides processes, and how it is undone: a file for each resource. */
  readonly held: string;
  /** Stand-ins for programs of other cluster managers that agents call. */
  readonly standIns: string;
}

/** Names the files of a run directory. */
export function runPaths(folder: string): RunPaths {
  return {
    token: `${folder}/node-token`,
    keeperSocket: `${folder}/keeper.sock`,
    keeperLock: `${folder}/keeper.lock`,
    keeperPid: `${folder}/keeper.pid`,
    keeperLog: `${folder}/keeper.log`,
    records: `${folder}/resources.json`,
    logs: `${folder}/logs`,
    held: `${folder}/held`,
    standIns: `${folder}/stand-ins`,
  };
}

/**
 * The token by which this node's processes are known. It is made once and stays while the run
 * directory does, so that a restarted daemon finds what the former one started. `own`: the token of
 * whoever knows one already; it is made the directory's where that was lost.
 */
export function nodeToken(folder: string, own: string | null = null): string {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { token } = runPaths(folder);
  const random = () => toHex(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
  const fresh = own ?? random();
  const temporary = `${token}.${random()}`;
  try {
    Deno.writeTextFileSync(temporary, fresh, { mode: 0o600, createNew: true });
    // A hard link fails where the token is there already, and is never half written.
    Deno.linkSync(temporary, token);
    return fresh;
  } catch (error) {
    const text = tokenIn(token);
    if (text !== null) return text;
    if (!isThere(token)) throw error;
    throw new Error(`"${token}" holds no token`, { cause: error });
  } finally {
    // On a full disk it may be there and empty, or not at all.
    if (isThere(temporary)) Deno.removeSync(temporary);
  }
}

/**
 * Removes what lies in the token's place and is none: what runs by a token that nobody knows any more
 * is as lost as with the whole directory. Throws where it cannot be removed.
 */
export function dropDamagedToken(folder: string): void {
  const { token } = runPaths(folder);
  if (isThere(token) && tokenIn(token) === null) Deno.removeSync(token);
}

function tokenIn(path: string): string | null {
  try {
    const text = smallText(path, 2 * TOKEN_BYTES);
    return /^[0-9a-f]{32}$/.test(text) ? text : null;
  } catch {
    return null;
  }
}
