/**
 * One node: the pure core, its drivers, and the world behind the ports. The daemon and the simulator
 * run this very class; all the difference between them is which ports they hand it.
 *
 * One event at a time: what a port calls back while effects are being carried out waits in the inbox.
 * After each event the effects run in order, then the one timer is set to the core's deadline.
 *
 * @module
 */
import { assert, unreachable } from "../base/assert.ts";
import { type ClusterSpec, peersOf } from "../base/cluster.ts";
import type { BootId, NodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import { deriveKey } from "../base/seal.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type {
  Database,
  DatabaseContent,
  DatabaseDamage,
  FuseFailure,
  FuseMountOptions,
  FusePort,
  HistoryAsk,
  HistoryPage,
  Ports,
  TimerHandle,
} from "../host/ports.ts";
import type { ProblemCode } from "../base/problem.ts";
import { judgeLoss } from "../config/mod.ts";
import { FuseDriver } from "../config/fuse_driver.ts";
import { failureCode } from "../host/database_failure.ts";
import { PeerDriver } from "../config/tcp_driver.ts";
import { PersistDriver } from "../config/sqlite_driver.ts";
import { ActionDriver, type ActionEffect } from "../ha/action_driver.ts";
import { WatchdogDriver, type WatchdogEffect } from "../ha/watchdog_driver.ts";
import { UdpDriver } from "../heartbeat/udp_driver.ts";
import { Board, NodeCore, type NodeEffect, type NodeEvent } from "../node/mod.ts";
import { DiskDriver } from "../storage/block_driver.ts";
import type { Fact, Request } from "../streams.ts";
import type { RuntimeOptions } from "./runtime_options.ts";

/** Stream bytes of the peer channel. */
const PEER_STREAM = { config: 2, ha: 3 } as const;

interface Drivers {
  readonly udp: UdpDriver;
  readonly persist: PersistDriver;
  readonly peer: PeerDriver;
  readonly action: ActionDriver;
  readonly watchdog: WatchdogDriver;
  readonly disk: DiskDriver;
}

/** What is mounted where. */
export interface MountAsk {
  readonly fuse: FusePort;
  readonly options: FuseMountOptions;
  readonly onLost: (why: string) => void;
}

/** See the module's note. */
export class NodeRuntime {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly board = new Board();
  /** When the cores ran last; null before their first turn. */
  turned: Instant | null = null;
  readonly #ports: Ports;
  readonly #options: RuntimeOptions;
  readonly #inbox: NodeEvent[] = [];
  readonly #timer: TimerHandle;
  #database: Database | null = null;
  #core: NodeCore | null = null;
  #drivers: Drivers | null = null;
  #spec: ClusterSpec;
  #busy = false;
  #stopped = false;
  #draining: (() => void) | null = null;
  #mount: FuseDriver | null = null;

  constructor(ports: Ports, options: RuntimeOptions) {
    this.self = options.self;
    this.boot = options.boot;
    this.#ports = ports;
    this.#options = options;
    this.#spec = options.spec;
    this.#timer = ports.clock.timer(() => this.#feed({ stream: "node", event: { kind: "tick" } }));
    this.#database = ports.database.open((content) => {
      if (this.#stopped) return;
      if ("damaged" in content) this.#onLoss(content);
      else this.#begin(content);
    });
  }

  /** The database cannot be used. Where peers hold what it held this node begins anew and recovers. */
  #onLoss(damage: DatabaseDamage): void {
    const { self, spec } = this.#options;
    const { random, database } = this.#ports;
    const [a = 0, b = 0, c = 0] = random.bytes(3);
    const nonce = 1 + (a * 256 + b) * 256 + c;
    const verdict = judgeLoss(damage, { self, spec, nonce });
    if (!("beginning" in verdict)) return this.#failDatabase(verdict.why, verdict.code);
    this.#database = database.renew(verdict.beginning, (content) => {
      if (this.#stopped) return;
      // Once is enough: what is damaged right after it was made is the disk's fault.
      if ("damaged" in content) this.#failDatabase(content.damaged);
      else this.#begin(content);
    });
  }

  /** The pure node, for reading. */
  get node(): NodeCore {
    assert(this.#core !== null, "The node is ready");
    return this.#core;
  }

  /** The cluster description in force. */
  get spec(): ClusterSpec {
    return this.#spec;
  }

  /** The node's monotonic clock. */
  now(): Instant {
    return this.#ports.clock.now();
  }

  /** Asks one of the streams; the answer is a fact with the request's tag. */
  request(request: Request): void {
    this.#feed({ stream: "node", event: { kind: "request", request } });
  }

  /**
   * Mounts the tree of a node that is ready, once. `done(null)` when it is mounted; `onLost` when the
   * mount ended and nobody here asked for it.
   */
  mount({ fuse, options, onLost }: MountAsk, done: (failure: FuseFailure | null) => void): void {
    assert(this.#mount === null, "One mount at a time");
    const mount = new FuseDriver({
      fuse,
      feed: (event) => this.#feed({ stream: "config", event }),
      onLost: (why) => {
        this.#mount = null;
        onLost(why);
      },
    });
    this.#mount = mount;
    mount.mount(options, (failure) => {
      if (failure !== null) this.#mount = null;
      done(failure);
    });
  }

  /** Unmounts, where something is mounted; programs are answered until then. */
  unmount(done: () => void): void {
    const mount = this.#mount;
    if (mount === null) return done();
    mount.close(() => {
      this.#mount = null;
      done();
    });
  }

  /** One page of the history, all that is applied now included. A text says why there is none. */
  history(ask: HistoryAsk, done: (page: HistoryPage | { readonly failure: string }) => void): void {
    if (this.#drivers === null) done({ failure: "the node is starting" });
    else this.#drivers.persist.history(ask, done);
  }

  /** Calls `done` once nothing runs here any more and somebody else leads (after `ha.shutdown`). */
  onDrained(done: () => void): void {
    this.#draining = done;
  }

  /** Abandons everything at once, as a crash would: nothing is said to anybody. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer.set(NEVER);
    this.#inbox.length = 0;
    this.#mount?.close(nothing);
    const drivers = this.#drivers;
    if (drivers !== null) {
      drivers.udp.close();
      drivers.peer.close();
      drivers.persist.close();
      drivers.disk.close();
    }
    this.#database?.close();
  }

  #begin(stored: DatabaseContent): void {
    const { self, boot, clusterKey, otherKey = null, spec, disks, groupId = 0 } = this.#options;
    const { clock, random } = this.#ports;
    const [a, b, c, d] = random.bytes(4) as unknown as [number, number, number, number];
    const seed = ((a * 256 + b) * 256 + c) * 256 + d;
    const wallAtStart = clock.wallSeconds();
    const { configLimits, tests } = this.#options;
    const now = clock.now();
    const options = {
      ...{ self, boot, spec, clusterKey, otherKey, stored, disks, seed, wallAtStart, groupId },
      ...(configLimits && { configLimits }),
      ...(tests && { tests: tests(now) }),
    };
    this.#core = new NodeCore(options, now);
    try {
      assert(this.#database !== null, "An opened database is known");
      this.#drivers = this.#makeDrivers(this.#database);
    } catch (error) {
      return this.#fail(error instanceof Error ? error.message : String(error), "settings.invalid");
    }
    this.#busy = true;
    this.#carryOut(this.#core.start(clock.now()));
    this.#busy = false;
    this.#options.onReady?.();
    this.#drain();
  }

  #makeDrivers(database: Database): Drivers {
    const { self, boot, clusterKey, otherKey = null, spec, bind } = this.#options;
    const { clock, random, udp, tcp, watchdog, disk } = this.#ports;
    const closing: { close(): void }[] = [];
    const keep = <T extends { close(): void }>(driver: T): T => {
      closing.push(driver);
      return driver;
    };
    try {
      const persist = keep(
        new PersistDriver({
          database,
          clock,
          send: (to, bytes) => this.#drivers?.peer.send(to, PEER_STREAM.config, bytes),
          feed: (event) => this.#feed({ stream: "config", event }),
          onFatal: (why) => this.#failDatabase(why),
        }),
      );
      const heartbeat = keep(
        new UdpDriver(udp, bind.links, (event) => this.#feed({ stream: "heartbeat", event })),
      );
      const peer = keep(
        new PeerDriver({
          tcp,
          clock,
          random,
          self: { node: self, boot },
          cluster: spec.id,
          clusterKey,
          otherKey,
          listen: bind.peer,
          ticketKey: (ticket) => this.#core?.join.keyOf(ticket, clock.now()) ?? null,
          members: peersOf(spec, self),
        }, {
          onFrame: (from, stream, bytes) => this.#onFrame(from, stream, bytes),
          onJoinFrame: (session, ticket, bytes) =>
            this.#feed({
              stream: "join",
              event: { kind: "session-frame", session, ticket, bytes },
            }),
          onJoinClose: (session) =>
            this.#feed({ stream: "join", event: { kind: "session-closed", session } }),
        }),
      );
      const shared = keep(
        new DiskDriver({
          port: disk,
          clock,
          callMs: () => this.#timing().diskCallMs,
          feed: (event) => this.#feed({ stream: "storage", event }),
        }),
      );
      const migrationKey = (name: string) => deriveKey(clusterKey, `pentad migration ${name}`);
      const action = new ActionDriver(
        { ...this.#ports, migrationKey },
        (event) => this.#feed({ stream: "ha", event }),
      );
      const dog = new WatchdogDriver(watchdog, (event) => this.#feed({ stream: "ha", event }));
      return { persist, udp: heartbeat, peer, disk: shared, action, watchdog: dog };
    } catch (error) {
      for (const driver of closing) driver.close();
      throw error;
    }
  }

  #onFrame(from: NodeId, stream: number, bytes: Uint8Array): void {
    if (stream === PEER_STREAM.config) {
      this.#feed({ stream: "config", event: { kind: "frame", from, bytes } });
    } else if (stream === PEER_STREAM.ha) {
      this.#feed({ stream: "ha", event: { kind: "frame", from, bytes } });
    }
  }

  #feed(event: NodeEvent): void {
    if (this.#stopped || this.#core === null) return;
    this.#inbox.push(event);
    if (!this.#busy) this.#drain();
  }

  #drain(): void {
    if (this.#busy || this.#core === null) return;
    this.#busy = true;
    this.turned = this.#ports.clock.now();
    for (let event = this.#inbox.shift(); event !== undefined; event = this.#inbox.shift()) {
      this.#carryOut(this.#core.step(event, this.#ports.clock.now()));
      if (this.#stopped) break;
    }
    this.#busy = false;
    if (!this.#stopped) this.#timer.set(this.#core.deadline());
  }

  #carryOut(effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (this.#stopped) return;
      this.#perform(effect);
    }
  }

  #perform(each: NodeEffect): void {
    const drivers = this.#drivers;
    assert(drivers !== null, "Effects come from a running node");
    switch (each.stream) {
      case "heartbeat":
        return drivers.udp.perform(each.effect);
      case "config":
        if (each.effect.kind === "fuse-reply" || each.effect.kind === "fuse-notice") {
          return this.#mount?.perform(each.effect);
        }
        return drivers.persist.perform(each.effect);
      case "ha":
        if (each.effect.kind === "frame") {
          drivers.peer.send(each.effect.to, PEER_STREAM.ha, each.effect.bytes);
        } else if (each.effect.kind.startsWith("watchdog")) {
          drivers.watchdog.perform(each.effect as WatchdogEffect);
        } else drivers.action.perform(each.effect as ActionEffect);
        return;
      case "storage":
        return drivers.disk.perform(each.effect);
      case "join":
        if (each.effect.kind === "store-keys") return this.#storeKeys(each.effect.keys);
        return drivers.peer.answerJoin(each.effect.session, each.effect.bytes);
      case "node":
        return each.effect.kind === "fact"
          ? this.#onFact(each.effect.fact)
          : this.#options.onSaying?.(each.effect.saying);
      default:
        return unreachable(each);
    }
  }

  #onFact(fact: Fact): void {
    this.board.note(fact);
    if (fact.fact === "config.spec") {
      this.#spec = fact.spec;
      this.#drivers?.peer.setMembers(peersOf(fact.spec, this.self));
    }
    if (fact.fact === "join.keys") this.#drivers?.peer.setKeys(fact.keys);
    this.#options.onFact?.(fact);
    // Told after `ha.empty`, once the leadership is handed over or cannot be.
    if (fact.fact === "config.yielded" && this.#draining !== null) {
      const done = this.#draining;
      this.#draining = null;
      // Two pulses: the last words reach the disk. They only save the others a wait.
      const wait = this.#ports.clock.timer(done);
      wait.set(after(this.now(), this.#options.disks.length ? 2 * this.#timing().beatMs : 0));
    }
  }

  #storeKeys(keys: KeyRing): void {
    const done = (ok: boolean) =>
      this.#feed({ stream: "join", event: { kind: "keys-stored", ok } });
    if (this.#options.storeKeys === undefined) done(true);
    else this.#options.storeKeys(keys, done);
  }

  #timing(): Timing {
    return timingOf(this.#spec.profile);
  }

  #failDatabase(why: string, code = failureCode(why)): void {
    const told = code === "node.database-failed" ? failureCode(why) : code;
    this.#fail(why, told);
  }

  #fail(why: string, code: ProblemCode): void {
    this.stop();
    this.#options.onFatal(why, code);
  }
}

function nothing(): void {
  // Nobody waits for it.
}
