/** A node's agents as a process of their own, on this host or in a network namespace. @module */
import assert from "node:assert/strict";
import { type ResourceId, resourceId } from "../../mod/base/id.ts";
import { SIGKILL } from "../../mod/host/ffi/pidfd.ts";
import type { Action } from "../../mod/ha/agents/action.ts";
import type { Arrival } from "../../mod/ha/agents/migration.ts";
import type { HaEffect } from "../../mod/ha/mod.ts";
import type { FailureScope, ProcessHealth } from "../../mod/host/ports.ts";
import { ControlGroups } from "../../mod/host/linux/cgroup.ts";
import { readAllStats, readEnvironment, valueOf } from "../../mod/host/linux/proc.ts";
import { pause, signal } from "../../mod/host/linux/process_hunt.ts";
import { nodeToken } from "../../mod/host/linux/run_directory.ts";
import { TextLineStream } from "./lines.ts";
import { SELF } from "./process_world.ts";

/** How a start or a stop ended. */
export interface AgentEnd {
  readonly failure: string | null;
  readonly scope?: FailureScope;
}

type Effect = Extract<HaEffect, { kind: "receive" | "hand-over" | "resume" }>;
/** What a node is told of a migration. */
export type Migrating = Effect extends infer E ? E extends Effect ? Omit<E, "tag"> : never : never;

type Event = { kind: string; tag?: number } & Record<string, unknown>;

/** Runs this program with these arguments behind a prefix; its lines come one by one. */
export class Helper {
  readonly child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(
    prefix: readonly string[],
    args: readonly string[],
    env: Record<string, string> = {},
  ) {
    const [program = "", ...rest] = [...prefix, ...SELF, ...args];
    this.child = new Deno.Command(program, {
      args: rest,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.read();
    assert.ok(value !== undefined, "the helper lives");
    return value;
  }

  async close(): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.child.stdin.close().catch(() => {});
    await this.#lines.cancel();
  }
}

/** One node. Always close it. */
export class AgentNode {
  readonly folder = Deno.makeTempDirSync({ prefix: "pentad-agents-" });
  readonly token = nodeToken(this.folder);
  readonly #prefix: readonly string[];
  readonly #ocf: string;
  readonly #waiting = new Map<string, (event: Event) => void>();
  #helper: Helper | null = null;
  #reading: Promise<void> = Promise.resolve();
  /** Lines go one by one. */
  #writing: Promise<void> = Promise.resolve();
  #tag = 0;

  constructor(prefix: readonly string[] = [], ocf = "/usr/lib/ocf") {
    this.#prefix = prefix;
    this.#ocf = ocf;
  }

  /** A daemon begins to live, with a guard of so many ms. */
  boot(guardMs = 600_000): this {
    const args = ["agents", this.folder, String(guardMs), this.#ocf];
    const helper = new Helper(this.#prefix, args, { PENTAD_NODE: this.token });
    this.#helper = helper;
    this.#reading = this.#read(helper);
    return this;
  }

  start(id: ResourceId, action: Action, timeoutMs: number | null = null): Promise<AgentEnd> {
    const tag = ++this.#tag;
    return this.#ask({ kind: "start", tag, spec: { id, node: "nodeA", action, timeoutMs } });
  }

  /** Its half of a live migration, as the driver's effect. */
  async migrate(effect: Migrating): Promise<AgentEnd & { readonly arrival?: Arrival }> {
    return await this.#ask({ ...effect, tag: ++this.#tag });
  }

  callOff(id: ResourceId): Promise<void> {
    return this.#write({ kind: "call-off", id });
  }

  stop(id: ResourceId, graceMs: number | null = null): Promise<AgentEnd> {
    return this.#ask({ kind: "stop", tag: ++this.#tag, id, graceMs });
  }

  async health(id: ResourceId, action: Action, timeoutMs: number | null = null) {
    const spec = { id, node: "nodeA", action, timeoutMs, intervalMs: 10_000 };
    const event = await this.#ask({ kind: "monitor", tag: ++this.#tag, spec });
    return event.health as ProcessHealth;
  }

  killAll(): Promise<AgentEnd> {
    return this.#ask({ kind: "kill-all", tag: ++this.#tag });
  }

  async list(): Promise<readonly ResourceId[]> {
    const event = await this.#ask({ kind: "list" });
    return event.running as ResourceId[];
  }

  guard(until: number): Promise<void> {
    return this.#write({ kind: "guard-until", until });
  }

  /** The daemon dies without a word. */
  async crash(): Promise<void> {
    await this.#helper?.close();
    await this.#reading;
    this.#helper = null;
  }

  /** The daemon hangs, or goes on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#helper?.child.kill(name);
  }

  /** The files on which something is held. */
  held(): string[] {
    return [...Deno.readDirSync(`${this.folder}/held`)].map(({ name }) => name).sort();
  }

  log(id: ResourceId): string {
    return Deno.readTextFileSync(`${this.folder}/logs/${id}.log`);
  }

  async close(): Promise<void> {
    if (this.#helper !== null) {
      this.signal("SIGCONT");
      const { failure } = await this.killAll();
      await this.crash();
      assert.equal(failure, null);
    }
    const marked = () =>
      readAllStats().filter(({ pid }) =>
        pid !== Deno.pid && valueOf(readEnvironment(pid), "PENTAD_NODE=") === this.token
      );
    for (const each of marked()) signal(each, SIGKILL);
    while (marked().length > 0) await pause(10);
    ControlGroups.removeAll(this.token);
    Deno.removeSync(this.folder, { recursive: true });
  }

  async #ask(effect: { kind: string; tag?: number } & Record<string, unknown>) {
    const answered = Promise.withResolvers<Event>();
    this.#waiting.set(String(effect.tag ?? "list"), answered.resolve);
    await this.#write(effect);
    return await answered.promise as Event & AgentEnd;
  }

  async #write(effect: Record<string, unknown>): Promise<void> {
    const before = this.#writing;
    const turn = Promise.withResolvers<void>();
    this.#writing = turn.promise;
    await before;
    try {
      const writer = this.#helper?.child.stdin.getWriter();
      assert.ok(writer, "the daemon lives");
      await writer.write(new TextEncoder().encode(`${JSON.stringify(effect)}\n`));
      writer.releaseLock();
    } finally {
      turn.resolve();
    }
  }

  async #read(helper: Helper): Promise<void> {
    for (;;) {
      let text: string;
      try {
        text = await helper.line();
      } catch {
        return;
      }
      const event = JSON.parse(text) as Event;
      const key = event.kind === "listed" ? "list" : String(event.tag);
      this.#waiting.get(key)?.(event);
      this.#waiting.delete(key);
    }
  }
}

/** Runs a command that must succeed; its output. */
export async function must(...command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  assert.ok(success, `${command.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

export const WEB = resourceId("exec:web");
