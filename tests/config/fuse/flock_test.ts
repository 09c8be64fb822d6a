/** flock(2) and fcntl(2) through mounts of several nodes. */
import assert from "node:assert/strict";
import { OFFSET_MAX } from "../../../mod/config/lock_wire.ts";
import { LOCK_WAITERS_MAX } from "../../../mod/config/fuse/limits.ts";
import type { FuseCall, LockRange, OpenFlags } from "../../../mod/config/fuse/requests.ts";
import { Bench, CALL_MS, type Seat, word } from "./bench.ts";
import { CUT, type Fd, READ, System, WRITE } from "./system.ts";

const UPDATE: OpenFlags = { ...WRITE, read: true };

interface Options {
  readonly kind?: LockRange["kind"];
  readonly owner?: bigint;
  readonly flock?: boolean;
  readonly wait?: boolean;
  readonly start?: bigint;
  readonly end?: bigint;
}

function setlk({ handle }: Fd, options: Options = {}): FuseCall {
  const { kind = "write", owner = 1n, flock = false, wait = false } = options;
  const { start = 0n, end = OFFSET_MAX } = options;
  return { call: "setlk", handle, owner, flock, wait, range: { kind, start, end, pid: 7 } };
}

/** A process of a node that has a file open. */
class Process {
  readonly seat: Seat;
  readonly system: System;
  readonly fd: Fd;

  constructor(seat: Seat, path = "f", flags = UPDATE, create = false) {
    this.seat = seat;
    this.system = new System(seat);
    this.fd = this.system.opened(path, flags, create);
  }

  lock(options: Options = {}): string {
    return word(this.seat.call(this.fd.node, setlk(this.fd, options)));
  }

  unlock(options: Options = {}): string {
    return this.lock({ ...options, kind: "unlock" });
  }

  /** Asks, and does not wait for the answer. */
  begin(options: Options = {}): number {
    const unique = this.seat.ask(this.fd.node, setlk(this.fd, { wait: true, ...options }));
    if (this.seat.bench.auto) this.seat.bench.commitAll();
    return unique;
  }

  answer(unique: number): string {
    return word(this.seat.answers.get(unique));
  }

  interrupt(target: number): void {
    this.seat.ask(0, { call: "interrupt", target });
    if (this.seat.bench.auto) this.seat.bench.commitAll();
  }

  flush(owner: bigint): string {
    return word(this.seat.call(this.fd.node, { call: "flush", handle: this.fd.handle, owner }));
  }

  release(flockOwner: bigint | null): void {
    this.seat.call(this.fd.node, { call: "release", handle: this.fd.handle, flockOwner });
    if (this.seat.bench.auto) this.seat.bench.commitAll();
  }
}

function desk(nodes = 2): { bench: Bench; here: Process; there: Process } {
  const bench = new Bench(nodes);
  bench.elsewhere({ op: "create", path: "f" });
  return { bench, here: new Process(bench.seat(1)), there: new Process(bench.seat(2)) };
}

for (const flock of [false, true]) {
  const name = flock ? "flock" : "fcntl";
  Deno.test(`${name}: two nodes exclude each other, and readers share`, () => {
    const { here, there } = desk();
    assert.equal(here.lock({ flock }), "ok");
    assert.equal(there.lock({ flock }), "EAGAIN");
    assert.equal(there.lock({ flock, kind: "read" }), "EAGAIN");
    assert.equal(here.unlock({ flock }), "ok");
    assert.equal(there.lock({ flock, kind: "read" }), "ok");
    assert.equal(here.lock({ flock, kind: "read" }), "ok");
    assert.equal(here.lock({ flock }), "EAGAIN");
  });

  Deno.test(`${name}: who waits gets it when it is given back, in order of arrival`, () => {
    const { bench, here, there } = desk();
    const last = new Process(bench.seat(2));
    here.lock({ flock });
    const first = there.begin({ flock, owner: 2n });
    const second = last.begin({ flock, owner: 3n });
    assert.deepEqual([there.answer(first), last.answer(second)], ["waits", "waits"]);
    here.unlock({ flock });
    assert.deepEqual([there.answer(first), last.answer(second)], ["ok", "waits"]);
    there.unlock({ flock, owner: 2n });
    assert.equal(last.answer(second), "ok");
  });

  Deno.test(`${name}: there is no bound on waiting for a lock`, () => {
    const { bench, here, there } = desk();
    here.lock({ flock });
    const waits = there.begin({ flock });
    bench.pass(100 * CALL_MS);
    assert.equal(there.answer(waits), "waits");
    here.unlock({ flock });
    assert.equal(there.answer(waits), "ok");
  });

  Deno.test(`${name}: a signal ends the wait, and leaves no lock behind`, () => {
    const { here, there } = desk();
    here.lock({ flock });
    const waits = there.begin({ flock });
    there.interrupt(waits);
    assert.equal(there.answer(waits), "EINTR");
    here.unlock({ flock });
    assert.equal(here.lock({ flock }), "ok");
  });

  Deno.test(`${name}: what is granted after the signal is given back at once`, () => {
    const { bench, here, there } = desk();
    bench.auto = false;
    const waits = there.begin({ flock });
    there.interrupt(waits);
    assert.equal(there.answer(waits), "EINTR");
    bench.commit();
    assert.equal(bench.first.replica.locks.count(2), 1, "it is granted");
    bench.commitAll();
    assert.equal(bench.first.replica.locks.count(2), 0, "and given back");
    bench.auto = true;
    assert.equal(here.lock({ flock }), "ok");
  });

  Deno.test(`${name}: an interrupted upgrade leaves what there was`, () => {
    const { bench, there } = desk();
    assert.equal(there.lock({ flock, kind: "read" }), "ok");
    bench.auto = false;
    there.interrupt(there.begin({ flock }));
    bench.commitAll();
    const [lock, ...rest] = bench.first.replica.locks.locks(there.fd.node);
    assert.deepEqual([lock?.kind, rest.length], ["read", 0]);
  });

  Deno.test(`${name}: closing right after the signal leaves nothing, in whatever order`, () => {
    for (const early of [false, true]) {
      const { bench, there } = desk();
      assert.equal(there.lock({ flock, kind: "read" }), "ok");
      bench.auto = false;
      const waits = there.begin({ flock });
      if (early) bench.commit();
      there.interrupt(waits);
      if (!flock) there.seat.ask(there.fd.node, { ...closing(there.fd) });
      there.release(flock ? 1n : null);
      bench.commitAll();
      assert.equal(bench.first.replica.locks.count(2), 0, `early: ${early}`);
    }
  });

  Deno.test(`${name}: without quorum nothing is locked, and what is given back is free later`, () => {
    const { bench, here, there } = desk();
    here.lock({ flock });
    bench.seat(1).setFrozen(true);
    assert.equal(here.lock({ flock, kind: "read" }), "EROFS");
    assert.equal(here.lock({ flock, kind: "read", wait: true }), "EROFS");
    assert.equal(here.unlock({ flock }), "ok");
    assert.equal(there.lock({ flock }), "EAGAIN");
    bench.seat(1).setFrozen(false);
    bench.commitAll();
    assert.equal(there.lock({ flock }), "ok");
  });

  Deno.test(`${name}: nobody answers: EAGAIN, and it is not locked later`, () => {
    const { bench, here, there } = desk();
    bench.auto = false;
    const asked = there.begin({ flock, wait: false });
    const waits = there.begin({ flock, owner: 2n });
    bench.pass(CALL_MS);
    assert.deepEqual([there.answer(asked), there.answer(waits)], ["EAGAIN", "EAGAIN"]);
    bench.auto = true;
    bench.commitAll();
    assert.equal(here.lock({ flock }), "ok");
  });
}

function closing({ handle }: Fd): FuseCall {
  return { call: "flush", handle, owner: 1n };
}

Deno.test("fcntl: any close of the file by its process gives back all of it; another's does not", () => {
  const { bench, here, there } = desk();
  const again = new Process(bench.seat(1), "f", READ);
  here.lock({ owner: 5n });
  assert.equal(again.flush(6n), "ok");
  assert.equal(there.lock(), "EAGAIN");
  assert.equal(again.flush(5n), "ok");
  assert.equal(there.lock(), "ok");
});

Deno.test("flock: the last close gives it back, one of several descriptors does not", () => {
  const { here, there } = desk();
  here.lock({ flock: true, owner: 5n });
  here.flush(1n);
  assert.equal(there.lock({ flock: true }), "EAGAIN");
  here.release(5n);
  assert.equal(there.lock({ flock: true }), "ok");
});

Deno.test("GETLK tells of a conflict, with the process where it is of this node", () => {
  const { bench, here, there } = desk();
  here.lock({ start: 3n, end: 5n });
  const ask = ({ seat, fd }: Process, owner: bigint, start: bigint) => {
    const range = { kind: "read", start, end: 9n, pid: 1 } as const;
    const reply = seat.call(fd.node, { call: "getlk", handle: fd.handle, owner, range });
    assert.equal(reply.reply, "lock");
    return reply.reply === "lock" ? reply.range : null;
  };
  assert.deepEqual(ask(there, 1n, 0n), { kind: "write", start: 3n, end: 5n, pid: 0 });
  assert.deepEqual(ask(here, 2n, 0n), { kind: "write", start: 3n, end: 5n, pid: 7 });
  assert.equal(ask(here, 1n, 0n)?.kind, "unlock", "its own");
  assert.equal(ask(there, 1n, 6n)?.kind, "unlock");
  assert.equal(bench.waiting.length, 0, "nothing comes into the log");
});

Deno.test("a file that nobody else has yet is created first: both lock the same one", () => {
  const { bench } = desk();
  const here = new Process(bench.seat(1), "lockfile", CUT, true);
  const there = new Process(bench.seat(2), "lockfile", CUT, true);
  assert.equal(here.lock({ flock: true }), "ok");
  assert.equal(bench.seat(2).text("lockfile"), "");
  assert.equal(there.lock({ flock: true }), "EAGAIN");
  here.release(1n);
  assert.equal(there.lock({ flock: true }), "ok");
});

Deno.test("what was written under a lock is there for the next one, also before it is closed", () => {
  const { here, there } = desk();
  here.lock();
  here.system.write(here.fd, "1");
  const waits = there.begin();
  assert.equal(here.unlock(), "ok");
  assert.equal(there.answer(waits), "ok");
  assert.equal(there.system.read(there.fd), "1");
});

Deno.test("a reader that has read before it waited reads anew once it has the lock", () => {
  const { bench, here, there } = desk();
  bench.elsewhere({ op: "write", path: "f", offset: 0, data: new TextEncoder().encode("old") });
  assert.equal(there.system.read(there.fd, 0, 1), "o");
  here.lock();
  here.system.write(here.fd, "NEW");
  here.unlock();
  there.lock();
  assert.equal(there.system.read(there.fd, 1, 2), "EW");
});

Deno.test("what cannot be committed when the lock is given back never is", () => {
  const { bench, here, there } = desk();
  here.lock();
  here.system.write(here.fd, "stale");
  bench.seat(1).setFrozen(true);
  bench.auto = false;
  const unlocking = here.begin({ kind: "unlock" });
  bench.refuse("config.no-quorum");
  assert.equal(here.answer(unlocking), "ok");
  bench.seat(1).setFrozen(false);
  bench.auto = true;
  bench.commitAll();
  assert.equal(there.lock(), "ok");
  assert.equal(here.flush(9n), "EROFS", "the program is told");
  here.release(null);
  assert.equal(bench.first.text("f"), "");
});

Deno.test("fcntl: a ring of waiting processes of one node is EDEADLK", () => {
  const { bench, here } = desk();
  const other = new Process(bench.seat(1));
  here.lock({ owner: 1n, start: 0n, end: 0n });
  other.lock({ owner: 2n, start: 1n, end: 1n });
  const waits = here.begin({ owner: 1n, start: 1n, end: 1n });
  assert.equal(here.answer(waits), "waits");
  const second = other.begin({ owner: 2n, start: 0n, end: 0n });
  assert.equal(other.answer(second), "EDEADLK");
  other.unlock({ owner: 2n });
  assert.equal(here.answer(waits), "ok");
});

Deno.test("more waiting programs than the bound are ENOLCK", () => {
  const { here, there } = desk();
  here.lock();
  for (let owner = 0; owner < LOCK_WAITERS_MAX; owner++) there.begin({ owner: BigInt(owner) });
  assert.equal(there.lock({ owner: 9999n, wait: true }), "ENOLCK");
  here.unlock();
  assert.equal(there.lock({ owner: 0n }), "ok", "the first one has it");
});

Deno.test("ranges: bytes beside each other, beyond every file, and none at all", () => {
  const { here, there } = desk();
  assert.equal(here.lock({ start: 0n, end: 0n }), "ok");
  assert.equal(there.lock({ start: 1n, end: 2n ** 64n - 1n }), "ok");
  assert.equal(here.lock({ start: OFFSET_MAX, end: OFFSET_MAX }), "EAGAIN");
  assert.equal(there.unlock({ start: 5n, end: 5n }), "ok");
  assert.equal(here.lock({ start: 5n, end: 5n }), "ok");
  const unknown = { ...setlk(here.fd), handle: 999 } as FuseCall;
  assert.equal(word(here.seat.call(here.fd.node, unknown)), "EBADF");
});

Deno.test("an unlinked file stays locked for those who have it, and its name's next one is free", () => {
  const { here, there } = desk();
  here.lock();
  assert.equal(here.system.unlink("f"), "ok");
  assert.equal(there.lock(), "EAGAIN");
  const next = new Process(there.seat, "f", CUT, true);
  assert.equal(next.lock(), "ok");
});

Deno.test("a new mount gives back what the one before it had", () => {
  const { bench, here, there } = desk();
  here.lock();
  const waits = there.begin();
  here.seat.call(1, { call: "init", major: 7, minor: 41, flags: 0n, maxReadahead: 0 });
  bench.commitAll();
  assert.equal(there.answer(waits), "ok");
});

Deno.test("a node that was taken for dead loses its locks, and what it wrote under them", () => {
  const { bench, here, there } = desk();
  const reader = new Process(bench.seat(1), "f", READ);
  here.lock();
  here.system.write(here.fd, "stale");
  const waits = there.begin();
  const life = bench.first.replica.locks.life(1)?.life ?? "";
  bench.append({ kind: "locks-release", node: 1, life });
  bench.commitAll();
  assert.equal(there.answer(waits), "ok");
  there.system.write(there.fd, "new");
  there.unlock();
  assert.equal(here.flush(1n), "EIO");
  assert.equal(bench.first.text("f"), "new");
  assert.equal(reader.lock({ kind: "read" }), "ok", "it goes on as another life");
});

Deno.test("also what is under way then is not written over what others wrote", () => {
  const { bench, here, there } = desk();
  here.lock();
  here.system.write(here.fd, "stale");
  bench.auto = false;
  here.seat.ask(here.fd.node, closing(here.fd));
  const [proposal] = bench.waiting.splice(0);
  assert.ok(proposal);
  const life = bench.first.replica.locks.life(1)?.life ?? "";
  bench.append({ kind: "locks-release", node: 1, life });
  bench.auto = true;
  there.lock();
  there.system.write(there.fd, "new");
  there.unlock();
  bench.propose(proposal);
  bench.commitAll();
  assert.equal(bench.first.text("f"), "new");
});

Deno.test("a snapshot brings the locks, and answers what is in it", () => {
  const { bench, here, there } = desk(3);
  const third = new Process(bench.seat(3));
  bench.auto = false;
  const asked = here.begin({ wait: false });
  const late = third.begin();
  // Node 3 hears of none of this by the log.
  const others = [bench.seat(1), bench.seat(2)];
  bench.commit(others);
  bench.commit(others);
  assert.deepEqual([here.answer(asked), third.answer(late)], ["ok", "waits"]);
  bench.seat(3).adopt(bench.seat(1));
  bench.auto = true;
  assert.equal(third.answer(late), "waits");
  here.unlock();
  assert.equal(third.answer(late), "ok");
  assert.equal(there.lock(), "EAGAIN");
});
