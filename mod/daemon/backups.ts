/** Backups of this node: the scheduled ones with their bound, those that are asked for, and how it went. @module */
import type { BackupReport } from "../api/running_node.ts";
import { ProblemError } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";
import type { BackupStatus } from "../node/mod.ts";
import type { ArchivePool } from "./archive_pool.ts";
import { nextBackup } from "./backup_schedule.ts";
import type { Recorder } from "./recorder.ts";
import type { Identity } from "./state.ts";

/** Directory of scheduled backups, in the state directory. */
export const BACKUP_DIRECTORY = "backup";
const NAME = /^config-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(-\d+)?\.db$/;
/** What an interrupted backup left; nobody else makes such names there. */
const LEFTOVER = /^config-.*\.new(-journal)?$/;
/** The clock may be set: no timer runs longer. */
const LOOK_MS = 60_000;

/** What it works with. */
export interface BackupParts {
  readonly settings: Pick<Settings, "state" | "backup">;
  /** Path of the living database. */
  readonly database: string;
  /** As it is now: keys change. */
  readonly identity: () => Identity;
  readonly pool: ArchivePool;
  readonly recorder: Recorder;
  /** Resolves when what is applied now is in the database. */
  readonly flushed: () => Promise<void>;
}

/** One per member; see the module's note. */
export class Backups {
  readonly #parts: BackupParts;
  readonly #since = Date.now();
  #last: { readonly at: number; readonly file: string } | null;
  #failed: { readonly at: number; readonly why: string } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(parts: BackupParts) {
    this.#parts = parts;
    this.#last = newest(this.#directory);
    this.#arm();
  }

  /** For `status`. */
  status(): BackupStatus {
    const next = this.#next();
    return {
      state: this.#failed !== null ? "failed" : this.#last !== null ? "ok" : "none",
      at: this.#last === null ? null : new Date(this.#last.at).toISOString(),
      file: this.#last?.file ?? null,
      why: this.#failed?.why ?? null,
      next: next === null ? null : new Date(next).toISOString(),
    };
  }

  /** Makes one now: at this path, or (null) among the scheduled ones. One after the other. */
  make(file: string | null): Promise<BackupReport> {
    const made = this.#busy.then(() => this.#make(file));
    this.#busy = made.catch(() => {});
    return made;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  get #directory(): string {
    return `${this.#parts.settings.state}/${BACKUP_DIRECTORY}`;
  }

  #next(): number | null {
    return nextBackup(this.#parts.settings.backup.when, {
      now: Date.now(),
      last: this.#last?.at ?? null,
      failed: this.#failed?.at ?? null,
      since: this.#since,
    });
  }

  #arm(): void {
    const next = this.#next();
    if (this.#stopped || next === null) return;
    const wait = Math.min(LOOK_MS, Math.max(0, next - Date.now()));
    this.#timer = setTimeout(() => this.#look(), wait);
  }

  async #look(): Promise<void> {
    if ((this.#next() ?? Infinity) <= Date.now()) await this.make(null).catch(() => {});
    this.#arm();
  }

  async #make(file: string | null): Promise<BackupReport> {
    const { database, identity, pool, recorder, flushed } = this.#parts;
    const now = new Date();
    try {
      if (file === null) makeDirectory(this.#directory);
      const target = file ?? freeName(this.#directory, now);
      await flushed();
      const at = now.toISOString();
      const { bytes, applied } = await pool.ask("backup", {
        database,
        target,
        identity: identity(),
        at,
      });
      if (file === null) {
        this.#last = { at: now.getTime(), file: target };
        this.#failed = null;
        prune(this.#directory, this.#parts.settings.backup.keep);
      }
      this.#say(recorder, `backup=${target}, index=${applied}, ${bytes} bytes, verified`, null);
      return { file: target, bytes, txn_id: applied, at };
    } catch (error) {
      const problem = error instanceof ProblemError
        ? error
        : new ProblemError("config.backup-failed", String(error), { cause: error });
      // What somebody asked for was told to him; only what nobody sees must show in the status.
      if (file === null) this.#failed = { at: now.getTime(), why: problem.problem.why };
      if (!this.#stopped) this.#say(recorder, problem.message, problem.problem.code);
      throw problem;
    }
  }

  #say(recorder: Recorder, text: string, code: string | null): void {
    recorder.write({ stream: "config", text, routine: false, code });
  }
}

function makeDirectory(path: string): void {
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Names of the backups there, the oldest first. */
function names(directory: string): readonly string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch {
    // It is not there yet, or cannot be read: then making one says why.
    return [];
  }
}

function newest(directory: string): { readonly at: number; readonly file: string } | null {
  const name = names(directory).filter((each) => NAME.test(each)).at(-1);
  const [, year, month, day, hour, minute, second] = name === undefined
    ? []
    : NAME.exec(name) ?? [];
  if (name === undefined) return null;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(at) ? null : { at, file: `${directory}/${name}` };
}

/** The name says when: files are copied, and lose their times. */
function freeName(directory: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
  const taken = new Set(names(directory));
  let name = `config-${stamp}.db`;
  for (let more = 1; taken.has(name); more++) name = `config-${stamp}-${more}.db`;
  return `${directory}/${name}`;
}

/** Keeps the newest; what an interrupted one left goes too. */
function prune(directory: string, keep: number): void {
  const all = names(directory);
  const old = all.filter((name) => NAME.test(name)).slice(0, -keep);
  for (const name of [...old, ...all.filter((each) => LEFTOVER.test(each))]) {
    Deno.removeSync(`${directory}/${name}`);
  }
}
