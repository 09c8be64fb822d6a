/** The loop of a FUSE session over a device that is none, so that every turn can be looked at. */
import assert from "node:assert/strict";
import type { ReadResult } from "../../mod/host/ffi/fuse_device.ts";
import {
  type FuseChannel,
  LinuxFuseSession,
  NOTICES_AT_ONCE_MAX,
  NOTICES_MAX,
  SPIN_MS,
  TURN_MS,
} from "../../mod/host/linux/fuse_session.ts";

const REQUEST: ReadResult = { got: "request", bytes: new Uint8Array([1]) };
const RETRY: ReadResult = { got: "retry" };
const NOTHING: ReadResult = { got: "nothing" };
const ENODEV: ReadResult = { got: "error", errno: 19 };
/** Of a mount that is not there: nothing is unmounted for it. */
const MOUNT = { id: -1, parent: -1, device: "0:0", target: "/nonexistent", type: "", source: "" };

/** Gives what it is told to, and writes down what is done to it. */
class Channel implements FuseChannel {
  readonly log: string[] = [];
  readonly asides: (() => void)[] = [];
  readonly #results: ReadResult[];
  /** Milliseconds. */
  now = 0;
  onRead: (result: ReadResult) => void = () => {};

  constructor(results: readonly ReadResult[]) {
    this.#results = [...results];
  }

  read(): ReadResult {
    const result = this.#results.shift() ?? ENODEV;
    this.onRead(result);
    return result;
  }

  write(bytes: Uint8Array): number {
    this.log.push(`write ${bytes.length}`);
    return 0;
  }

  writeAside(): Promise<void> {
    return new Promise((done) => this.asides.push(done));
  }

  wait(): Promise<void> {
    this.log.push("wait");
    return Promise.resolve();
  }

  ring(): void {
    this.log.push("ring");
  }

  close(): void {
    this.log.push("close");
  }
}

function sessionOf(
  channel: Channel,
  onRequest: () => void = () => channel.log.push("request"),
): LinuxFuseSession {
  const onClosed = (why: string) => channel.log.push(`closed: ${why}`);
  return new LinuxFuseSession({
    device: channel,
    mount: MOUNT,
    handlers: { onRequest, onClosed },
    now: () => channel.now,
  });
}

const END = ["ring", "close", "closed: it was unmounted from outside"];

Deno.test("LinuxFuseSession takes all that is there in one turn", async () => {
  const channel = new Channel([REQUEST, RETRY, REQUEST, REQUEST]);
  await sessionOf(channel).run();
  assert.deepEqual(channel.log, ["wait", "request", "request", "request", ...END]);
});

Deno.test("LinuxFuseSession gives the event loop its turn, however much there is to read", async () => {
  const channel = new Channel(new Array(5).fill(REQUEST));
  await sessionOf(channel, () => {
    channel.log.push("request");
    // Half of what a turn may last: so every second request is the last one of its turn.
    channel.now += TURN_MS / 2;
  }).run();
  const turn = ["wait", "request", "request"];
  assert.deepEqual(channel.log, [...turn, ...turn, "wait", "request", ...END]);
});

Deno.test("LinuxFuseSession looks for a following request a moment, for a first one not", async () => {
  const channel = new Channel([NOTHING, REQUEST, NOTHING, NOTHING, REQUEST, NOTHING, REQUEST]);
  let looks = 0;
  channel.onRead = (result) => {
    if (result.got === "nothing" && ++looks > 3) channel.now += SPIN_MS;
  };
  await sessionOf(channel).run();
  const expected = ["wait", "wait", "request", "request", "wait", "request", ...END];
  assert.deepEqual(channel.log, expected);
});

Deno.test("LinuxFuseSession ends on an error that stays, not on one that passes", async () => {
  const strange: ReadResult = { got: "error", errno: 5 };
  const passing = new Channel([strange, strange, REQUEST, strange, strange, REQUEST]);
  await sessionOf(passing).run();
  assert.deepEqual(passing.log, ["wait", "request", "request", ...END]);
  const staying = new Channel([strange, strange, strange]);
  await sessionOf(staying).run();
  assert.equal(staying.log.at(-1), "closed: reading the device failed with errno 5");
});

Deno.test("LinuxFuseSession answers until the end, and is silent after it", async () => {
  const channel = new Channel([REQUEST]);
  const session = sessionOf(channel, () => session.reply(new Uint8Array(20)));
  await session.run();
  assert.deepEqual(channel.log, ["wait", "write 20", ...END]);
  session.reply(new Uint8Array(20));
  session.notify(new Uint8Array(20));
  session.unmount();
  await Promise.resolve();
  assert.deepEqual(channel.log.slice(-1), END.slice(-1));
  assert.equal(channel.asides.length, 0);
});

Deno.test("LinuxFuseSession writes few notices at a time, bounds those that wait, and closes after them", async () => {
  const channel = new Channel([]);
  const session = sessionOf(channel);
  for (let i = 0; i < NOTICES_AT_ONCE_MAX + NOTICES_MAX + 10; i++) {
    session.notify(new Uint8Array(1));
  }
  assert.equal(channel.asides.length, NOTICES_AT_ONCE_MAX);
  channel.asides[1]?.();
  await turns();
  assert.equal(channel.asides.length, NOTICES_AT_ONCE_MAX + 1);
  const end = session.run();
  await turns();
  assert.ok(!channel.log.includes("close"), "a number in use is not closed");
  for (const done of channel.asides) done();
  await end;
  assert.deepEqual(channel.log, ["wait", ...END]);
  assert.equal(channel.asides.length, NOTICES_AT_ONCE_MAX + 1, "what waited is dropped at the end");
});

/** Lets what is already settled run its course. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
