/**
 * How one SCSI command ended, out of the three numbers and the bytes that the kernel gives back
 * (scsi/sg.h: status, host_status, driver_status, sense). Pure.
 *
 * An ioctl that succeeded says nothing of the command: it returns 0 for CHECK CONDITION and for
 * RESERVATION CONFLICT as well.
 *
 * @module
 */
import type { DiskFailure } from "../ports.ts";
import {
  decodeSense,
  isSense,
  type Sense,
  SENSE_KEY,
  senseText,
  tellsOfEjection,
} from "./sense.ts";

/** What the kernel gave back. */
export interface Completion {
  /** SCSI status: SAM-5, "Status codes". */
  readonly status: number;
  /** How the host adapter fared: scsi/scsi_status.h, `enum scsi_host_status`. */
  readonly hostStatus: number;
  /** How the kernel fared. 08h only says that there is sense data. */
  readonly driverStatus: number;
  /** As many bytes as were written. */
  readonly sense: Uint8Array;
  /** What was really transferred: the length asked for, less the residual. */
  readonly data: Uint8Array;
}

/** How a command ended. */
export type Outcome =
  | { readonly end: "good"; readonly data: Uint8Array }
  /** RESERVATION CONFLICT: a result like any other. */
  | { readonly end: "conflict" }
  /** CHECK CONDITION. */
  | { readonly end: "sense"; readonly sense: Sense }
  /** Not executed, worth another try after a while: BUSY, TASK SET FULL, ACA ACTIVE. */
  | { readonly end: "busy"; readonly status: string }
  /** The path, the adapter or the kernel lost it: nobody knows whether it was executed. */
  | { readonly end: "lost"; readonly why: string };

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const CONDITION_MET = 0x04;
const RESERVATION_CONFLICT = 0x18;
const TASK_ABORTED = 0x40;
const BUSY: Readonly<Record<number, string>> = {
  0x08: "BUSY",
  0x28: "TASK SET FULL",
  0x30: "ACA ACTIVE",
};

/** scsi/scsi_status.h, `enum scsi_host_status`, without its DID_. */
const HOST_NAMES: readonly string[] = [
  ...["OK", "NO_CONNECT", "BUS_BUSY", "TIME_OUT", "BAD_TARGET", "ABORT", "PARITY", "ERROR"],
  ...["RESET", "BAD_INTR", "PASSTHROUGH", "SOFT_ERROR", "IMM_RETRY", "REQUEUE"],
  ...["TRANSPORT_DISRUPTED", "TRANSPORT_FAILFAST", "TARGET_FAILURE", "NEXUS_FAILURE"],
  ...["ALLOC_FAILURE", "MEDIUM_ERROR", "TRANSPORT_MARGINAL"],
];
/** DID_NEXUS_FAILURE: older kernels translate RESERVATION CONFLICT into it. */
const NEXUS_FAILURE = 0x11;
/** DID_TARGET_FAILURE, DID_MEDIUM_ERROR: the kernel's word for what the sense data say better. */
const TARGET_SPOKE: readonly number[] = [0x10, 0x13];
/** DRIVER_SENSE: the low four bits of driver_status that are no error. */
const DRIVER_SENSE = 0x08;

/** Reads a completion. */
export function outcomeOf(completion: Completion): Outcome {
  const { status, hostStatus, driverStatus, sense: bytes, data } = completion;
  if (status === RESERVATION_CONFLICT || hostStatus === NEXUS_FAILURE) return { end: "conflict" };
  const told = status === CHECK_CONDITION && TARGET_SPOKE.includes(hostStatus);
  if (hostStatus !== 0 && !told) {
    const name = HOST_NAMES[hostStatus] ?? "UNKNOWN";
    return { end: "lost", why: `the path failed: host status ${hostStatus} (DID_${name})` };
  }
  if (status === CHECK_CONDITION) {
    const sense = decodeSense(bytes);
    if (sense === null) return { end: "lost", why: "CHECK CONDITION without sense data" };
    // It was carried out, and that took the target some trouble.
    if (sense.key === SENSE_KEY.recovered && !sense.deferred) return { end: "good", data };
    // A deferred error is an earlier command's; this one was not executed (SPC-4, "Deferred errors").
    return { end: "sense", sense };
  }
  const busy = BUSY[status];
  if (busy !== undefined) return { end: "busy", status: busy };
  if (status === TASK_ABORTED) return { end: "lost", why: "another nexus aborted it" };
  const driver = driverStatus & 0x0f;
  if (driver !== 0 && driver !== DRIVER_SENSE) {
    return { end: "lost", why: `the kernel failed it: driver status ${driverStatus}` };
  }
  if (status === GOOD || status === CONDITION_MET) return { end: "good", data };
  return { end: "lost", why: `unknown status ${status.toString(16)}h` };
}

/** The outcome of a command that was not carried out, as the port tells it. */
export function failureOf(outcome: Exclude<Outcome, { end: "good" }>, name: string): DiskFailure {
  const detail = `${name}: ${outcomeText(outcome)}`;
  switch (outcome.end) {
    case "conflict":
      return { failure: "conflict", detail };
    case "busy":
    case "lost":
      return { failure: "io", detail };
    case "sense":
      return { failure: failureKind(outcome.sense), detail };
  }
}

/** An outcome in a clause. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.end) {
    case "good":
      return "done";
    case "conflict":
      return "RESERVATION CONFLICT";
    case "busy":
      return outcome.status;
    case "lost":
      return outcome.why;
    case "sense":
      return senseText(outcome.sense);
  }
}

function failureKind(sense: Sense): DiskFailure["failure"] {
  if (tellsOfEjection(sense)) return "conflict";
  if (isSense(sense, SENSE_KEY.illegalRequest, 0x20)) return "unsupported";
  if (isSense(sense, SENSE_KEY.illegalRequest, 0x24)) return "unsupported";
  if (isSense(sense, SENSE_KEY.illegalRequest, 0x25)) return "absent";
  // RELEASE of another type than the one that is held.
  if (isSense(sense, SENSE_KEY.illegalRequest, 0x26, 0x04)) return "conflict";
  // What LIO answers to a RESERVE of a nexus that is not registered.
  if (isSense(sense, SENSE_KEY.notReady, 0x08, 0x00)) return "conflict";
  if (sense.key === SENSE_KEY.dataProtect) return "denied";
  return "io";
}
