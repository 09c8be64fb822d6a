import assert from "node:assert/strict";
import { type Instant, instant, NEVER } from "../../mod/base/time.ts";
import type { ClockPort, Disk, DiskFailure, DiskPort } from "../../mod/host/ports.ts";
import { DiskDriver } from "../../mod/storage/block_driver.ts";
import type { DiskCall, DiskResult, StorageEvent } from "../../mod/storage/events.ts";

type Read = (result: Uint8Array | DiskFailure) => void;

/** A driver over a disk whose answers the test gives by hand, and a clock that it moves. */
class Bench {
  readonly answers: [number, DiskResult][] = [];
  readonly opens: ((result: Disk | DiskFailure) => void)[] = [];
  readonly reads: Read[] = [];
  closed = 0;
  now = 0;
  at: Instant = NEVER;
  fire: () => void = () => {};
  readonly driver: DiskDriver;

  constructor() {
    const clock: ClockPort = {
      now: () => instant(this.now),
      wallSeconds: () => 0,
      timer: (fire) => {
        this.fire = fire;
        return { set: (at) => this.at = at };
      },
    };
    const port: DiskPort = { open: (_path, done) => this.opens.push(done) };
    const feed = (event: StorageEvent) => {
      assert.ok(event.kind === "disk" && event.disk === 0);
      this.answers.push([event.tag, event.result]);
    };
    this.driver = new DiskDriver({ port, clock, callMs: () => 100, feed });
  }

  call(tag: number, call: DiskCall): void {
    this.driver.perform({ kind: "disk", disk: 0, tag, call });
  }

  open(tag: number): void {
    this.call(tag, { call: "open", path: "/lun" });
    this.opens.at(-1)?.(this.disk());
  }

  disk(): Disk {
    const unused = () => assert.fail("not called here");
    return {
      kind: "file",
      sizeBytes: 8192,
      read: (_offset, _length, done) => this.reads.push(done),
      write: unused,
      register: unused,
      unregister: unused,
      reserve: unused,
      preempt: unused,
      readReservations: unused,
      command: unused,
      inspect: unused,
      tryWrite: unused,
      close: () => this.closed++,
    };
  }

  pass(ms: number): void {
    this.now += ms;
    if (this.at <= this.now) this.fire();
  }
}

const READ: DiskCall = { call: "read", offset: 0, length: 4096 };

Deno.test("DiskDriver answers a hung call at its deadline, and drops the late answer", () => {
  const bench = new Bench();
  bench.open(1);
  bench.call(2, READ);
  bench.pass(99);
  assert.equal(bench.answers.length, 1);
  bench.pass(1);
  bench.reads[0]?.(new Uint8Array(4096));
  const [tag, result] = bench.answers[1] ?? [];
  assert.equal(tag, 2);
  assert.ok(result?.result === "failed" && result.failure.failure === "hung");
  assert.equal(bench.answers.length, 2);
  assert.equal(bench.at, NEVER);
});

Deno.test("DiskDriver passes on what the disk answers", () => {
  const bench = new Bench();
  bench.open(1);
  bench.call(2, READ);
  bench.reads[0]?.(new Uint8Array([1]));
  assert.deepEqual(bench.answers, [
    [1, { result: "opened", kind: "file", sizeBytes: 8192 }],
    [2, { result: "bytes", bytes: new Uint8Array([1]) }],
  ]);
});

Deno.test("DiskDriver fails calls on a disk that is not open", () => {
  const bench = new Bench();
  bench.call(1, READ);
  const result = bench.answers[0]?.[1];
  assert.ok(result?.result === "failed" && result.failure.failure === "absent");
});

Deno.test("DiskDriver closes the old disk and fails its calls when it is opened again", () => {
  const bench = new Bench();
  bench.open(1);
  bench.call(2, READ);
  bench.call(3, { call: "open", path: "/lun" });
  assert.equal(bench.closed, 1);
  const result = bench.answers[1]?.[1];
  assert.ok(result?.result === "failed" && result.failure.failure === "io");
  bench.reads[0]?.(new Uint8Array(4096));
  assert.equal(bench.answers.length, 2);
});

const OPEN: DiskCall = { call: "open", path: "/lun" };
const OPENED: DiskResult = { result: "opened", kind: "file", sizeBytes: 8192 };

Deno.test("DiskDriver gives a disk that opened after the deadline to the next opening", () => {
  const bench = new Bench();
  bench.call(1, OPEN);
  bench.pass(100);
  bench.opens[0]?.(bench.disk());
  assert.deepEqual([bench.answers.length, bench.closed], [1, 0]);
  bench.call(2, OPEN);
  assert.deepEqual([bench.opens.length, bench.answers[1]], [1, [2, OPENED]]);
  bench.call(3, READ);
  assert.equal(bench.reads.length, 1);
});

Deno.test("DiskDriver starts no second opening while one hangs, however often it is asked", () => {
  const bench = new Bench();
  for (const tag of [1, 2, 3]) {
    bench.call(tag, OPEN);
    bench.pass(100);
  }
  assert.equal(bench.opens.length, 1);
  bench.call(4, OPEN);
  bench.opens[0]?.({ failure: "absent", detail: "gone" });
  const [tag, result] = bench.answers[3] ?? [];
  assert.ok(tag === 4 && result?.result === "failed" && result.failure.failure === "absent");
  bench.open(5);
  assert.deepEqual([bench.opens.length, bench.answers[4]], [2, [5, OPENED]]);
});

Deno.test("DiskDriver closes what opens too late for itself, or for another path", () => {
  const bench = new Bench();
  bench.call(1, OPEN);
  bench.call(2, { call: "open", path: "/other" });
  bench.opens[0]?.(bench.disk());
  assert.equal(bench.closed, 1);
  bench.pass(100);
  bench.opens[1]?.(bench.disk());
  bench.call(3, OPEN);
  assert.equal(bench.closed, 2);
  bench.driver.close();
  bench.opens[2]?.(bench.disk());
  assert.equal(bench.closed, 3);
});
