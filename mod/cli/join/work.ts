/** What the steps of a join over SSH share: both sides, the connection, a private folder. @module */
import { decodeText } from "../../base/bytes.ts";
import { type ProblemCode, ProblemError, PROBLEMS } from "../../base/problem.ts";
import { ownDirectory } from "../../host/linux/own_directory.ts";
import { inputOf, Ssh, type SshTarget } from "../../host/linux/ssh.ts";
import { type Description, readDescription } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { patiently } from "./patience.ts";

/** What the user asked for. */
export interface JoinOrder {
  readonly target: SshTarget;
  /** `SHA256:…` of one of the host's keys; null: a person is asked. */
  readonly fingerprint: string | null;
  /** How pentad is called there: words. */
  readonly remotePentad: readonly string[];
  readonly disk: string | null;
}

/** One join under way. */
export class JoinWork {
  readonly cli: Cli;
  readonly order: JoinOrder;
  /** Private; on a file system that the next boot empties. */
  readonly folder: string;
  #ssh: Ssh | null = null;
  #here: Description | null = null;
  #there: Description | null = null;

  constructor(cli: Cli, order: JoinOrder) {
    this.cli = cli;
    this.order = order;
    this.folder = `${folderOf(cli.socket)}/join`;
    ownDirectory(this.folder, 0o700);
  }

  /** The file of the host keys that a person, or `--fingerprint`, vouched for. */
  get pinned(): string {
    return `${this.folder}/known_hosts`;
  }

  /** The one copy of the cluster's tree. */
  get copy(): string {
    return `${this.folder}/tree`;
  }

  get here(): Description {
    return mustBe(this.#here);
  }

  get there(): Description {
    return mustBe(this.#there);
  }

  get ssh(): Ssh {
    return this.#ssh ??= new Ssh(
      this.order.target,
      this.pinned,
      this.folder,
      this.cli.io.inputTerminal,
    );
  }

  /** Describes both sides anew. Returns how long the far one took: ms. */
  async look(): Promise<number> {
    const started = performance.now();
    const there = readDescription(await this.far(["join", "describe"]));
    const took = performance.now() - started;
    if (there === null) throw strange("what it says of itself cannot be read");
    this.#there = there;
    const ask = () => this.cli.client.get<Description>("/v1/join/describe");
    this.#here = await patiently(this.cli, ask);
    return took;
  }

  /** Runs a command of pentad there; its JSON. A refusal there is the same refusal here. */
  async far(
    words: readonly string[],
    input?: unknown,
    good: readonly number[] = [0],
  ): Promise<unknown> {
    const command = [...this.order.remotePentad, "--json", ...words];
    const { code, stdout, stderr } = await this.ssh.run(
      command,
      input === undefined ? undefined : inputOf(input),
    );
    const refusal = code === 0 ? null : refusalIn(stderr);
    if (refusal !== null) throw refusal;
    if (good.includes(code)) return parse(decodeText(stdout) ?? "");
    throw strange(`"${command[0]}" ended with ${code}: ${stderr.trim().split("\n").at(-1) ?? ""}`);
  }

  /** Ends the connection and removes what was copied. */
  async close(): Promise<void> {
    await this.#ssh?.close();
    for (const path of [this.copy, this.pinned]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
    await Deno.remove(this.folder).catch(() => {});
  }
}

function mustBe(description: Description | null): Description {
  if (description === null) throw strange("it was not asked yet");
  return description;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw strange("its answer is not JSON");
  }
}

/** The problem that pentad there printed, if it is one that is known here. */
function refusalIn(stderr: string): ProblemError | null {
  for (const line of stderr.split("\n")) {
    if (!line.startsWith("{")) continue;
    try {
      const { code, why } = JSON.parse(line) as { code?: unknown; why?: unknown };
      if (typeof code === "string" && Object.hasOwn(PROBLEMS, code)) {
        return new ProblemError(code as ProblemCode, `there: ${String(why)}`);
      }
    } catch {
      continue;
    }
  }
  return null;
}

function strange(why: string): ProblemError {
  return new ProblemError("join.far-side", why);
}
