/**
 * GETLK, SETLK, SETLKW, and what closing gives back: flock(2) and fcntl(2) for the whole cluster.
 *
 * Whoever gets a lock sees all that was committed under it before; whoever gives one back commits
 * first what was written to that file, for write(2) alone tells nobody of it. What cannot be committed
 * then never will be: it would be written over what the next one does.
 *
 * @module
 */
import { NEVER } from "../../base/time.ts";
import type { CommandOutcome, Owner } from "../lock_table.ts";
import { COMMANDS_MAX, type LockCommand, OFFSET_MAX } from "../lock_wire.ts";
import type { Call } from "./calls.ts";
import type { OpenFile } from "./handles.ts";
import { LOCK_COMMANDS_MAX, LOCK_WAITERS_MAX } from "./limits.ts";
import { PENDING_FIRST } from "./nodes.ts";
import { BUSY } from "./refusal.ts";
import type { LockRange, RequestOf } from "./requests.ts";
import { OK, type Shared } from "./shared.ts";

type Setlk = RequestOf<"setlk">;

/** A lock that is asked for. */
interface Wait {
  readonly call: Call;
  readonly command: LockCommand;
  readonly file: OpenFile;
  /** Order of arrival. */
  readonly number: number;
  /** SETLKW: a conflict is waited for. */
  readonly patient: boolean;
}

/** See the module's note. */
export class LockCalls {
  readonly #shared: Shared;
  /** Those that were refused and wait until something is given back, in order of arrival. */
  #parked: Wait[] = [];
  #number = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
    shared.parts.locks.onLost = () => this.#lost();
  }

  /** Out of the table as it is applied here: the answer is old when it arrives, as on any system. */
  getlk(request: RequestOf<"getlk">): void {
    const { calls, handles, parts } = this.#shared;
    const { node, handle, owner, range } = request;
    if (handles.file(handle, node) === undefined) return calls.refuse(request, "EBADF");
    const ino = this.#ino(node);
    const free: LockRange = { ...range, kind: "unlock" };
    if (ino === null) return calls.reply(request, { reply: "lock", range: free });
    const command = commandOf({ ino, owner, range, flock: false });
    const found = parts.locks.table.conflict(parts.locks.self, command);
    if (found === null) return calls.reply(request, { reply: "lock", range: free });
    const { kind, start, end } = found;
    // A process of another node has no number here.
    const pid = found.node === parts.locks.self ? found.pid : 0;
    calls.reply(request, { reply: "lock", range: { kind, start, end, pid } });
  }

  setlk(request: Setlk): void {
    const { calls, handles, nodes, frozen, committer } = this.#shared;
    const { node, handle, range } = request;
    const file = handles.file(handle, node);
    if (file === undefined) return calls.refuse(request, "EBADF");
    if (range.kind === "unlock") return this.#unlock(request, file);
    if (frozen !== null) return calls.refuse(request, frozen);
    if (nodes.find(node)?.place !== "pending") return this.#take(request, file);
    // Others can only meet at an inode that is there for them.
    const call = calls.open(request);
    if (call === null) return;
    call.withdraw = committer.commit(file, (errno) => {
      if (errno !== null) return calls.fail(call, errno);
      const pending = nodes.find(node)?.place === "pending";
      if (pending) calls.fail(call, BUSY);
      else calls.resume(call, () => this.setlk(request));
    });
  }

  /**
   * How all that an owner has on a node is given back, also when the node's number is gone; `done` is
   * called when others can have it.
   */
  returner(node: number, owner: Omit<Owner, "node">): (done?: () => void) => void {
    const ino = this.#ino(node);
    return (done = () => {}) => {
      if (ino === null || !this.#owns(ino, owner)) return done();
      const range = { start: 0n, end: OFFSET_MAX, pid: 0 };
      this.#shared.parts.locks.submit([{ ...range, ...owner, ino, kind: "unlock" }], done);
    };
  }

  /** True where an owner has something on a node, or asked for it. */
  owns(node: number, owner: Omit<Owner, "node">): boolean {
    const ino = this.#ino(node);
    return ino !== null && this.#owns(ino, owner);
  }

  /** Something was given back on these inodes; null: perhaps on all of them. */
  wake(freed: ReadonlySet<number> | null): void {
    const { locks } = this.#shared.parts;
    const ready = this.#parked.filter(({ command }) =>
      (freed === null || freed.has(command.ino)) &&
      locks.table.conflict(locks.self, command) === null
    );
    if (ready.length === 0) return;
    this.#parked = this.#parked.filter((wait) => !ready.includes(wait));
    for (const wait of ready) this.#propose(wait);
  }

  #take(request: Setlk, file: OpenFile): void {
    const { calls, parts } = this.#shared;
    const ino = this.#ino(request.node);
    const room = this.#parked.length < LOCK_WAITERS_MAX &&
      parts.locks.waiting < LOCK_COMMANDS_MAX;
    // An unlinked file that never was committed is nobody else's.
    if (ino === null || !room) return calls.refuse(request, "ENOLCK");
    const call = calls.open(request);
    if (call === null) return;
    const command = commandOf({ ...request, ino });
    const number = ++this.#number;
    this.#propose({ call, command, file, number, patient: request.wait });
  }

  #propose(wait: Wait): void {
    const { locks } = this.#shared.parts;
    const { call, command } = wait;
    const withdraw = locks.submit([command], ([outcome]) => {
      if (outcome !== undefined) this.#settle(wait, outcome);
    });
    // If it is granted after all, it is given back at once: so it surely is not done.
    call.withdraw = () => withdraw() || true;
  }

  #settle(wait: Wait, { result, before }: CommandOutcome): void {
    const { calls, handles } = this.#shared;
    const { call, command, file } = wait;
    if (call.ended) {
      if (result === "done") this.#undo(command, before);
      return;
    }
    if (result === "full") return calls.fail(call, "ENOLCK");
    if (result === "done") {
      file.locked = true;
      // What is read from now on is what was committed before.
      for (const each of handles.on(file.node)) handles.pin(each, null);
      return calls.end(call, OK);
    }
    if (!wait.patient) return calls.fail(call, BUSY);
    if (this.#isDeadlock(command)) return calls.fail(call, "EDEADLK");
    call.deadline = NEVER;
    call.withdraw = () => {
      this.#parked = this.#parked.filter((each) => each !== wait);
      return true;
    };
    const at = this.#parked.findIndex(({ number }) => number > wait.number);
    this.#parked.splice(at < 0 ? this.#parked.length : at, 0, wait);
  }

  /** Nobody wants what was granted any more: it is as it was before, unless it was given back since. */
  #undo(command: LockCommand, before: CommandOutcome["before"]): void {
    const { locks } = this.#shared.parts;
    const { ino, kind, start, end } = command;
    const held = locks.table.held(ino, { ...command, node: locks.self });
    if (!held.some((lock) => lock.kind === kind && lock.start <= start && end <= lock.end)) return;
    const closing = locks.concerns(command);
    const back = closing ? [] : before.slice(0, COMMANDS_MAX - 1).map((lock) => ({ ...lock, ino }));
    locks.submit([{ ...command, kind: "unlock" }, ...back], () => {});
  }

  /** Would it wait for one that waits, perhaps by way of others, for its own owner? This node only. */
  #isDeadlock(asked: LockCommand): boolean {
    if (asked.type !== "posix") return false;
    const seen = new Set<bigint>();
    const open = [asked];
    for (let command = open.pop(); command !== undefined; command = open.pop()) {
      for (const owner of this.#holders(command)) {
        if (owner === asked.owner) return true;
        if (seen.has(owner)) continue;
        seen.add(owner);
        for (const each of this.#parked) {
          if (each.command.type === "posix" && each.command.owner === owner) {
            open.push(each.command);
          }
        }
      }
    }
    return false;
  }

  /** Owners of this node whose locks forbid a command. */
  #holders({ ino, owner, start, end, kind }: LockCommand): readonly bigint[] {
    const { table, self } = this.#shared.parts.locks;
    return table.locks(ino).filter((lock) =>
      lock.node === self && lock.type === "posix" && lock.owner !== owner &&
      lock.start <= end && start <= lock.end && (lock.kind === "write" || kind === "write")
    ).map((lock) => lock.owner);
  }

  /** Never refused but for want of room to split a range: what a program gives back is given back. */
  #unlock(request: Setlk, file: OpenFile): void {
    const { calls, parts } = this.#shared;
    const { owner, flock } = request;
    const ino = this.#ino(request.node);
    if (ino === null || !this.owns(request.node, { type: flock ? "flock" : "posix", owner })) {
      return calls.reply(request, OK);
    }
    // Without quorum the queue does not get shorter. Closing always finds room.
    if (parts.locks.waiting >= LOCK_COMMANDS_MAX) return calls.refuse(request, "ENOLCK");
    const call = calls.open(request);
    if (call === null) return;
    call.late = OK;
    this.#publish(file, () => {
      parts.locks.submit([commandOf({ ...request, ino })], ([outcome]) => {
        if (outcome?.result === "full") calls.fail(call, "ENOLCK");
        else calls.end(call, OK);
      });
      if (this.#shared.frozen !== null) calls.end(call, OK);
    });
  }

  /** Commits what was written through a handle, before what protected it is given back. */
  #publish(file: OpenFile, then: () => void): void {
    if (file.text !== null || (file.draft.empty && file.commit === null)) return then();
    this.#shared.committer.commit(file, (errno) => {
      if (errno !== null) file.broken ??= errno;
      then();
    });
  }

  /** The cluster took us for dead and gave our locks to others: what was written under them is void. */
  #lost(): void {
    const { handles, parts } = this.#shared;
    let lost = 0;
    for (const file of handles.all()) {
      if (!file.locked) continue;
      lost++;
      file.locked = false;
      file.broken = "EIO";
      file.fenced = true;
    }
    parts.say(`${lost} open files have lost their locks`, null);
  }

  #owns(ino: number, owner: Omit<Owner, "node">): boolean {
    const { locks } = this.#shared.parts;
    return locks.owns(ino, owner) || locks.concerns({ ...owner, ino });
  }

  /** What others know a node by; null where they do not. */
  #ino(node: number): number | null {
    const ino = this.#shared.nodes.inoOf(node);
    return ino < PENDING_FIRST ? ino : null;
  }
}

function commandOf(
  { ino, owner, range, flock }: {
    readonly ino: number;
    readonly owner: bigint;
    readonly range: LockRange;
    readonly flock: boolean;
  },
): LockCommand {
  const { kind, start, pid } = range;
  const end = range.end > OFFSET_MAX ? OFFSET_MAX : range.end;
  return { type: flock ? "flock" : "posix", kind, ino, owner, start, end, pid };
}
