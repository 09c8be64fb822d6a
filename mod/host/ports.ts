/**
 * The world as pentad sees it: interfaces with callbacks, never promises, so that a driver in the
 * simulator makes no microtask which the simulator does not see. `host/linux` and `sim` implement
 * all of them; `tests/contract` runs one suite against both.
 *
 * @module
 */
import type { AddressPort } from "./address_port.ts";
import type { DatabasePort } from "./database_port.ts";
import type { DiskPort } from "./disk_port.ts";
import type { GuestPort } from "./guest_port.ts";
import type { Instant, Millis } from "../base/time.ts";
import type { ProcessPort } from "./process_port.ts";
import type { TcpPort } from "./tcp_port.ts";
export type { AddressPort, AddressSpec, ProbeResult } from "./address_port.ts";
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
export type { GuestPort } from "./guest_port.ts";
export type {
  AgentPlaces,
  FailureScope,
  Held,
  Operation,
  OperationResult,
  ProcessHealth,
  ProcessPort,
  ProcessSpec,
  Undo,
} from "./process_port.ts";
export type { TcpConnection, TcpEvents, TcpListener, TcpPort } from "./tcp_port.ts";

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
  readonly address: AddressPort;
  readonly guest: GuestPort;
  readonly load: LoadPort;
}
