/** A daemon's API on a real socket with a fake node behind it, and two ways to run the command line. */
import assert from "node:assert/strict";
import type { DiskPort } from "../../mod/host/ports.ts";
import { serveApi } from "../../mod/api/mod.ts";
import { type Io, run } from "../../mod/cli/mod.ts";
import type { Settings } from "../../mod/base/settings.ts";
import { openOffline } from "../../mod/daemon/offline.ts";
import { pentad as command } from "../../scripts/pentad_command.ts";
import { FakeNode } from "../api/fake_node.ts";

/** What a run left. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What a run is given beside its arguments. */
export interface Given {
  readonly input?: string;
  readonly files?: Readonly<Record<string, string | Uint8Array | Error>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  readonly openToOthers?: boolean;
  readonly signal?: AbortSignal;
  readonly disks?: DiskPort;
  /** The one file that it is said to run from. */
  readonly file?: string;
  /** Hears what goes to standard output, as it goes. */
  readonly heard?: (text: string) => void;
}

/** One run within this process. */
export async function cli(args: readonly string[], given: Given = {}): Promise<Ran> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let out = "";
  let err = "";
  const io: Io = {
    out: (data) => {
      const text = typeof data === "string" ? data : decoder.decode(data);
      out += text;
      given.heard?.(text);
    },
    err: (text) => void (err += text),
    terminal: given.terminal ?? false,
    inputTerminal: given.input === undefined,
    columns: 100,
    env: (name) => given.env?.[name],
    stdin: (bytesMax) => Promise.resolve(within(encoder.encode(given.input), bytesMax)),
    readFile: (path, bytesMax) => {
      const content = given.files?.[path] ?? new Deno.errors.NotFound();
      if (content instanceof Error) return Promise.reject(content);
      const bytes = typeof content === "string" ? encoder.encode(content) : content;
      return Promise.resolve(within(bytes, bytesMax));
    },
    openToOthers: () => given.openToOthers ?? false,
    signal: given.signal ?? new AbortController().signal,
  };
  const wiring = {
    file: given.file ?? null,
    daemon: (settings: Settings) => {
      if (settings.name === "broken") throw new TypeError("Broken");
      out += `daemon ${settings.name}\n`;
      return Promise.resolve(0);
    },
    diskWorker: () => Promise.resolve(0),
    keeper: () => Promise.resolve(0),
    disks: () => Promise.resolve(given.disks ?? assert.fail("no disk is given")),
    offline: (path: string) => Promise.resolve().then(() => openOffline(path)),
  };
  const code = await run(args, wiring, io);
  return { code, out, err };
}

function within(bytes: Uint8Array, bytesMax: number): Uint8Array | null {
  return bytes.length > bytesMax ? null : bytes;
}

/** One run as a process of its own: what an administrator starts. */
export async function pentad(args: readonly string[], input?: string | Uint8Array): Promise<Ran> {
  const [program, ...words] = command();
  const child = new Deno.Command(program, {
    args: [...words, ...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    // It may have refused, and gone, before all is read.
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input)
      .catch(() => {});
    await writer.close().catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** A daemon to talk to. */
export interface World {
  readonly node: FakeNode;
  readonly socket: string;
  readonly directory: string;
  /** Stops serving. */
  stop(): Promise<void>;
  /** One run within this process, against this daemon. */
  cli(args: readonly string[], given?: Given): Promise<Ran>;
  /** One process, against this daemon. */
  pentad(args: readonly string[], input?: string | Uint8Array): Promise<Ran>;
}

/** Serves a fake node while `body` runs. */
export async function withDaemon(body: (world: World) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const socket = `${directory}/api.sock`;
  const node = new FakeNode();
  const server = await serveApi(node, { socket, closeLimitMs: 100 });
  let open = true;
  const stop = async () => {
    if (open) await server.close();
    open = false;
  };
  try {
    await body({
      node,
      socket,
      directory,
      stop,
      cli: (args, given) => cli([...args, "--socket", socket], given),
      pentad: (args, input) => pentad([...args, "--socket", socket], input),
    });
  } finally {
    await stop();
    Deno.removeSync(directory, { recursive: true });
  }
}
