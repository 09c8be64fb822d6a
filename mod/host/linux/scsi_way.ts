/**
 * Reservations of a SCSI disk, through all the paths that lead to it.
 *
 * A registration belongs to a path. So REGISTER goes down every one of them: else the node would be
 * cut off the day its multipath driver takes another. RELEASE does too, for only the holder's
 * counts. Everything else goes down the first path that answers, and only that one: a command that
 * was lost may have been executed, and a second PREEMPT would be told that its victim is gone.
 *
 * A node that was ejected must not register again unawares: after word of an ejection on any path,
 * REGISTER is refused as a conflict until the registrations were read.
 *
 * @module
 */
import type { DiskFailure, DiskReport, ReservationCommand, ReservationState } from "../ports.ts";
import {
  compareAndWrite,
  inquiry,
  NO_KEY,
  persistentReserveOut,
  type PrOut,
  readCapacity,
  type ScsiCommand,
  writeNothing,
} from "../scsi/command.ts";
import {
  type Capacity,
  decodeCapacity,
  decodeCompareBlocks,
  decodeIdentification,
  decodeInquiry,
  PAGE,
} from "../scsi/identity.ts";
import { failureOf, type Outcome } from "../scsi/outcome.ts";
import { SENSE_KEY } from "../scsi/sense.ts";
import { decodeFullStatus } from "../scsi/reply.ts";
import { iscsiTransportId } from "../scsi/transport_id.ts";
import { damaged, ScsiPath, type Snapshot } from "./scsi_path.ts";
import { isFailure, type ReservationWay } from "./worker_disk.ts";

type Register = Extract<ReservationCommand, { kind: "register" }>;

/** See the module's note. Calls block. */
export class ScsiWay implements ReservationWay {
  readonly #paths: readonly ScsiPath[];

  private constructor(paths: readonly ScsiPath[]) {
    this.#paths = paths;
  }

  /** Opens every path; all of them must be there. */
  static open(names: readonly string[]): ScsiWay | DiskFailure {
    const paths: ScsiPath[] = [];
    for (const name of names) {
      const path = ScsiPath.open(name);
      if (isFailure(path)) {
        for (const each of paths) each.close();
        return path;
      }
      paths.push(path);
    }
    return new ScsiWay(paths);
  }

  command(command: ReservationCommand): DiskFailure | null {
    switch (command.kind) {
      case "register":
        return this.#register(command);
      case "release":
        return this.#everywhere({
          action: "release",
          key: command.key,
          type: command.type,
        });
      case "reserve":
        return this.#once({ action: "reserve", key: command.key, type: command.type });
      case "clear":
        return this.#once({ action: "clear", key: command.key });
      case "preempt": {
        const { key, victim, type, abort = true } = command;
        const action = abort ? "preemptAndAbort" : "preempt";
        return this.#once({ action, key, actionKey: victim, type });
      }
    }
  }

  readReservations(): ReservationState | DiskFailure {
    const look = this.#look();
    return isFailure(look) ? look : look.snapshot.state;
  }

  inspect(): DiskReport | DiskFailure {
    const look = this.#look();
    if (isFailure(look)) return look;
    const { path, snapshot } = look;
    const capabilities = path.capabilities();
    if (isFailure(capabilities)) return capabilities;
    const full = path.ask("fullStatus");
    if (isFailure(full) && full.failure !== "unsupported") return full;
    const registrations = isFailure(full) ? null : decodeFullStatus(full);
    if (!isFailure(full) && registrations === null) return damaged("READ FULL STATUS", full);
    return {
      ...identify(path),
      through: "SG_IO",
      paths: this.#paths.map(({ name }) => name),
      state: snapshot.state,
      capabilities: capabilities?.value ?? null,
      registrations: registrations?.entries ?? null,
      raw: {
        keys: snapshot.keys,
        reservation: snapshot.reservation,
        capabilities: capabilities === null ? null : capabilities.raw,
        fullStatus: isFailure(full) ? null : full,
      },
    };
  }

  /**
   * A COMPARE AND WRITE that would put what it expects: it changes nothing, whatever is there, and
   * is a write to the target's eye. A target without it gets a WRITE of no blocks; it may let that
   * pass without a look, as LIO does, but a conflict is a conflict.
   */
  tryWrite(): DiskFailure | null {
    const path = this.#answering();
    if (isFailure(path)) return path;
    const size = readCapacity();
    const told = path.run(size);
    // LIO refuses even this to those who may not read: they may not write either.
    if (told.end !== "good") return onPath(path, told, size.name);
    const capacity = decodeCapacity(told.data);
    if (capacity === null) return damaged(size.name, told.data);
    const expected = crypto.getRandomValues(new Uint8Array(capacity.blockBytes));
    const compare = compareAndWrite({ block: 0, blocks: 1 }, { expected, fresh: expected });
    const compared = path.run(compare);
    if (compared.end === "good") return null;
    if (compared.end === "sense" && compared.sense.key === SENSE_KEY.miscompare) return null;
    const failure = onPath(path, compared, compare.name);
    if (failure.failure !== "unsupported") return failure;
    const nothing = writeNothing();
    const written = path.run(nothing);
    return written.end === "good" ? null : onPath(path, written, nothing.name);
  }

  close(): void {
    for (const path of this.#paths) path.close();
  }

  /** Takes what is pending on every path, then reads who is registered. */
  #look(): { readonly path: ScsiPath; readonly snapshot: Snapshot } | DiskFailure {
    const path = this.#paths.filter((each) => each.answers())[0];
    if (path === undefined) return this.#silent();
    const snapshot = path.snapshot();
    if (isFailure(snapshot)) return snapshot;
    for (const each of this.#paths) each.looked();
    return { path, snapshot };
  }

  #register(ask: Register): DiskFailure | null {
    const first = this.#answering();
    if (isFailure(first)) return first;
    if (ask.key !== NO_KEY && this.#paths.some(({ ejected }) => ejected)) return EJECTED;
    const flags = flagsOf(ask, first);
    if (isFailure(flags)) return flags;
    const action = ask.old === null ? "registerAndIgnore" : "register";
    return this.#everywhere({ action, key: ask.old ?? NO_KEY, actionKey: ask.key, ...flags });
  }

  /** Down every path. One that is dead now is no failure, unless all are or a key is to go. */
  #everywhere(ask: PrOut): DiskFailure | null {
    const removes = ask.action !== "release" && ask.actionKey === NO_KEY;
    const registers = ask.action !== "release" && !removes;
    let lost: DiskFailure | null = null;
    let done = 0;
    for (const path of this.#paths) {
      const command = persistentReserveOut(ask);
      const outcome = path.run(command, { registers });
      if (outcome.end === "good") done += 1;
      else if (outcome.end === "lost") lost ??= onPath(path, outcome, command.name);
      else return onPath(path, outcome, command.name);
    }
    return done === 0 || removes ? lost : null;
  }

  /** Down one path that answers. */
  #once(ask: PrOut): DiskFailure | null {
    const path = this.#answering();
    if (isFailure(path)) return path;
    const command = persistentReserveOut(ask);
    const outcome = path.run(command);
    return outcome.end === "good" ? null : onPath(path, outcome, command.name);
  }

  #answering(): ScsiPath | DiskFailure {
    return this.#paths.find((each) => each.answers()) ?? this.#silent();
  }

  #silent(): DiskFailure {
    return { failure: "io", detail: `None of ${this.#paths.length} paths answers` };
  }
}

const EJECTED: DiskFailure = {
  failure: "conflict",
  detail: "Registrations were taken away since they were last read",
};

function onPath(
  path: ScsiPath,
  outcome: Exclude<Outcome, { end: "good" }>,
  name: string,
): DiskFailure {
  const { failure, detail } = failureOf(outcome, name);
  return { failure, detail: `${detail} ("${path.name}")` };
}

/** What the target can of what is asked for; the rest is refused by name. */
function flagsOf(
  ask: Register,
  path: ScsiPath,
): Pick<PrOut, "persist" | "allTargetPorts" | "initiatorPorts"> | DiskFailure {
  const told = path.capabilities();
  if (isFailure(told)) return told;
  const can = told?.value ?? null;
  if (ask.allTargetPorts && can?.allTargetPorts !== true) {
    return lacks("registrations through all target ports (ATP_C)");
  }
  if (ask.initiatorPorts.length > 0 && can?.initiatorPorts !== true) {
    return lacks("registrations for other initiator ports (SIP_C)");
  }
  if (ask.persist === true && can?.persist !== true) {
    return lacks("registrations that outlast a loss of power (PTPL_C)");
  }
  const ports: Uint8Array[] = [];
  for (const name of ask.initiatorPorts) {
    const id = iscsiTransportId(name);
    if (id === null) return { failure: "io", detail: `"${name}" is no iSCSI name` };
    ports.push(id);
  }
  return {
    persist: ask.persist ?? can?.persist ?? false,
    allTargetPorts: ask.allTargetPorts,
    initiatorPorts: ports,
  };
}

function lacks(what: string): DiskFailure {
  return { failure: "unsupported", detail: `The target has no ${what}` };
}

/** What the disk says it is. Here nothing is a failure: a name that is missing is missing. */
function identify(path: ScsiPath): Pick<DiskReport, "name" | "model" | "compareBlocks"> {
  const about = decodeInquiry(read(path, inquiry(null)));
  const capacity = capacityOf(path);
  const size = capacity === null ? "" : `, ${capacity.blocks} blocks of ${capacity.blockBytes}`;
  return {
    name: decodeIdentification(read(path, inquiry(PAGE.identification))),
    model: about === null ? "" : `${about.vendor} ${about.product} ${about.revision}${size}`,
    compareBlocks: decodeCompareBlocks(read(path, inquiry(PAGE.blockLimits))) ?? 0,
  };
}

function capacityOf(path: ScsiPath): Capacity | null {
  return decodeCapacity(read(path, readCapacity()));
}

function read(path: ScsiPath, command: ScsiCommand): Uint8Array {
  const outcome = path.run(command);
  return outcome.end === "good" ? outcome.data : new Uint8Array(0);
}
