/**
 * The world as pentad sees it: interfaces with callbacks, never promises, so that a driver in the
 * simulator makes no microtask which the simulator does not see. `host/linux` and `sim` implement
 * all of them; `tests/contract` runs one suite against both.
 *
 * @module
 */
import type { DatabasePort } from "./database_port.ts";
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
  VerifyDone,
} from "./database_port.ts";
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

/** A shared disk: sectors and reservations. Each call ends in exactly one `done`. */
export interface DiskPort {
  open(path: string, done: (result: Disk | DiskFailure) => void): void;
}

/** Why a disk call did not succeed. `hung`: no answer in time; it may still happen later. */
export interface DiskFailure {
  readonly failure: "conflict" | "io" | "hung" | "absent" | "unsupported" | "denied";
  readonly detail: string;
}

/** Reservation types of SPC-4 that pentad uses: 5 is write exclusive, registrants only. */
export type ReservationType = 1 | 3 | 5 | 6 | 7 | 8;

/** Who is registered, and who holds the reservation. Keys are 16 hex digits. */
export interface ReservationState {
  readonly generation: number;
  readonly keys: readonly string[];
  readonly holder: string | null;
  readonly type: ReservationType | null;
}

export interface Disk {
  /** What the reservations are kept by: `scsi`, `nvme`, or `file` (the stand-in). */
  readonly kind: "scsi" | "nvme" | "file";
  readonly sizeBytes: number;
  /** Both offset and length are multiples of 4096. */
  read(offset: number, length: number, done: (result: Uint8Array | DiskFailure) => void): void;
  write(offset: number, bytes: Uint8Array, done: (failure: DiskFailure | null) => void): void;
  /** REGISTER AND IGNORE EXISTING KEY, APTPL where the target has it. */
  register(key: string, done: (failure: DiskFailure | null) => void): void;
  /** REGISTER with our key and no new one: gives up the registration. */
  unregister(key: string, done: (failure: DiskFailure | null) => void): void;
  reserve(key: string, type: ReservationType, done: (failure: DiskFailure | null) => void): void;
  /** PREEMPT AND ABORT: after success no command of the victim's is executed any more. */
  preempt(
    ask: { readonly key: string; readonly victim: string; readonly type: ReservationType },
    done: (failure: DiskFailure | null) => void,
  ): void;
  readReservations(done: (result: ReservationState | DiskFailure) => void): void;
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
