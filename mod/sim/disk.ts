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
  readonly nexus: Nexus;
  pathChanged(state: DiskPath): void;
  powerOff(): void;
  /** One of its nexuses was ejected, and what it had sent was not ended. */
  ejected(): void;
}

/** A piece of a disk, whole blocks of it. */
export interface Area {
  readonly from: number;
  readonly to: number;
}

/** `misdirected`: it lands elsewhere in the area; `duplicated`: there as well. */
interface WriteFlaw {
  readonly how: "misdirected" | "duplicated" | "torn";
  readonly area: Area;
  readonly prng: Prng;
}

interface Stale extends Area {
  readonly hosts: ReadonlySet<number>;
  readonly blocks: ReadonlyMap<number, Uint8Array>;
}

/** One simulated disk. */
export class SimDisk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly reservations = new Reservations();
  /** The target has PREEMPT AND ABORT. */
  aborts = true;
  /** Whose commands an ejection did not end, and until when they may land. */
  readonly #lingering = new Map<Nexus, number>();
  /** What becomes of the next write into these blocks. */
  #flaw: WriteFlaw | null = null;
  /** What some hosts read there, instead of what lies there. */
  #stale: Stale | null = null;
  /** How often each flaw was met. */
  readonly met = { misdirected: 0, duplicated: 0, torn: 0, stale: 0 };
  /** Blocks that were written; the others are zeroes. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(path: string, sizeBytes: number) {
    assert(sizeBytes > 0 && sizeBytes % BLOCK_BYTES === 0, `${sizeBytes} bytes are whole blocks`);
    this.path = path;
    this.sizeBytes = sizeBytes;
  }

  /** What lies there, as a copy. */
  read(offset: number, length: number): Uint8Array {
    return copyOf(this.#blocks, offset, length);
  }

  /** What a host reads there: as long as a path has a stale copy, that. */
  readBy(host: number, offset: number, length: number): Uint8Array {
    const bytes = this.read(offset, length);
    const stale = this.#stale;
    if (stale === null || !stale.hosts.has(host)) return bytes;
    const from = Math.max(offset, stale.from);
    const to = Math.min(offset + length, stale.to);
    if (from >= to) return bytes;
    this.met.stale++;
    bytes.set(copyOf(stale.blocks, from, to - from), from - offset);
    return bytes;
  }

  /** From now on these hosts read of `area` what lies there now; null: everybody reads what is. */
  stale(area: Area | null, hosts: ReadonlySet<number> = new Set()): void {
    this.#stale = area === null ? null : { ...area, hosts, blocks: new Map(this.#blocks) };
  }

  /** The next write into `area` goes wrong, and is answered as done. */
  flaw(how: WriteFlaw["how"], area: Area, prng: Prng): void {
    this.#flaw = { how, area, prng };
  }

  /** A write by a command. */
  take(offset: number, bytes: Uint8Array): void {
    const flaw = this.#flaw;
    if (flaw === null || offset < flaw.area.from || offset + bytes.length > flaw.area.to) {
      return this.write(offset, bytes);
    }
    this.#flaw = null;
    const { how, area, prng } = flaw;
    this.met[how]++;
    if (how === "torn") return this.tear(offset, bytes, prng);
    if (how === "duplicated") this.write(offset, bytes);
    const blocks = Math.floor((area.to - area.from - bytes.length) / BLOCK_BYTES);
    this.write(area.from + BLOCK_BYTES * prng.between(0, blocks), bytes);
  }

  /** These were ejected without ABORT: what the target has of them lands until then. */
  linger(nexuses: readonly Nexus[], until: number): void {
    for (const nexus of nexuses) this.#lingering.set(nexus, until);
  }

  /** Does the target still carry out what it took from this nexus before it was ejected? */
  lingers(nexus: Nexus, now: number): boolean {
    return (this.#lingering.get(nexus) ?? -Infinity) > now;
  }

  /** Anything of whoever has one of these nexuses. */
  lingersAny(isTheirs: (nexus: Nexus) => boolean, now: number): boolean {
    return [...this.#lingering].some(([nexus, until]) => until > now && isTheirs(nexus));
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
   * the host registered counts for it: the nexus of a real disk is the host's. What it wrote before
   * it was ejected may land later, so for a while it is as if it went on.
   */
  mayWrite(host: number, disk: SimDisk): boolean {
    if (this.pathOf(host, disk.path) !== "ok") return false;
    const isTheirs = (nexus: Nexus) => this.#hosts.get(nexus) === host;
    return disk.reservations.allowsAny(isTheirs) || disk.lingersAny(isTheirs, this.world.now);
  }

  /** This opening wants to hear of changed paths. */
  watch(opening: Opening): void {
    this.#openings.add(opening);
  }

  /** These nexuses were ejected, without ABORT. */
  ejected(disk: SimDisk, nexuses: ReadonlySet<Nexus>): void {
    for (const opening of this.#openings) {
      if (opening.disk === disk && nexuses.has(opening.nexus)) opening.ejected();
    }
  }

  unwatch(opening: Opening): void {
    this.#openings.delete(opening);
  }
}

function copyOf(
  blocks: ReadonlyMap<number, Uint8Array>,
  offset: number,
  length: number,
): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += BLOCK_BYTES) {
    const block = blocks.get((offset + at) / BLOCK_BYTES);
    if (block !== undefined) bytes.set(block, at);
  }
  return bytes;
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
