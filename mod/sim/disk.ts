/**
 * Shared disks: sectors, reservations, and the paths by which hosts reach them. The calls of one
 * opening are carried out one by one in order; each takes effect at one moment between its begin
 * and its answer, so the disk itself is atomic, but for what a crash tears.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type { DiskFailure } from "../host/ports.ts";
import { type Nexus, Reservations } from "./reservations.ts";
import type { World } from "./world.ts";

/** The unit of transfers. */
export const BLOCK_BYTES = 4096;
/** What a power cut leaves whole. */
export const SECTOR_BYTES = 512;
/** The longest single transfer. */
export const TRANSFER_BYTES_MAX = 1024 * 1024;

/** How a host's way to a disk is. `hung`: no call is answered until it is mended. */
export type DiskPath = "ok" | "hung" | "failing";

/** One opening of a disk, as the disks see it. */
export interface Opening {
  readonly host: number;
  readonly disk: SimDisk;
  pathChanged(state: DiskPath): void;
  powerOff(): void;
}

/** One simulated disk. */
export class SimDisk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly reservations = new Reservations();
  /** Blocks that were written; the others are zeroes. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(path: string, sizeBytes: number) {
    assert(sizeBytes > 0 && sizeBytes % BLOCK_BYTES === 0, `${sizeBytes} bytes are whole blocks`);
    this.path = path;
    this.sizeBytes = sizeBytes;
  }

  /** What lies there, as a copy. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const block = this.#blocks.get((offset + at) / BLOCK_BYTES);
      if (block !== undefined) bytes.set(block, at);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      this.#blocks.set((offset + at) / BLOCK_BYTES, bytes.slice(at, at + BLOCK_BYTES));
    }
  }

  /** Some whole sectors of a write, drawn each by itself, reach the disk; others keep the old. */
  tear(offset: number, bytes: Uint8Array, prng: Prng): void {
    const torn = this.read(offset, bytes.length);
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      if (prng.chance(0.5)) torn.set(bytes.subarray(at, at + SECTOR_BYTES), at);
    }
    this.write(offset, torn);
  }
}

/** All shared disks of a world. */
export class SimDisks {
  readonly world: World;
  readonly prng: Prng;
  readonly #disks = new Map<string, SimDisk>();
  readonly #paths = new Map<string, DiskPath>();
  /** Openings with calls that are not ended, by host. */
  readonly #openings = new Set<Opening>();
  #nexuses: Nexus = 0;
  readonly #hosts = new Map<Nexus, number>();

  constructor(world: World) {
    this.world = world;
    this.prng = world.prng("disks");
  }

  /** Makes a zeroed disk that every host reaches as `path`. */
  make(path: string, sizeBytes: number): SimDisk {
    const disk = new SimDisk(path, sizeBytes);
    this.#disks.set(path, disk);
    return disk;
  }

  disk(path: string): SimDisk | null {
    return this.#disks.get(path) ?? null;
  }

  /** The state of a host's way to a disk. */
  pathOf(host: number, path: string): DiskPath {
    return this.#paths.get(`${host} ${path}`) ?? "ok";
  }

  /**
   * Changes a host's way to a disk. Calls that hung are, once it does not hang any more, drawn
   * each: carried out late, or failed. Those of dead daemons too.
   */
  setPath(host: number, path: string, state: DiskPath): void {
    this.#paths.set(`${host} ${path}`, state);
    for (const opening of [...this.#openings]) {
      if (opening.host === host && opening.disk.path === path) opening.pathChanged(state);
    }
  }

  /** The host is dead: its calls in flight are drawn, and nothing of it begins any more. */
  powerOff(host: number): void {
    for (const opening of [...this.#openings]) if (opening.host === host) opening.powerOff();
  }

  /** Every way of every host is in order. */
  heal(): void {
    for (const [key, state] of [...this.#paths]) {
      if (state === "ok") continue;
      const space = key.indexOf(" ");
      this.setPath(Number(key.slice(0, space)), key.slice(space + 1), "ok");
    }
  }

  /** A number for one opening by a host. */
  nexus(host: number): Nexus {
    this.#hosts.set(++this.#nexuses, host);
    return this.#nexuses;
  }

  /**
   * May a program on this host write to the disk now? It goes the host's way, and what the daemons of
   * the host registered counts for it: the nexus of a real disk is the host's.
   */
  mayWrite(host: number, disk: SimDisk): boolean {
    if (this.pathOf(host, disk.path) !== "ok") return false;
    return disk.reservations.allowsAny((nexus) => this.#hosts.get(nexus) === host);
  }

  /** This opening wants to hear of changed paths. */
  watch(opening: Opening): void {
    this.#openings.add(opening);
  }

  unwatch(opening: Opening): void {
    this.#openings.delete(opening);
  }
}

/** What is wrong with a transfer; null where nothing is. */
export function transferFault(
  offset: number,
  length: number,
  sizeBytes: number,
): DiskFailure | null {
  const fits = Number.isSafeInteger(offset) && offset >= 0 && offset % BLOCK_BYTES === 0 &&
    length > 0 && length % BLOCK_BYTES === 0 && length <= TRANSFER_BYTES_MAX &&
    offset + length <= sizeBytes;
  return fits ? null : { failure: "io", detail: `Cannot transfer ${length} bytes at ${offset}` };
}
