/** The parts of a mount that its calls are made of, and the moves that several calls share. @module */
import { encodeText } from "../../base/bytes.ts";
import type { Instant } from "../../base/time.ts";
import { isDecided } from "../decisions.ts";
import { guestOf } from "../guests.ts";
import { NAME_BYTES_MAX, pathFault } from "../path.ts";
import { Calls } from "./calls.ts";
import { Committer } from "./committer.ts";
import type { MountParts, StepClock } from "./context.ts";
import { type FlightAsk, Flights } from "./flights.ts";
import { Handles } from "./handles.ts";
import { type Findable, Nodes, type Place } from "./nodes.ts";
import { Notices } from "./notices.ts";
import { join } from "./paths.ts";
import { NO_QUORUM, UNKNOWN_OUTCOME } from "./refusal.ts";
import type { Errno, FuseReply, FuseRequest } from "./requests.ts";
import { Stat } from "./stat.ts";
import { Texts } from "./texts.ts";

/** A transaction that a request waits for. */
export interface Transact extends Pick<FlightAsk, "plan" | "retry"> {
  /** Inodes that the kernel keeps locked meanwhile. */
  readonly holds: readonly number[];
  /** The answer, once it is applied at this index. */
  readonly then: (index: number) => FuseReply;
}

/** The answer that says nothing but that it is done. */
export const OK: FuseReply = { reply: "ok" };

/** See the module's note. */
export class Shared {
  readonly parts: MountParts;
  readonly clock: StepClock;
  readonly calls: Calls;
  readonly flights: Flights;
  readonly handles = new Handles();
  readonly nodes: Nodes;
  readonly notices: Notices;
  readonly stat: Stat;
  readonly texts: Texts;
  readonly committer: Committer;

  constructor(parts: MountParts, now: Instant) {
    const clock = { now };
    this.parts = parts;
    this.clock = clock;
    this.calls = new Calls(parts, clock);
    this.flights = new Flights(parts, clock);
    this.nodes = new Nodes(parts.tree);
    this.notices = new Notices(this.nodes, this.calls);
    this.texts = new Texts(parts, clock);
    const { calls: _, nodes, handles, flights, notices, texts } = this;
    const startedAt = parts.wallSeconds(now);
    const render = texts.render.bind(texts);
    this.stat = new Stat({ parts, clock, nodes, handles, startedAt, render });
    this.committer = new Committer({ parts, flights, handles, nodes, notices, stat: this.stat });
  }

  /** Why nothing can be written now, as an error. */
  get frozen(): Errno | null {
    return this.parts.frozen() === null ? null : NO_QUORUM;
  }

  /** Where a request's name would be, or why it can be nowhere. */
  named(node: number, name: string): { readonly ino: number; readonly path: string } | Errno {
    const { nodes } = this;
    const ino = nodes.directory(node);
    const directory = ino === null ? null : this.parts.tree().view.pathOf(ino);
    if (ino === null || directory === null) return nodes.find(node) ? "ENOTDIR" : "ESTALE";
    if (encodeText(name).length > NAME_BYTES_MAX) return "ENAMETOOLONG";
    return { ino, path: join(directory, name) };
  }

  /** Why nothing can be made at a path, or moved there; null where it can. */
  whyNot(path: string, mover: number | null): Errno | null {
    if (pathFault(path) !== null) {
      return pathFault(path.replaceAll(/[^/]/g, "n")) ? "ENAMETOOLONG" : "EINVAL";
    }
    if (isDecided(path)) return "EACCES";
    const guest = guestOf(path);
    if (guest === null) return null;
    for (const ino of this.parts.tree().view.guests.places(guest.vmid)) {
      if (ino !== mover) return "EEXIST";
    }
    return null;
  }

  /** The manager's own file: it is read, and removed, and not written. */
  isDecided(place: Place): boolean {
    return isDecided(this.nodes.pathOf(place) ?? "");
  }

  /** True where no inode more fits the tree. */
  get full(): boolean {
    const tree = this.parts.tree();
    return tree.size + this.nodes.pendingCount >= tree.limits.inodes;
  }

  /** The answer that makes the kernel know what is at a place. */
  entry(place: Findable): FuseReply {
    this.nodes.count(this.nodes.nodeOf(place));
    return { reply: "entry", attributes: this.stat.of(place) };
  }

  /** Does a transaction, and answers when it is applied here. */
  transact(request: FuseRequest, { plan, retry, holds, then }: Transact): void {
    const { calls, flights } = this;
    const call = calls.open(request, holds);
    if (call === null) return;
    const flight = flights.start({
      ...{ plan, retry, caller: request.caller, silent: () => !call.ended },
      done: (result) => {
        if (call.ended) return;
        if (result.result === "done") return calls.end(call, then(result.index));
        if (result.result === "unknown") flights.forget(flight);
        calls.fail(call, result.result === "refused" ? result.errno : UNKNOWN_OUTCOME);
      },
    });
    call.withdraw = () => flights.withdraw(flight);
  }
}
