/**
 * One opening of a shared disk: the calls of a daemon's life, one by one. It stands for the disk
 * process of the daemon, which may hang in the kernel and carry out a call long after its daemon.
 *
 * @module
 */
import type { DiskFailure, PreemptAsk } from "../host/ports.ts";
import type { DiskPath, Opening, SimDisk, SimDisks } from "./disk.ts";
import type { Life } from "./life.ts";
import { draw, drawSlow } from "./options.ts";
import type { Nexus } from "./reservations.ts";
import { Happening } from "./world.ts";

/** One call: what it does to the disk, and how it is answered. */
export interface DiskCall {
  /** Carries it out; called at most once. What it returns is handed to the daemon. */
  readonly execute: () => () => void;
  readonly fail: (failure: DiskFailure) => void;
  /** The bytes of a write, for what a crash leaves of them. */
  readonly write?: { readonly offset: number; readonly bytes: Uint8Array };
}

/** See the module's note. */
export class DiskOpening implements Opening {
  readonly host: number;
  readonly disk: SimDisk;
  readonly life: Life;
  readonly nexus: Nexus;
  readonly #disks: SimDisks;
  #queue: DiskCall[] = [];
  #answer: (() => void) | null = null;
  #closed = false;
  #begun = false;
  readonly #effect = new Happening(() => this.#execute());
  readonly #end = new Happening(() => this.#finish());

  constructor(disks: SimDisks, parts: { host: number; disk: SimDisk; life: Life }) {
    this.#disks = disks;
    this.host = parts.host;
    this.disk = parts.disk;
    this.life = parts.life;
    this.nexus = disks.nexus(parts.host);
    disks.watch(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The call under way was with the target before we were ejected, and is carried out still. */
  get lingers(): boolean {
    return this.#begun && this.disk.lingers(this.nexus, this.#disks.world.now);
  }

  /** PREEMPT AND ABORT, or without ABORT: then what the victims had sent goes on for a while. */
  preempt(nexus: Nexus, ask: PreemptAsk): DiskFailure | null {
    const { disk } = this;
    const abort = ask.abort !== false;
    if (abort && !disk.aborts) return NO_ABORT;
    const victims = disk.reservations.nexusesOf(ask.victim);
    const failure = disk.reservations.preempt(nexus, ask);
    if (failure !== null || abort) return failure;
    const { world, prng } = this.#disks;
    disk.linger(victims, world.now + draw(prng, world.options.diskLingerMs));
    this.#disks.ejected(disk, new Set(victims));
    return null;
  }

  /** Ejected while a call of ours may be with the target. */
  ejected(): void {
    this.#begun = this.#queue.length > 0 && this.#answer === null;
  }

  /**
   * Takes one call; it is answered exactly once, but for a path that hangs or a daemon that dies.
   */
  call(call: DiskCall): void {
    if (this.#closed) return this.#fail(call, CLOSED);
    this.#queue.push(call);
    if (this.#queue.length === 1) this.#begin();
  }

  /** The daemon lets go: what is not under way is not done, and everything is answered. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const [head, ...rest] = this.#queue;
    const answer = this.#answer;
    if (head !== undefined) {
      if (answer === null) this.#fail(head, CLOSED);
      else this.#disks.world.after(0, () => this.#tell(answer));
    }
    for (const each of rest) this.#fail(each, CLOSED);
    if (head !== undefined && this.#hangs()) this.#queue = [head];
    else {
      if (head !== undefined) this.#settle(head, "close");
      this.#retire();
    }
  }

  /** The daemon is dead. Its disk process goes on with some of what it was given, and then ends. */
  orphan(): void {
    if (this.#closed) return;
    this.#closed = true;
    const kept = this.#disks.prng.between(0, this.#queue.length);
    this.#queue.length = kept;
    if (kept === 0) this.#retire();
  }

  /** The host is dead. What was under way is drawn, and what hung may still happen. */
  powerOff(): void {
    this.#closed = true;
    const [head] = this.#queue;
    if (head !== undefined && this.#hangs()) this.#queue = [head];
    else {
      if (head !== undefined) this.#settle(head, "power");
      this.#retire();
    }
  }

  pathChanged(state: DiskPath): void {
    const [head] = this.#queue;
    if (state === "hung") {
      this.#disks.world.cancel(this.#effect);
      this.#disks.world.cancel(this.#end);
    } else if (head !== undefined && !this.#effect.scheduled && !this.#end.scheduled) {
      this.#mended(head);
    }
  }

  #mended(head: DiskCall): void {
    const { world, prng } = this.#disks;
    if (this.#answer !== null) world.move(this.#end, world.now + this.#half());
    else if (prng.chance(world.options.diskHungExecuted)) this.#carryOut();
    else world.after(this.#half(), () => this.#over(head, () => this.#fail(head, LOST)));
  }

  #begin(): void {
    if (this.#queue.length > 0 && !this.#hangs()) this.#carryOut();
  }

  /** The first call takes effect, and is answered after that. */
  #carryOut(): void {
    const { world } = this.#disks;
    const effect = world.now + this.#half();
    world.move(this.#effect, effect);
    world.move(this.#end, effect + this.#half());
  }

  #execute(): void {
    const [head] = this.#queue;
    if (head === undefined || this.#answer !== null) return;
    const { world } = this.#disks;
    world.note(this.host, this.nexus);
    const state = this.#disks.pathOf(this.host, this.disk.path);
    this.#answer = state === "failing" ? () => head.fail(FAILING) : head.execute();
  }

  #finish(): void {
    const [head] = this.#queue;
    const answer = this.#answer;
    if (head === undefined || answer === null) return;
    this.#over(head, () => this.#tell(answer));
  }

  /** One call is over; the next begins. */
  #over(head: DiskCall, tell: () => void): void {
    if (this.#queue[0] !== head) return;
    this.#queue.shift();
    this.#answer = null;
    this.#begun = false;
    if (!this.#closed) tell();
    else if (this.#queue.length === 0) return this.#retire();
    if (!this.#effect.scheduled && !this.#end.scheduled) this.#begin();
  }

  /** Decides what becomes of a call under way that nobody waits for any more. */
  #settle(head: DiskCall, why: "close" | "power"): void {
    const { world, prng } = this.#disks;
    if (this.#answer !== null || !prng.chance(world.options.diskCrashExecuted)) return;
    if (this.#disks.pathOf(this.host, this.disk.path) !== "ok") return;
    const { write } = head;
    const torn = write !== undefined && why === "power" && prng.chance(world.options.diskCrashTorn);
    if (!torn) head.execute();
    else if (this.disk.reservations.allows(this.nexus, "write")) {
      this.disk.tear(write.offset, write.bytes, prng);
    }
  }

  #retire(): void {
    this.#queue = [];
    this.#disks.world.cancel(this.#effect);
    this.#disks.world.cancel(this.#end);
    this.#disks.unwatch(this);
  }

  #hangs(): boolean {
    return this.#disks.pathOf(this.host, this.disk.path) === "hung";
  }

  #fail(call: DiskCall, failure: DiskFailure): void {
    this.#disks.world.after(0, () => this.#tell(() => call.fail(failure)));
  }

  #tell(answer: () => void): void {
    this.life.deliver(answer);
  }

  #half(): number {
    const { diskCallMs, diskSlow, diskSlowMs } = this.#disks.world.options;
    const slow = { chance: diskSlow, range: diskSlowMs };
    return drawSlow(this.#disks.prng, diskCallMs, slow) / 2;
  }
}

const NO_ABORT: DiskFailure = { failure: "unsupported", detail: "There is no PREEMPT AND ABORT" };
const CLOSED: DiskFailure = { failure: "io", detail: "The disk was closed" };
const LOST: DiskFailure = { failure: "io", detail: "The call was lost while the path hung" };
const FAILING: DiskFailure = { failure: "io", detail: "The path to the disk fails" };
