/**
 * The receiving side of snapshots. Chunks are gathered in memory; the whole is verified, installed
 * in one durable batch, and only then acknowledged. A crash leaves the old state or the new one; in
 * the former case the leader sends everything again.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import type { LogBase } from "../host/ports.ts";
import type { MessageOf } from "./wire.ts";
import type { Raft } from "./raft.ts";
import { specAtOf } from "./specs.ts";
import type { Replica } from "./replica.ts";
import { hearLeader } from "./replication.ts";
import { type SnapshotContent, SnapshotReader } from "./snapshot_reader.ts";

type SnapshotMessage = MessageOf<"snapshot">;

/** A snapshot as its leader names it. */
interface Incoming {
  readonly from: NodeId;
  readonly term: number;
  readonly transfer: number;
  readonly reader: SnapshotReader;
  /** Chunks that came before the one that is needed, by their number. */
  readonly early: Map<number, SnapshotMessage>;
}

/** So many chunks may overtake the one that is needed: twice what a leader has under way. */
const EARLY_MAX = 8;

/** See the module's note. */
export class Installer {
  readonly #raft: Raft;
  readonly #replica: Replica;
  #incoming: Incoming | null = null;
  /** What was installed last: its acknowledgement may have been lost. */
  #installed: Omit<Incoming, "reader" | "early"> | null = null;

  constructor(raft: Raft, replica: Replica) {
    this.#raft = raft;
    this.#replica = replica;
  }

  /** A leader sends a chunk. True where the replica is another one now. */
  onChunk(from: NodeId, message: SnapshotMessage): boolean {
    const raft = this.#raft;
    const reply = (next: number, done = false) => {
      const { transfer } = message;
      raft.send(from, { kind: "snapshot-reply", term: raft.term, transfer, next, done });
    };
    if (message.term < raft.term) return reply(0), false;
    const hardState = hearLeader(raft, from, message.term);
    if (hardState.hardState) raft.persist(hardState);
    if (this.#isOld(from, message)) return reply(message.at + 1, true), false;
    if (message.forced) this.#admit(from, message);
    const { reader, early } = this.#incomingOf(from, message);
    const ahead = message.at - reader.next;
    if (ahead >= 0 && ahead < EARLY_MAX) early.set(message.at, message);
    for (let chunk = early.get(reader.next); chunk; chunk = early.get(reader.next)) {
      early.delete(chunk.at);
      const fault = reader.take(chunk);
      if (fault !== null) return this.#refuse(from, fault), false;
      if (!chunk.last) continue;
      const content = reader.finish();
      if (typeof content === "string") return this.#refuse(from, content), false;
      this.#install(from, chunk, content);
      reply(reader.next, true);
      return true;
    }
    reply(reader.next);
    return false;
  }

  /**
   * Called at each step: what nobody goes on with is forgotten. A leader that was not heard for a while
   * may go on, for a term has no other one.
   */
  tend(): void {
    if (this.#incoming !== null && this.#incoming.term !== this.#raft.term) this.#incoming = null;
  }

  /** It would take us back, or is here already. */
  #isOld(from: NodeId, { forced, index, term, transfer }: SnapshotMessage): boolean {
    const last = this.#installed;
    if (last?.from === from && last.term === term && last.transfer === transfer) return true;
    return !forced && index <= this.#raft.commit;
  }

  /** We were told that we differ. That is kept: until we are rebuilt our vote could only do harm. */
  #admit(from: NodeId, { index }: SnapshotMessage): void {
    const raft = this.#raft;
    if (raft.diverged) return;
    raft.diverged = true;
    raft.persist({ hardState: raft.hardState() });
    const args = { node: raft.name(from), base: index };
    raft.say("this replica differs from its peers", reason("config.rebuilt-by", args));
  }

  #incomingOf(from: NodeId, { term, transfer, index }: SnapshotMessage): Incoming {
    const known = this.#incoming;
    if (known?.from === from && known.term === term && known.transfer === transfer) return known;
    this.#incoming = { from, term, transfer, reader: new SnapshotReader(index), early: new Map() };
    return this.#incoming;
  }

  #refuse(from: NodeId, fault: string): void {
    this.#incoming = null;
    const because = reason("config.bad-snapshot", { node: this.#raft.name(from), why: fault });
    this.#raft.say(`snapshot of ${this.#raft.name(from)} refused`, because);
  }

  #install(from: NodeId, message: SnapshotMessage, content: SnapshotContent): void {
    const raft = this.#raft;
    const { index, lastTerm, chain, state: stateCrc, transfer, term, forced } = message;
    const base: LogBase = { index, term: lastTerm, chain };
    const { spec, rows, requests, locks } = content;
    const { keepLog } = raft.restart(base, content.spec && specAtOf(content.spec));
    this.#replica.restore({ applied: index, stateCrc, rows, requests, locks });
    raft.stateCrc = stateCrc;
    raft.content = this.#replica.content;
    raft.diverged = false;
    raft.doubt = null;
    raft.persist({
      hardState: raft.hardState(),
      install: {
        ...{ base, spec, stateCrc, content: raft.content, rows, requests, locks },
        ...{ keepLog, keepHistory: !forced },
      },
    });
    this.#incoming = null;
    this.#installed = { from, term, transfer };
    const what = `snapshot=0x${index.toString(16)}, chunks=${message.at + 1}, rows=${rows.length}`;
    raft.say(what, reason("config.snapshot-installed", { node: raft.name(from), index }));
  }
}
