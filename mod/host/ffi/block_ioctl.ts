/**
 * ioctl(2) on disks: SCSI commands (scsi/sg.h, SG_IO) and reservations of the block layer
 * (linux/pr.h). The calls block; a path that hangs keeps the thread, whatever the timeout says.
 *
 * @module
 */
import type { ScsiCommand } from "../scsi/command.ts";
import type { Completion } from "../scsi/outcome.ts";
import { IGNORE_KEY, PR_IOCTL, type PrEnd, prEnd, prType } from "../scsi/pr_ioctl.ts";
import type { ReservationType } from "../ports.ts";
import { HERE } from "./abi.ts";
import { errno } from "./file.ts";
import { openLibc } from "./libc.ts";
import { CStruct } from "./struct.ts";

const SG_IO = BigInt(HERE.SG_IO);
/** scsi/sg.h */
const INTERFACE_ID = "S".charCodeAt(0);
const DIRECTION = {
  ...{ none: HERE.SG_DXFER_NONE, out: HERE.SG_DXFER_TO_DEV, in: HERE.SG_DXFER_FROM_DEV },
} as const;
/** Longer sense data than any decoder looks at. */
const SENSE_BYTES = 64;
/** Opening must not wait for a medium. */
const OPEN_FLAGS = HERE.O_RDWR | HERE.O_CLOEXEC | HERE.O_NONBLOCK;

/** struct sg_io_hdr, version 3. */
export const SG_IO_HDR = new CStruct(
  {
    interface_id: "i32",
    dxfer_direction: "i32",
    cmd_len: "u8",
    mx_sb_len: "u8",
    iovec_count: "u16",
    dxfer_len: "u32",
    dxferp: "pointer",
    cmdp: "pointer",
    sbp: "pointer",
    /** Milliseconds. */
    timeout: "u32",
    flags: "u32",
    pack_id: "i32",
    usr_ptr: "pointer",
    status: "u8",
    masked_status: "u8",
    msg_status: "u8",
    sb_len_wr: "u8",
    host_status: "u16",
    driver_status: "u16",
    resid: "i32",
    duration: "u32",
    info: "u32",
  } as const,
);

/** struct pr_registration */
export const PR_REGISTRATION = new CStruct(
  { old_key: "u64", new_key: "u64", flags: "u32", __pad: "u32" } as const,
);
/** struct pr_reservation, of RESERVE and RELEASE */
export const PR_RESERVATION = new CStruct({ key: "u64", type: "u32", flags: "u32" } as const);
/** struct pr_preempt: `old_key` is the caller's own, `new_key` the victim's. */
export const PR_PREEMPT = new CStruct(
  { old_key: "u64", new_key: "u64", type: "u32", flags: "u32" } as const,
);
/** struct pr_clear */
export const PR_CLEAR = new CStruct({ key: "u64", flags: "u32", __pad: "u32" } as const);
/** struct pr_read_keys */
export const PR_READ_KEYS = new CStruct(
  { generation: "u32", num_keys: "u32", keys_ptr: "pointer" } as const,
);
/** struct pr_read_reservation */
export const PR_READ_RESERVATION = new CStruct(
  { key: "u64", generation: "u32", type: "u32" } as const,
);

const SYMBOLS = {
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // int ioctl(int fd, unsigned long request, ...);
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let loaded: Library | null = null;

/** A disk, open for commands. */
export class CommandFile {
  readonly path: string;
  readonly #libc: Library;
  readonly #fd: number;

  private constructor(path: string, libc: Library, fd: number) {
    this.path = path;
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Opens a disk; an errno where that fails. */
  static open(path: string): CommandFile | number {
    const libc = loaded ??= openLibc(SYMBOLS);
    const name = new TextEncoder().encode(`${path}\0`);
    const fd = libc.open(name, OPEN_FLAGS, 0);
    return fd < 0 ? errno() : new CommandFile(path, libc, fd);
  }

  /** Sends one SCSI command; an errno where the kernel does not take it. */
  scsi(command: ScsiCommand, timeoutMs: number): Completion | number {
    const { transfer } = command;
    const data = transfer.way === "out"
      ? transfer.bytes
      : new Uint8Array(transfer.way === "in" ? transfer.lengthMax : 0);
    const sense = new Uint8Array(SENSE_BYTES);
    const header = SG_IO_HDR.encode({
      interface_id: INTERFACE_ID,
      dxfer_direction: DIRECTION[transfer.way],
      cmd_len: command.cdb.length,
      mx_sb_len: SENSE_BYTES,
      dxfer_len: data.length,
      dxferp: data.length === 0 ? 0n : addressOf(data),
      cmdp: addressOf(command.cdb),
      sbp: addressOf(sense),
      timeout: timeoutMs,
    });
    if (this.#libc.ioctl(this.#fd, SG_IO, header) < 0) return errno();
    const left = SG_IO_HDR.get(header, "resid");
    const moved = Math.min(data.length, Math.max(0, data.length - left));
    return {
      status: SG_IO_HDR.get(header, "status"),
      hostStatus: SG_IO_HDR.get(header, "host_status"),
      driverStatus: SG_IO_HDR.get(header, "driver_status"),
      sense: sense.subarray(0, SG_IO_HDR.get(header, "sb_len_wr")),
      data: transfer.way === "in" ? data.subarray(0, moved) : new Uint8Array(0),
    };
  }

  /** IOC_PR_REGISTER; `old` null: whatever was there. Zero keys are none. */
  prRegister(old: bigint | null, key: bigint): PrEnd {
    const flags = old === null ? IGNORE_KEY : 0;
    return this.#pr(
      PR_IOCTL.register,
      PR_REGISTRATION.encode({ old_key: old ?? 0n, new_key: key, flags }),
    );
  }

  /** IOC_PR_RESERVE and IOC_PR_RELEASE */
  prHold(call: "reserve" | "release", key: bigint, type: ReservationType): PrEnd {
    return this.#pr(PR_IOCTL[call], PR_RESERVATION.encode({ key, type: prType(type) }));
  }

  /** IOC_PR_PREEMPT and IOC_PR_PREEMPT_ABORT */
  prPreempt(
    call: "preempt" | "preemptAbort",
    ask: { readonly key: bigint; readonly victim: bigint; readonly type: ReservationType },
  ): PrEnd {
    return this.#pr(
      PR_IOCTL[call],
      PR_PREEMPT.encode({ old_key: ask.key, new_key: ask.victim, type: prType(ask.type) }),
    );
  }

  /** IOC_PR_CLEAR */
  prClear(key: bigint): PrEnd {
    return this.#pr(PR_IOCTL.clear, PR_CLEAR.encode({ key }));
  }

  /** IOC_PR_READ_KEYS: at most `max`; `total` says how many there are. */
  prReadKeys(
    max: number,
  ): { readonly generation: number; readonly total: number; readonly keys: bigint[] } | PrEnd {
    const keys = new BigUint64Array(max);
    const ask = PR_READ_KEYS.encode({
      num_keys: max,
      keys_ptr: addressOf(new Uint8Array(keys.buffer)),
    });
    const end = this.#pr(PR_IOCTL.readKeys, ask);
    if (end.end !== "done") return end;
    const total = PR_READ_KEYS.get(ask, "num_keys");
    const generation = PR_READ_KEYS.get(ask, "generation");
    return { generation, total, keys: [...keys.subarray(0, Math.min(total, max))] };
  }

  /** IOC_PR_READ_RESERVATION; a type of 0 is none. */
  prReadReservation():
    | { readonly generation: number; readonly key: bigint; readonly type: number }
    | PrEnd {
    const ask = PR_READ_RESERVATION.encode({});
    const end = this.#pr(PR_IOCTL.readReservation, ask);
    if (end.end !== "done") return end;
    return {
      generation: PR_READ_RESERVATION.get(ask, "generation"),
      key: PR_READ_RESERVATION.get(ask, "key"),
      type: PR_READ_RESERVATION.get(ask, "type"),
    };
  }

  close(): void {
    this.#libc.close(this.#fd);
  }

  #pr(request: number, argument: Uint8Array<ArrayBuffer>): PrEnd {
    const result = this.#libc.ioctl(this.#fd, BigInt(request), argument);
    return prEnd(result, result < 0 ? errno() : 0);
  }
}

/** Where a buffer lies. It must be held by a variable until the call is over. */
function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
