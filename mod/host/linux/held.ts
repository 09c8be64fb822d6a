/**
 * What resources hold on this host besides processes, in the run directory: written before anything
 * is made, so that daemon and keeper, in whatever life, know how to undo it.
 *
 * @module
 */
import { isResourceId, type ResourceId } from "../../base/id.ts";
import type { Held, Undo } from "../process_port.ts";
import { smallText } from "./files.ts";
import { runOperation } from "./operation.ts";
import { kernelBoot } from "./proc.ts";
import { ProcessHunt } from "./process_hunt.ts";
import { runPaths } from "./run_directory.ts";
import { LinuxAddressPort } from "./virtual_address.ts";

const FORMAT = 1;
const BYTES_MAX = 256 * 1024;
const STEPS_MAX = 16;
/** How long an operation may take that the end of the guard asks for. */
export const UNDO_LIMIT_MS = 10_000;
const KILL_MS = 2000;

/** The list of one node. See the module's note. */
export class HeldList {
  readonly #folder: string;
  readonly #logs: string;
  readonly #token: string;
  readonly #hunt: ProcessHunt;
  readonly #addresses = new LinuxAddressPort();

  constructor(runDirectory: string, token: string) {
    const { held, logs } = runPaths(runDirectory);
    this.#folder = held;
    this.#logs = logs;
    this.#token = token;
    this.#hunt = new ProcessHunt("undo", token);
    for (const folder of [held, logs]) Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Everything that is held. What another boot of the host held is gone with that. */
  ids(): ResourceId[] {
    try {
      const names = [...Deno.readDirSync(this.#folder)].map(({ name }) => name);
      return names.filter(isResourceId).filter((id) => this.read(id) !== null).sort();
    } catch {
      return [];
    }
  }

  /** Writes it durably as far as the folder is. Throws where it cannot be written. */
  write(held: Held): void {
    const text = JSON.stringify({ format: FORMAT, boot: kernelBoot(), ...held });
    if (text.length > BYTES_MAX) throw new Error(`What "${held.id}" holds is too long to be kept`);
    const path = `${this.#folder}/${held.id}`;
    Deno.writeTextFileSync(`${path}.new`, text, { mode: 0o600 });
    Deno.renameSync(`${path}.new`, path);
  }

  /** What is held by `id`, null for nothing; `damaged`: it cannot be told. */
  read(id: ResourceId): Held | "damaged" | null {
    const path = `${this.#folder}/${id}`;
    let text: string;
    try {
      text = smallText(path);
    } catch (error) {
      return error instanceof Deno.errors.NotFound ? null : "damaged";
    }
    const value = parse(text);
    if (value === null || value.format !== FORMAT || value.id !== id) return "damaged";
    if (value.boot !== kernelBoot()) {
      this.remove(id);
      return null;
    }
    const { note, undo } = value;
    if (typeof note !== "string" || !Array.isArray(undo) || undo.length > STEPS_MAX) {
      return "damaged";
    }
    return undo.every(isStep) ? { id, note, undo } : "damaged";
  }

  remove(id: ResourceId): void {
    try {
      Deno.removeSync(`${this.#folder}/${id}`);
    } catch {
      // It is gone.
    }
  }

  /** Undoes what `id` holds, each step within `limitMs`; null, or why not. It stays on the list. */
  async undo(id: ResourceId, limitMs: number): Promise<string | null> {
    const held = this.read(id);
    if (held === null) return null;
    if (held === "damaged") return `what "${id}" holds cannot be read`;
    for (const step of held.undo) {
      const why = await this.#step(id, step, limitMs);
      if (why !== null) return `"${id}" is not undone: ${why}`;
    }
    return null;
  }

  /** Ends what another hand is doing at an undo of `id`. */
  async interrupt(id: ResourceId): Promise<void> {
    if (this.#hunt.groups?.isBusy(id) === false) return;
    await this.#hunt.killAll({ id }, KILL_MS);
  }

  async #step(id: ResourceId, step: Undo, limitMs: number): Promise<string | null> {
    if (step.undo === "address") return this.#addresses.remove(step);
    const { command, environment, timeoutMs } = step;
    const limit = Math.min(timeoutMs, limitMs);
    const { status, failure, output } = await runOperation(
      { id, command, environment, timeoutMs: limit, role: "undo", output: "all" },
      { token: this.#token, logs: this.#logs, hunt: this.#hunt },
    );
    if (status === 0) return null;
    const last = output.trimEnd().split("\n").at(-1)?.slice(0, 200) ?? "";
    return `${command.at(0)} ${failure?.why ?? `ended with ${status}`} ${last}`.trimEnd();
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function isStep(value: unknown): value is Undo {
  if (typeof value !== "object" || value === null) return false;
  const step = value as Record<string, unknown>;
  if (step.undo === "address") {
    return typeof step.interface === "string" && typeof step.address === "string";
  }
  const { command, environment, timeoutMs } = step;
  return step.undo === "command" && Array.isArray(command) && command.every(isText) &&
    typeof environment === "object" && environment !== null &&
    Object.values(environment).every(isText) && typeof timeoutMs === "number";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
