/**
 * What every `ProcessPort` promises. The same suite runs against the Linux port and the simulator's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ResourceId, resourceId } from "../../mod/base/id.ts";
import { after, EPOCH, type Instant } from "../../mod/base/time.ts";
import type { Held, ProcessHealth, ProcessPort, ProcessSpec } from "../../mod/host/ports.ts";

/** A host on which processes run. */
export interface ProcessWorld {
  /** The port of the daemon that lives. */
  port(): ProcessPort;
  /** The daemon's life ends without a word; the next `port()` is that of its next life. */
  crash(): Promise<void>;
  now(): Instant;
  /** A command that runs until it is stopped. */
  readonly lasting: readonly string[];
  /** A command that ends by itself at once, with an exit status other than 0. */
  readonly failing: readonly string[];
  /** Resolves as `answer` does. A simulator runs its events until then. */
  settle<T>(answer: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const WEB = resourceId("exec:web");
const MAIL = resourceId("exec:mail");
const LONG_MS = 600_000;
const GRACE_MS = 5000;

/** A port with promises, in which every call must end exactly once. */
class Hand {
  readonly #world: ProcessWorld;

  constructor(world: ProcessWorld) {
    this.#world = world;
  }

  start(id: ResourceId, command = this.#world.lasting): Promise<string | null> {
    const spec: ProcessSpec = { id, command, environment: {}, directory: null };
    return this.#answer((done) => this.#world.port().start(spec, done));
  }

  stop(id: ResourceId): Promise<string | null> {
    return this.#answer((done) => this.#world.port().stop(id, GRACE_MS, done));
  }

  health(id: ResourceId): Promise<ProcessHealth> {
    const ask = { id, command: null, timeoutMs: GRACE_MS };
    return this.#answer((done) => this.#world.port().monitor(ask, done));
  }

  killAll(): Promise<string | null> {
    return this.#answer((done) => this.#world.port().killAll(done));
  }

  /** Something that this command undoes is about to be made. */
  hold(id: ResourceId, note = "note"): Promise<string | null> {
    const undo = [{ undo: "command", command: ["true"], environment: {}, timeoutMs: GRACE_MS }];
    return this.#answer((done) =>
      this.#world.port().hold({ id, undo: undo as Held["undo"], note }, done)
    );
  }

  /** Held, and made. */
  async make(id: ResourceId): Promise<void> {
    assert.equal(await this.hold(id), null);
    assert.equal(this.#world.port().refusal(id), null);
    this.#world.port().made(id);
  }

  undo(id: ResourceId): Promise<string | null> {
    return this.#answer((done) => this.#world.port().undo(id, done));
  }

  list(): Promise<readonly ResourceId[]> {
    return this.#answer((done) => this.#world.port().list(done));
  }

  guard(ms: number): void {
    this.#world.port().guardUntil(after(this.#world.now(), ms));
  }

  exit(): Promise<ResourceId> {
    return this.#answer((done) => this.#world.port().onExit((id) => done(id)));
  }

  #answer<T>(call: (done: (value: T) => void) => void): Promise<T> {
    return this.#world.settle(
      new Promise<T>((resolve, reject) => {
        let calls = 0;
        call((value) => {
          calls += 1;
          if (calls > 1) reject(new Error("A call ended twice"));
          resolve(value);
        });
      }),
    );
  }
}

/** Registers the suite's tests under `name`. */
export function processSuite(name: string, makeWorld: () => ProcessWorld): void {
  const test = (what: string, body: (hand: Hand, world: ProcessWorld) => Promise<void>) =>
    Deno.test(`${name} ${what}`, async () => {
      const world = makeWorld();
      try {
        const hand = new Hand(world);
        hand.guard(LONG_MS);
        await body(hand, world);
      } finally {
        await world.close();
      }
    });

  test("runs what was started and nothing after its stop", async (hand) => {
    assert.deepEqual(await hand.list(), []);
    assert.deepEqual(await hand.health(WEB), { state: "stopped" });
    assert.equal(await hand.start(WEB), null);
    assert.equal(await hand.start(MAIL), null);
    assert.deepEqual(await hand.list(), [MAIL, WEB]);
    assert.deepEqual(await hand.health(WEB), { state: "running" });
    assert.equal(await hand.stop(WEB), null);
    assert.deepEqual(await hand.list(), [MAIL]);
    assert.deepEqual(await hand.health(WEB), { state: "stopped" });
    assert.equal(await hand.start(WEB), null);
    assert.deepEqual(await hand.health(WEB), { state: "running" });
  });

  test("takes a second start and a second stop as done", async (hand) => {
    assert.equal(await hand.start(WEB), null);
    assert.equal(await hand.start(WEB), null);
    assert.deepEqual(await hand.list(), [WEB]);
    assert.equal(await hand.stop(WEB), null);
    assert.equal(await hand.stop(WEB), null);
    assert.deepEqual(await hand.list(), []);
  });

  test("kills everything on demand, and starts again afterwards", async (hand) => {
    assert.equal(await hand.start(WEB), null);
    assert.equal(await hand.start(MAIL), null);
    assert.equal(await hand.killAll(), null);
    assert.deepEqual(await hand.list(), []);
    assert.equal(await hand.killAll(), null);
    assert.equal(await hand.start(WEB), null);
    assert.deepEqual(await hand.list(), [WEB]);
  });

  test("tells that a resource ended by itself", async (hand, world) => {
    const ended = hand.exit();
    assert.notEqual(await hand.start(WEB, []), null, "an empty command is no command");
    await hand.start(MAIL, world.failing);
    assert.equal(await ended, MAIL);
    assert.notEqual((await hand.health(MAIL)).state, "running");
  });

  test(
    "keeps resources through a crash of the daemon, and knows them again",
    async (hand, world) => {
      assert.equal(await hand.start(WEB), null);
      await world.crash();
      assert.deepEqual(await hand.list(), [WEB]);
      assert.deepEqual(await hand.health(WEB), { state: "running" });
      assert.equal(await hand.start(WEB), null);
      assert.equal(await hand.stop(WEB), null);
      assert.deepEqual(await hand.list(), []);
    },
  );

  test("kills everything at once when the guard is taken back", async (hand, world) => {
    const ended = hand.exit();
    assert.equal(await hand.start(WEB), null);
    world.port().guardUntil(EPOCH);
    assert.equal(await ended, WEB);
    assert.equal(await hand.killAll(), null);
    assert.deepEqual(await hand.list(), []);
  });

  test("counts what is held as running until it is undone and let go", async (hand, world) => {
    assert.equal(world.port().note(WEB), null);
    await hand.make(WEB);
    assert.deepEqual(await hand.list(), [WEB]);
    assert.equal(world.port().note(WEB), "note");
    assert.notEqual(await hand.hold(WEB), null, "it is held still");
    assert.equal(await hand.undo(WEB), null);
    assert.equal(await hand.stop(WEB), null);
    world.port().free(WEB);
    assert.deepEqual(await hand.list(), []);
    assert.equal(world.port().note(WEB), null);
    await hand.make(WEB);
  });

  test("keeps what is held through a crash of the daemon", async (hand, world) => {
    await hand.make(WEB);
    await world.crash();
    assert.deepEqual(await hand.list(), [WEB]);
    assert.equal(world.port().note(WEB), "note");
    assert.notEqual(world.port().refusal(WEB), null, "it was another life that held it");
  });

  test(
    "undoes what is held in a kill of everything, and lets nothing be made by then",
    async (hand, world) => {
      await hand.make(WEB);
      assert.equal(await hand.killAll(), null);
      assert.deepEqual(await hand.list(), []);
      assert.notEqual(world.port().refusal(WEB), null);
      await hand.make(MAIL);
      assert.deepEqual(await hand.list(), [MAIL]);
    },
  );

  test("holds nothing without the guard", async (hand, world) => {
    world.port().guardUntil(EPOCH);
    assert.notEqual(await hand.hold(WEB), null);
    assert.deepEqual(await hand.list(), []);
    assert.equal(world.port().note(WEB), null);
  });
}
