/**
 * Who renews the cluster's key: one look at a time, and one stage further where everybody has done the
 * one before. Any member can go on with what another began.
 *
 * @module
 */
import type { RenewKeyAnswer, RenewKeyAsk } from "../api/key_node.ts";
import type { KeyRing } from "../base/key_ring.ts";
import { ProblemError } from "../base/problem.ts";
import { KEY_BYTES, NONCE_BYTES } from "../base/seal.ts";
import {
  doneNote,
  KEY_FILE,
  keyId,
  type KeyNote,
  noteAfter,
  offerOf,
  printNote,
  readNote,
  waitingFor,
} from "../join/mod.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Operation } from "../streams.ts";
import type { Member } from "./member.ts";
import type { Recorder } from "./recorder.ts";
import { writeKeys } from "./state.ts";

const FOLDER = "priv";

/** Makes these the keys of the member in `state`; false where they could not be written. */
export function keepKeys(state: string, keys: KeyRing, recorder: Recorder): boolean {
  try {
    writeKeys(state, keys);
    return true;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `the cluster's keys cannot be written: ${why}`;
    recorder.write({ stream: "join", text, routine: false, code: null });
    return false;
  }
}

/** Asks a running member. */
export class KeyRenewal {
  readonly #runtime: NodeRuntime;
  readonly #member: Member;

  constructor(runtime: NodeRuntime, member: Member) {
    this.#runtime = runtime;
    this.#member = member;
  }

  /** Looks how far everybody is, and writes the next stage where it may come. */
  async step({ how }: RenewKeyAsk): Promise<RenewKeyAnswer> {
    // Who is a member is read as it is now: one that was let in since must have its word too.
    await this.#member.barrier();
    const note = readNote(this.#runtime.node.config.read(KEY_FILE));
    if (note === null || note.stage === "done") return await this.#idle(how);
    if (how === "cancel") return await this.#cancel(note);
    const waiting = this.#waiting(note);
    if (waiting.length > 0) return { stage: note.stage, id: note.id, waiting };
    return await this.#write(noteAfter(note));
  }

  async #idle(how: RenewKeyAsk["how"]): Promise<RenewKeyAnswer> {
    const { clusterKey } = this.#runtime.node.join.keys;
    if (how !== "start") return { stage: "done", id: keyId(clusterKey), waiting: [] };
    const next = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    return await this.#write(offerOf(next, clusterKey, nonce));
  }

  /** Before anybody seals with it, an offer can be taken back; later somebody may have nothing else. */
  async #cancel({ stage }: KeyNote): Promise<RenewKeyAnswer> {
    if (stage !== "offer") {
      throw new ProblemError("join.key-in-use", "members seal with the new key already");
    }
    const { clusterKey } = this.#runtime.node.join.keys;
    return await this.#write(doneNote(keyId(clusterKey)));
  }

  async #write(note: KeyNote): Promise<RenewKeyAnswer> {
    const operations: Operation[] = [];
    const version = this.#member.entry(KEY_FILE)?.version ?? 0;
    const expect = [{ path: KEY_FILE, version }];
    if (this.#member.entry(FOLDER) === null) {
      operations.push({ op: "mkdir", path: FOLDER });
      expect.push({ path: FOLDER, version: 0 });
    }
    const path = KEY_FILE;
    operations.push(version === 0 ? { op: "create", path } : { op: "truncate", path, size: 0 });
    operations.push({ op: "write", path, offset: 0, data: printNote(note) });
    if (note.stage === "done") operations.push(...this.#words());
    const reason = `key ${note.id}: ${note.stage}`;
    const outcome = await this.#member.change({ expect, operations, author: "root", reason });
    if (!outcome.ok) throw new ProblemError(outcome.problem.code, outcome.problem.why);
    const waiting = note.stage === "done" ? [] : this.#waiting(note);
    return { stage: note.stage, id: note.id, waiting };
  }

  /** What everybody said is not needed any more, of former members too. */
  #words(): Operation[] {
    const there = this.#member.list(FOLDER) ?? [];
    return there.filter(({ path }) => path.startsWith(`${KEY_FILE}.`))
      .map(({ path }) => ({ op: "remove", path }));
  }

  #waiting(note: KeyNote): readonly string[] {
    const { spec, node } = this.#runtime;
    return waitingFor(note, spec, (path) => node.config.read(path));
  }
}
