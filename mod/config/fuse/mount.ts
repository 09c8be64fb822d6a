/**
 * The replicated tree as a file system: what the kernel asks, what it is answered, what it is told
 * unasked. Read `DESIGN.md` of this folder first.
 *
 * @module
 */
import { unreachable } from "../../base/assert.ts";
import type { RequestId } from "../../base/id.ts";
import { reason } from "../../base/reason.ts";
import { earliest, type Instant, NEVER } from "../../base/time.ts";
import type { Change, Outcome, Tag } from "../../streams.ts";
import type { RowEdit } from "../tree.ts";
import { AttributeCalls } from "./attributes.ts";
import type { MountOutput, MountParts } from "./context.ts";
import { Directories } from "./directories.ts";
import { Files } from "./files.ts";
import { BLOCK_BYTES, FULL_CALM, FULL_WARN } from "./limits.ts";
import { LockCalls } from "./locks.ts";
import { Names } from "./names.ts";
import type { FuseReply, FuseRequest } from "./requests.ts";
import { OK, Shared } from "./shared.ts";
import { NAME_BYTES_MAX } from "../path.ts";

/** What one applied entry did. */
export interface AppliedEntry {
  readonly request: RequestId | null;
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly edits: readonly RowEdit[];
}

/** See the module's note. */
export class Mount {
  readonly #parts: MountParts;
  #shared: Shared;
  #locks: LockCalls;
  #files: Files;
  #attributes: AttributeCalls;
  #directories: Directories;
  #names: Names;
  #frozen: boolean | null = null;
  #warned = { bytes: false, inodes: false };

  constructor(parts: MountParts, now: Instant) {
    this.#parts = parts;
    this.#shared = new Shared(parts, now);
    this.#locks = new LockCalls(this.#shared);
    this.#files = new Files(this.#shared, this.#locks);
    this.#attributes = new AttributeCalls(this.#shared, this.#files);
    this.#directories = new Directories(this.#shared);
    this.#names = new Names(this.#shared);
  }

  /** Takes a request of the kernel. */
  request(request: FuseRequest, now: Instant): void {
    this.#shared.clock.now = now;
    const { calls, nodes, handles } = this.#shared;
    switch (request.call) {
      case "init":
        this.#begin(now);
        return this.#shared.calls.reply(request, {
          ...{ reply: "init", posixLocks: true, flockLocks: true },
        });
      case "destroy":
        this.#begin(now);
        return this.#shared.calls.reply(request, OK);
      case "forget":
        for (const { node, count } of request.forgets) {
          nodes.forget(node, count, handles.isOpen(node));
        }
        return;
      case "interrupt":
        return calls.interrupt(request.target);
      case "malformed":
        return calls.refuse(request, request.errno);
      case "lookup":
        return this.#attributes.lookup(request);
      case "getattr":
        return this.#attributes.getattr(request);
      case "setattr":
        return this.#attributes.setattr(request);
      case "access":
        return this.#attributes.access(request);
      case "readlink":
        return this.#attributes.readlink(request);
      case "open":
        return this.#files.open(request);
      case "create":
        return this.#files.create(request);
      case "read":
        return this.#files.read(request);
      case "write":
        return this.#files.write(request);
      case "flush":
        return this.#files.flush(request);
      case "fsync":
        return this.#files.flush(request);
      case "release":
        return this.#files.release(request);
      case "fallocate":
        return this.#files.fallocate(request);
      case "getlk":
        return this.#locks.getlk(request);
      case "setlk":
        return this.#locks.setlk(request);
      case "mkdir":
        return this.#names.mkdir(request);
      case "unlink":
      case "rmdir":
        return this.#names.remove(request);
      case "rename":
        return this.#names.rename(request);
      case "opendir":
        return this.#directories.open(request);
      case "readdir":
        return this.#directories.read(request);
      case "releasedir":
        return this.#directories.close(request);
      // Names are committed when they are made: there is nothing to wait for.
      case "fsyncdir":
        return calls.reply(request, OK);
      case "statfs":
        return calls.reply(request, this.#statfs());
      case "link":
        return calls.refuse(request, "EPERM");
      case "setxattr":
      case "getxattr":
      case "listxattr":
      case "removexattr":
        return calls.refuse(request, "EOPNOTSUPP");
      case "symlink":
      case "mknod":
      case "unsupported":
        return calls.refuse(request, "ENOSYS");
      default:
        return unreachable(request);
    }
  }

  /** The outcome of what was proposed with this tag. */
  onOutcome(tag: Tag, outcome: Outcome, now: Instant): void {
    this.#shared.clock.now = now;
    this.#shared.flights.onOutcome(tag, outcome);
  }

  /** An entry of the log was applied to the tree. */
  onApplied({ request, outcome, changes, edits }: AppliedEntry, now: Instant): void {
    this.#shared.clock.now = now;
    const { flights, texts } = this.#shared;
    for (const change of changes) texts.note(change);
    const ours = request !== null && flights.isOurs(request);
    const silent = request !== null && flights.isSilent(request);
    for (const edit of edits) this.#follow(edit, { ours, silent });
    if (request !== null) flights.onApplied(request, outcome);
    if (edits.length > 0) this.#warn();
  }

  /** Locks were given back on these inodes; null: perhaps on all of them. */
  onFreed(freed: ReadonlySet<number> | null, now: Instant): void {
    this.#shared.clock.now = now;
    this.#locks.wake(freed);
  }

  /** The tree was replaced as a whole: this replica was too far behind to be told each change. */
  onReplaced(now: Instant): void {
    this.#shared.clock.now = now;
    const { nodes, notices, texts } = this.#shared;
    const { view: rows } = this.#parts.tree();
    for (const pending of nodes.allPending()) {
      const row = rows.child(pending.directory, pending.name);
      if (row?.kind === "file") nodes.bind(pending, row.ino);
    }
    texts.replaced();
    notices.all();
    this.#warn();
  }

  /** Time has passed, or something around the mount has changed. */
  tick(now: Instant): void {
    this.#shared.clock.now = now;
    this.#shared.calls.expire();
    this.#shared.flights.expire();
    const frozen = this.#shared.frozen !== null;
    if (this.#frozen !== null && this.#frozen !== frozen) this.#shared.notices.all();
    this.#frozen = frozen;
  }

  /** The next instant at which `tick` is wanted. */
  deadline(): Instant {
    const { calls, flights, notices, clock } = this.#shared;
    const waits = earliest(calls.deadline(), flights.deadline());
    return earliest(waits, notices.sweeping ? clock.now : NEVER);
  }

  /** What is to be written to the kernel, in order: answers first, for some notices wait for them. */
  take(): MountOutput[] {
    const replies = this.#shared.calls.take();
    if (this.#shared.texts.debug) { for (const reply of replies) this.#tell(reply); }
    return [...replies, ...this.#shared.notices.take()];
  }

  /** A new kernel connection knows nothing, and nothing is open in it. */
  #begin(now: Instant): void {
    const answers = this.#shared.calls.take();
    this.#shared.calls.clear();
    this.#parts.locks.restart();
    this.#shared = new Shared(this.#parts, now);
    this.#locks = new LockCalls(this.#shared);
    this.#files = new Files(this.#shared, this.#locks);
    this.#attributes = new AttributeCalls(this.#shared, this.#files);
    this.#directories = new Directories(this.#shared);
    this.#names = new Names(this.#shared);
    for (const each of answers) {
      if (each.output === "reply") this.#shared.calls.reply(each.request, each.reply);
    }
  }

  /** Keeps the mount's own picture in step with one inode. */
  #follow(edit: RowEdit, { ours, silent }: { ours: boolean; silent: boolean }): void {
    const { nodes, handles, notices } = this.#shared;
    const { before, after } = edit;
    const rows = this.#parts.tree().view;
    if (before !== null && after === null) {
      for (const node of nodes.numbersOf(before.ino)) {
        if (handles.isOpen(node)) nodes.orphan(node, before, !ours);
      }
    }
    const replaced = before !== null && rows.child(before.parent, before.name) !== null;
    const placed = before?.parent !== after?.parent || before?.name !== after?.name;
    const pending = after?.kind === "file" && placed
      ? nodes.pendingNamed(after.parent, after.name)
      : undefined;
    // What a program of this node renames over a pending file unlinks that file.
    const displaced = pending !== undefined && ours && before !== null;
    if (displaced) nodes.drop(pending, handles.isOpen(pending.node));
    if (pending === undefined || displaced || after === null) {
      return notices.edit(edit, silent, replaced);
    }
    nodes.bind(pending, after.ino);
    // The kernel knows the name already, as the file that it is.
    if (before !== null && !silent) notices.entry(before.parent, before.name);
    for (const node of nodes.knownAs(after.ino)) notices.inode(node);
  }

  #statfs(): FuseReply {
    const { limits, bytes, size } = this.#parts.tree();
    return {
      reply: "statfs",
      blocks: Math.floor(limits.bytes / BLOCK_BYTES),
      free: Math.floor(Math.max(0, limits.bytes - bytes) / BLOCK_BYTES),
      files: limits.inodes,
      filesFree: Math.max(0, limits.inodes - size),
      blockSize: BLOCK_BYTES,
      nameMax: NAME_BYTES_MAX,
    };
  }

  /** Says once that the tree fills up, and again only after it was emptied in between. */
  #warn(): void {
    const { limits, bytes, size } = this.#parts.tree();
    const shares = { bytes: [bytes, limits.bytes], inodes: [size, limits.inodes] } as const;
    for (const what of ["bytes", "inodes"] as const) {
      const [used, max] = shares[what];
      const before = this.#warned[what];
      this.#warned[what] = before ? used >= FULL_CALM * max : used >= FULL_WARN * max;
      if (before || !this.#warned[what]) continue;
      const percent = Math.floor(100 * used / max);
      const because = reason("config.filling", { used, max, what });
      this.#parts.say(`the tree is ${percent} % full of ${what}`, because);
    }
  }

  #tell(output: MountOutput): void {
    if (output.output !== "reply" || output.reply.reply !== "error") return;
    const { call, node } = output.request;
    this.#parts.say(`${call} of node ${node} is answered with ${output.reply.errno}`, null);
  }
}
