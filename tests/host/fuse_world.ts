/** A folder to mount on, programs that use it, and the end of all of it. @module */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MNT_DETACH, MNT_FORCE, unmount } from "../../mod/host/ffi/fuse_device.ts";
import { LinuxFusePort } from "../../mod/host/linux/fuse.ts";
import { type Mount, readMounts } from "../../mod/host/linux/mountinfo.ts";
import type { FusePort } from "../../mod/host/ports.ts";
import type { Files, FuseWorld } from "../contract/fuse_suite.ts";
import type { Ask, Told } from "./fuse_client_main.ts";
import { TextLineStream } from "./lines.ts";

const CLIENT_MAIN = new URL("./fuse_client_main.ts", import.meta.url).pathname;
const MAIN = new URL("./fuse_main.ts", import.meta.url).pathname;

/** Why this machine cannot mount; null where it can. */
export function whyNoFuse(): string | null {
  if (Deno.uid() !== 0) return "only root may mount";
  try {
    Deno.statSync("/dev/fuse");
  } catch {
    return "this host has no /dev/fuse";
  }
  const status = Deno.readTextFileSync("/proc/self/status");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const sysAdmin = 1n << 21n;
  return (effective & sysAdmin) === 0n ? "this process lacks CAP_SYS_ADMIN" : null;
}

/** One mount point on this host. */
export class LinuxFuseWorld implements FuseWorld {
  readonly folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "pentad-fuse-" }));
  readonly target = `${this.folder}/mnt`;
  #client: Client | null = null;

  port(): FusePort {
    return new LinuxFusePort({ device: "/dev/fuse" });
  }

  files(): Files {
    this.#client ??= new Client();
    const client = this.#client;
    const at = (path: string) => `${this.target}/${path}`;
    const call = (call: string, path: string, more: Partial<Ask> = {}) =>
      client.ask({ call, path: at(path), ...more });
    return {
      write: (path, bytes) => call("write", path, { other: toBase64(bytes) }) as Promise<void>,
      read: async (path) => fromBase64(await call("read", path) as string),
      list: (path) => call("list", path) as Promise<string[]>,
      stat: (path) => call("stat", path) as ReturnType<Files["stat"]>,
      mkdir: (path) => call("mkdir", path) as Promise<void>,
      rmdir: (path) => call("rmdir", path) as Promise<void>,
      unlink: (path) => call("unlink", path) as Promise<void>,
      rename: (from, to) => call("rename", from, { other: at(to) }) as Promise<void>,
      truncate: (path, size) => call("truncate", path, { number: size }) as Promise<void>,
      utime: (path, seconds) => call("utime", path, { number: seconds }) as Promise<void>,
      symlink: (target, path) => call("symlink", path, { other: target }) as Promise<void>,
      readlink: (path) => call("readlink", path) as Promise<string>,
    };
  }

  left(): Mount[] {
    return readMounts().filter(({ target }) => target.startsWith(this.folder));
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return answer;
  }

  async close(): Promise<void> {
    for (const { target } of this.left()) await unmount(target, MNT_DETACH | MNT_FORCE);
    await this.#client?.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A program that does as it is asked: `fuse_client_main.ts`. */
class Client {
  readonly #child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", CLIENT_MAIN],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  readonly #writer = this.#child.stdin.getWriter();
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #reading = this.#read();
  #ids = 0;

  ask(ask: Omit<Ask, "id">): Promise<unknown> {
    const id = ++this.#ids;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    void this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ id, ...ask })}\n`));
    return answer.promise;
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#reading;
    await this.#child.status;
  }

  async #read(): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      const told = JSON.parse(line) as Told;
      const answer = this.#waiting.get(told.id);
      if ("value" in told) answer?.resolve(told.value);
      else answer?.reject(Object.assign(new Error(told.code), { code: told.code }));
    }
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** A process of its own that serves files in memory at `target`. */
export class FuseServer {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  private constructor(target: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--no-check", MAIN, target],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts it, and waits until it has mounted. */
  static async start(target: string): Promise<FuseServer> {
    const server = new FuseServer(target);
    const { value } = await server.#lines.read();
    assert.equal(value, "mounted\n");
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends a signal; with SIGKILL waits for the end. */
  async kill(signal: Deno.Signal): Promise<void> {
    this.#child.kill(signal);
    if (signal !== "SIGKILL") return;
    await this.#child.stdin.close();
    await this.#child.status;
    while (!(await this.#lines.read()).done);
  }
}

/** Runs a program and gives back what it printed; fails where it failed. */
export async function run(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, `${command}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
