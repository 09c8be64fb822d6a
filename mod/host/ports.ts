/**
 * The world as pentad sees it: interfaces with callbacks, never promises, so that a driver in the
 * simulator makes no microtask which the simulator does not see. `host/linux` and `sim` implement
 * all of them; `tests/contract` runs one suite against both.
 *
 * @module
 */
import type { DatabasePort } from "./database_port.ts";
import type { DiskPort } from "./disk_port.ts";
import type { ResourceId } from "../base/id.ts";
import type { Instant, Millis } from "../base/time.ts";
export type {
  DamageKind,
  Database,
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  DatabaseInstall,
  DatabaseOpened,
  DatabasePort,
  HistoryAsk,
  HistoryPage,
  HistoryRecord,
  LogBase,
  Rescued,
  SealedSpec,
  StoredEntry,
  StoredHistory,
  StoredLocks,
  StoredRecovery,
  StoredRequest,
  StoredRow,
  StoredSpec,
  UndoRow,
} from "./database_port.ts";
export type {
  Disk,
  DiskFailure,
  DiskPort,
  DiskReport,
  PreemptAsk,
  RegisterAsk,
  Registration,
  ReservationCapabilities,
  ReservationCommand,
  ReservationState,
  ReservationType,
} from "./disk_port.ts";
export type {
  FuseFailure,
  FuseHandlers,
  FuseMountOptions,
  FusePort,
  FuseSession,
} from "./fuse_port.ts";

/** Time and randomness. */
export interface ClockPort {
  /** CLOCK_BOOTTIME: monotonic, and it goes on while the host is suspended. */
  now(): Instant;
  /** Seconds since 1970, for people only. */
  wallSeconds(): number;
  /** Calls `fire` at or soon after `at`; a later call replaces an earlier one of the same handle. */
  timer(fire: () => void): TimerHandle;
}

export interface TimerHandle {
  /** `NEVER` switches it off. */
  set(at: Instant): void;
}

export interface RandomPort {
  bytes(length: number): Uint8Array;
}

/** Datagrams. Addresses are `HOST:PORT`. */
export interface UdpPort {
  /** Throws a ProblemError (`heartbeat.bad-address`) where the address cannot be bound. */
  open(local: string, onPacket: (from: string, bytes: Uint8Array) => void): UdpSocket;
}

export interface UdpSocket {
  /** Best effort; never throws. */
  send(to: string, bytes: Uint8Array): void;
  close(): void;
}

/** Byte streams. */
export interface TcpPort {
  listen(local: string, onAccept: (connection: TcpConnection) => TcpEvents): TcpListener;
  /** `onOpen`/`onClose` tell how it went; the connection may be written to after `onOpen`. */
  connect(remote: string, events: TcpEvents): TcpConnection;
}

export interface TcpListener {
  close(): void;
}

export interface TcpEvents {
  onOpen?(): void;
  onData(bytes: Uint8Array): void;
  /** Exactly once, for whatever reason. */
  onClose(): void;
}

export interface TcpConnection {
  /** Queues bytes in order. */
  write(bytes: Uint8Array): void;
  /** Bytes queued and not yet taken by the system: the measure for back-pressure. */
  queued(): number;
  close(): void;
}

/** A watchdog. Opening arms it. */
export interface WatchdogPort {
  /** Null where the host has none. */
  open(timeoutMs: Millis, done: (watchdog: Watchdog | null) => void): void;
}

export interface Watchdog {
  /** For people: `softdog`, `iTCO_wdt`, `process watchdog`. */
  readonly identity: string;
  pet(): void;
  /** Disarms (magic close), where that is possible. */
  disarm(): void;
}

/** How to run a resource of kind `exec`. */
export interface ProcessSpec {
  readonly id: ResourceId;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string | null;
}

/** A resource's processes on this host: its own session each, known by a token in their environment. */
export interface ProcessPort {
  /** Starts it, or says why not. It outlives the daemon, but not the keeper's deadline. */
  start(spec: ProcessSpec, done: (failure: string | null) => void): void;
  /** SIGTERM, then SIGKILL after `graceMs`; done when every process of it is gone, or says why not. */
  stop(id: ResourceId, graceMs: Millis, done: (failure: string | null) => void): void;
  /** Is it running? Runs `command` too where there is one (exit status 0 = healthy). */
  monitor(
    ask: {
      readonly id: ResourceId;
      readonly command: readonly string[] | null;
      readonly timeoutMs: Millis;
    },
    done: (result: ProcessHealth) => void,
  ): void;
  /** SIGKILL of every process of every resource at once; done when all are gone. */
  killAll(done: (failure: string | null) => void): void;
  /** Resources that run here now, whoever started them. */
  list(done: (running: readonly ResourceId[]) => void): void;
  /** Called whenever a resource's main process ends by itself. */
  onExit(listener: (id: ResourceId, how: string) => void): void;
  /** Tells the keeper, a process of its own, when to kill all resources unless told a later time. */
  guardUntil(until: Instant): void;
}

export type ProcessHealth =
  | { readonly state: "running" }
  | { readonly state: "stopped" }
  | { readonly state: "failed"; readonly why: string };

/** How busy the host is; fractions as in `Vitals`. */
export interface LoadPort {
  sample(
    done: (
      load: { readonly load: number; readonly memory: number; readonly ioDelay: number },
    ) => void,
  ): void;
}

/** All of them: the whole world of a node. */
export interface Ports {
  readonly clock: ClockPort;
  readonly random: RandomPort;
  readonly udp: UdpPort;
  readonly tcp: TcpPort;
  readonly database: DatabasePort;
  readonly disk: DiskPort;
  readonly watchdog: WatchdogPort;
  readonly process: ProcessPort;
  readonly load: LoadPort;
}
