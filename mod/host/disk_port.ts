/**
 * The port of shared disks: blocks, and persistent reservations. See `ports.ts`.
 *
 * @module
 */

/** A shared disk: sectors and reservations. Each call ends in exactly one `done`. */
export interface DiskPort {
  open(path: string, done: (result: Disk | DiskFailure) => void): void;
}

/**
 * Why a disk call did not succeed. `hung`: no answer in time; it may still happen later. `differs`:
 * COMPARE AND WRITE found something else there, and wrote nothing.
 */
export interface DiskFailure {
  readonly failure: "conflict" | "io" | "hung" | "absent" | "unsupported" | "denied" | "differs";
  readonly detail: string;
}

/**
 * Reservation types of SPC-4 that are not obsolete: 1 write exclusive, 3 exclusive access; 5 and 6
 * the same for registrants only; 7 and 8 for all registrants, each of whom then holds it.
 */
export type ReservationType = 1 | 3 | 5 | 6 | 7 | 8;

/** Who is registered, and who holds the reservation. Keys are 16 hex digits. */
export interface ReservationState {
  readonly generation: number;
  /** One for each nexus: a key stands here as often as paths carry it. */
  readonly keys: readonly string[];
  /** With types 7 and 8: all zeros. */
  readonly holder: string | null;
  readonly type: ReservationType | null;
}

/** One command about reservations. Keys are 16 hex digits; all zeros is no key. */
export type ReservationCommand =
  /** REGISTER with the key that is there now, or (`old` null) whatever it is. Zero unregisters. */
  | ({ readonly kind: "register"; readonly old: string | null } & RegisterAsk)
  | { readonly kind: "reserve"; readonly key: string; readonly type: ReservationType }
  | { readonly kind: "release"; readonly key: string; readonly type: ReservationType }
  | { readonly kind: "clear"; readonly key: string }
  | ({ readonly kind: "preempt" } & PreemptAsk);

/** What a registration may ask for; what the target lacks is refused as `unsupported`. */
export interface RegisterAsk {
  readonly key: string;
  /** APTPL: keep it over the target's loss of power. Null: where the target can. */
  readonly persist: boolean | null;
  /** ALL_TG_PT */
  readonly allTargetPorts: boolean;
  /** SPEC_I_PT: for these initiator ports too, by their iSCSI names. */
  readonly initiatorPorts: readonly string[];
}

/** Who is to go. */
export interface PreemptAsk {
  readonly key: string;
  readonly victim: string;
  /** Type of the reservation from now on, where the victim holds it. */
  readonly type: ReservationType;
  /**
   * Default true: PREEMPT AND ABORT. After success no command of the victim's is executed any more.
   * A target without it answers `unsupported`; false then asks for a plain PREEMPT, after which a
   * write of the victim's that the target has queued already may still land.
   */
  readonly abort?: boolean;
}

/** What a target can do about reservations. */
export interface ReservationCapabilities {
  /** ATP_C, SIP_C: see {@link RegisterAsk}. */
  readonly allTargetPorts: boolean;
  readonly initiatorPorts: boolean;
  /** PTPL_C: registrations can be kept over a loss of power; PTPL_A: they are now. */
  readonly persist: boolean;
  readonly persistActive: boolean;
  /** Types that it has; null where it does not say. */
  readonly types: readonly ReservationType[] | null;
}

/** One registration, with the port that made it. */
export interface Registration {
  readonly key: string;
  readonly allTargetPorts: boolean;
  /** Its type, where this nexus holds the reservation. */
  readonly holds: ReservationType | null;
  /** RELATIVE TARGET PORT IDENTIFIER. */
  readonly targetPort: number;
  /** The initiator port, for people: `iqn.2026-01.x:h1,i,0x00023d000001`. */
  readonly initiatorPort: string;
}

/** Everything that a disk tells about itself and its reservations. */
export interface DiskReport {
  /** Name of the logical unit, the same on every host: `naa.6001405…`; null where it has none. */
  readonly name: string | null;
  /** `LIO-ORG FILEIO 4.0` */
  readonly model: string;
  /** What the reservations are spoken through. */
  readonly through: "SG_IO" | "pr.h" | "file";
  /** Devices that lead there, each a nexus of its own. */
  readonly paths: readonly string[];
  readonly state: ReservationState;
  /** Null where it does not tell. */
  readonly capabilities: ReservationCapabilities | null;
  /** READ FULL STATUS; null where the target lacks it. */
  readonly registrations: readonly Registration[] | null;
  /** MAXIMUM COMPARE AND WRITE LENGTH in blocks; 0 without the command. */
  readonly compareBlocks: number;
  /** The target's answers as they came; null where there was none. */
  readonly raw: {
    readonly keys: Uint8Array | null;
    readonly reservation: Uint8Array | null;
    readonly capabilities: Uint8Array | null;
    readonly fullStatus: Uint8Array | null;
  };
}

export interface Disk {
  /** What the reservations are kept by: `scsi`, `nvme`, or `file` (the stand-in). */
  readonly kind: "scsi" | "nvme" | "file";
  readonly sizeBytes: number;
  /** Both offset and length are multiples of 4096. */
  read(offset: number, length: number, done: (result: Uint8Array | DiskFailure) => void): void;
  write(offset: number, bytes: Uint8Array, done: (failure: DiskFailure | null) => void): void;
  /**
   * COMPARE AND WRITE (SBC-4): writes `bytes` where `expect` lies now, as one command. Both have the
   * same length. Absent, or `unsupported`, where the disk cannot.
   */
  compareAndWrite?(
    ask: { readonly offset: number; readonly expect: Uint8Array; readonly bytes: Uint8Array },
    done: (failure: DiskFailure | null) => void,
  ): void;
  /** REGISTER AND IGNORE EXISTING KEY, APTPL where the target has it. */
  register(key: string, done: (failure: DiskFailure | null) => void): void;
  /** REGISTER with our key and no new one: gives up the registration. */
  unregister(key: string, done: (failure: DiskFailure | null) => void): void;
  reserve(key: string, type: ReservationType, done: (failure: DiskFailure | null) => void): void;
  preempt(ask: PreemptAsk, done: (failure: DiskFailure | null) => void): void;
  readReservations(done: (result: ReservationState | DiskFailure) => void): void;
  /** Any command about reservations; the calls above are the cluster's own. */
  command(command: ReservationCommand, done: (failure: DiskFailure | null) => void): void;
  /** Asks for everything. A target's lack of one answer is no failure. */
  inspect(done: (result: DiskReport | DiskFailure) => void): void;
  /**
   * Asks whether a write of ours would be accepted now, and writes nothing. `conflict` is certain;
   * success is as good as the look that the target takes at a write that changes nothing.
   */
  tryWrite(done: (failure: DiskFailure | null) => void): void;
  close(): void;
}
