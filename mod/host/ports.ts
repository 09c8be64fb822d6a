/**
 * The world as pentad sees it: interfaces with callbacks, never promises, so that a driver in the
 * simulator makes no microtask which the simulator does not see. `host/linux` and `sim` implement
 * all of them; `tests/contract` runs one suite against both.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { Instant, Millis } from "../base/time.ts";

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

/** One row of the replicated tree as it lies in the database. */
export interface StoredRow {
  readonly ino: number;
  readonly parent: number;
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly mtime: number;
  readonly version: number;
  readonly writer: number;
  readonly data: Uint8Array;
}

/** One log entry as it lies in the database; `body` is encoded by config/wire.ts. */
export interface StoredEntry {
  readonly index: number;
  readonly term: number;
  readonly body: Uint8Array;
}

/** What is remembered of an applied transaction, so that a retry of it is not applied again. */
export interface StoredRequest {
  readonly index: number;
  readonly request: string;
  /** Empty for success, else the problem code. */
  readonly problem: string;
  /** Why, for a problem. */
  readonly why: string;
}

/** The locks of one inode as they lie in the database; key 0: whose they are. Empty: there are none. */
export interface StoredLocks {
  readonly key: number;
  /** Encoded by config/lock_wire.ts. */
  readonly body: Uint8Array;
}

/** A row as it was, and where, before a transaction; null and the empty path for none. */
export interface UndoRow {
  readonly ino: number;
  readonly path: string;
  readonly before: StoredRow | null;
}

/** What history keeps of an applied transaction, beside the log entry of that index. */
export interface StoredHistory extends StoredRequest {
  readonly term: number;
  /** Every row that it touched, as it was before; null: too much to be kept. */
  readonly undo: readonly UndoRow[] | null;
}

/** A transaction out of the history. */
export interface HistoryRecord extends StoredHistory {
  /** The log entry; encoded by config/wire.ts. */
  readonly body: Uint8Array;
}

/** Where a log begins: the last entry that is not in it any more, and what came of all up to it. */
export interface LogBase {
  /** 0 for a log from its beginning. */
  readonly index: number;
  readonly term: number;
  /** CRC chain of the log up to here. */
  readonly chain: number;
}

/** The newest cluster description that was compacted away; `body` is its log entry. */
export interface StoredSpec {
  readonly index: number;
  readonly body: Uint8Array;
}

/** The state of another replica, to be taken over as a whole. */
export interface DatabaseInstall {
  /** The state is that after this entry; the log begins there. */
  readonly base: LogBase;
  /** Null: no description has been in the log yet. */
  readonly spec: StoredSpec | null;
  readonly stateCrc: number;
  readonly rows: readonly StoredRow[];
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
  /** The log matches at `base`: what is behind it stays. Else all of it goes. */
  readonly keepLog: boolean;
  /** What was applied here so far was right. Else its history goes too. */
  readonly keepHistory: boolean;
}

/** Everything that one durable step changes; absent parts stay as they are. */
export interface DatabaseBatch {
  readonly hardState?: {
    readonly term: number;
    readonly vote: number;
    /** This replica was found to differ from its peers, and is not rebuilt yet. */
    readonly diverged: boolean;
  };
  /** Entries from this index on are dropped before `entries` are added. */
  readonly truncateFrom?: number;
  readonly entries?: readonly StoredEntry[];
  readonly applied?: {
    readonly index: number;
    readonly term: number;
    readonly stateCrc: number;
    readonly rows: readonly StoredRow[];
    readonly removed: readonly number[];
    /** Those that changed; absent for none. */
    readonly locks?: readonly StoredLocks[];
    /** Of each the log entry is copied into the history. */
    readonly history: readonly StoredHistory[];
    /** Requests up to this index are forgotten. */
    readonly forget: number;
  };
  /** Entries up to and with `base` go, after everything above. Not past the applied index. */
  readonly compact?: { readonly base: LogBase; readonly spec: StoredSpec | null };
  /** Alone in its batch, but for `hardState`, `sealed` and `recovery`. */
  readonly install?: DatabaseInstall;
  /** What the seal says of the members from now on: durable as the rest is. */
  readonly sealed?: SealedSpec;
  /** This replica lost something, or (null) is whole again. */
  readonly recovery?: StoredRecovery | null;
}

/** The newest committed description that a replica knows, kept apart from its database. */
export interface SealedSpec {
  /** Null: that of the node's identity. */
  readonly spec: StoredSpec | null;
  /** There was no newer description in the log. */
  readonly settled: boolean;
  /** Of a pair with a witness: this node may have committed what the other does not hold. */
  readonly alone: boolean;
}

/** A replica lost what it held: it has no vote until its peers have given it all back. */
export interface StoredRecovery {
  /** Drawn when the loss was noticed, not 0: tells one loss from the next. */
  readonly nonce: number;
  /** Term and vote are those that it had; else it may have promised what it does not know of. */
  readonly known: boolean;
  /** What was lost, for people. */
  readonly why: string;
}

/**
 * Why a database cannot be used. `damaged`: it is not what was written, `older`: it is a copy from
 * before, `gone`: there is none; in these cases {@link DatabasePort.renew} may follow. `newer`: a
 * newer version wrote it; `unwritable`: it cannot be written now.
 */
export type DamageKind = "damaged" | "older" | "gone" | "newer" | "unwritable";

/** A database that was not opened. */
export interface DatabaseDamage {
  /** In words. */
  readonly damaged: string;
  readonly kind: DamageKind;
  readonly rescued: Rescued;
}

/** What is known of a database that is lost. */
export interface Rescued {
  readonly term: number;
  readonly vote: number;
  /** Term and vote are the newest that it had. */
  readonly known: boolean;
  readonly sealed: SealedSpec | null;
}

/** What a database holds when it is opened. */
export interface DatabaseContent {
  readonly term: number;
  readonly vote: number;
  readonly diverged: boolean;
  readonly base: LogBase;
  readonly spec: StoredSpec | null;
  /** The log behind `base`. */
  readonly entries: readonly StoredEntry[];
  readonly applied: { readonly index: number; readonly term: number; readonly stateCrc: number };
  readonly rows: readonly StoredRow[];
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
  /** Null for a replica that is whole. */
  readonly recovery: StoredRecovery | null;
  readonly sealed: SealedSpec | null;
}

/** Which transactions are asked for: those above `from` and below `below`. */
export interface HistoryAsk {
  readonly below: number;
  readonly from: number;
  /** At most so many; one answer may have fewer. */
  readonly limit: number;
  /** With their undo records, which are the larger part; else these are null. */
  readonly undo: boolean;
  /** Else the newest come first. */
  readonly oldestFirst?: boolean;
}

/** One answer out of the history. */
export interface HistoryPage {
  /** In the order that was asked for. */
  readonly records: readonly HistoryRecord[];
  /** There are more: ask again, below the last of these. */
  readonly more: boolean;
  /** No transaction after this index is missing. */
  readonly since: number;
  /** The oldest transaction that is kept, whatever is asked for; null where there is none. */
  readonly oldest: number | null;
}

/** The durable side of stream 2. */
export interface DatabasePort {
  /** Opens (and makes) the database; damage is an error with the reason in words. */
  open(done: DatabaseOpened): Database;
  /**
   * Puts aside what is there, whole and under a name of its own, and opens an empty database that
   * remembers what is given. Of lost ones a few are kept; where there is no room for one more
   * nothing is changed, and that is the damage told.
   */
  renew(beginning: DatabaseBeginning, done: DatabaseOpened): Database;
}

/** What an opening ends in. */
export type DatabaseOpened = (result: DatabaseContent | DatabaseDamage) => void;

/** What a database that takes the place of a lost one begins with. */
export interface DatabaseBeginning {
  readonly term: number;
  readonly vote: number;
  readonly sealed: SealedSpec | null;
  readonly recovery: StoredRecovery;
}

export interface Database {
  /** All of `batch`, durable, in order of the calls, before `done(null)`; `done(why)` on failure. */
  commit(batch: DatabaseBatch, done: (failure: string | null) => void): void;
  /**
   * Reads what is committed of the history; a text says why it cannot be read. Takes the disk for a
   * page at a time only, so that commits do not wait for it.
   */
  history(ask: HistoryAsk, done: (page: HistoryPage | { readonly failure: string }) => void): void;
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
