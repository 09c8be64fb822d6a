/**
 * Who is where on the network, and in which state each way is. A *path* leads from one host to one
 * interface of another, in one direction: each direction has its own faults. Datagrams go over it
 * in `udp.ts`, byte streams in `tcp.ts`.
 *
 * @module
 */
import { parseAddress } from "../base/address.ts";
import type { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import { draw, type Range } from "./options.ts";
import type { World } from "./world.ts";

/** What befalls what is sent over a path. */
export interface PathCondition {
  delayMs: Range;
  loss: number;
  duplicate: number;
  replay: number;
  corrupt: number;
  /** Nothing gets through, and what is under way is lost (a byte stream stalls). */
  cut: boolean;
}

/** One direction between two hosts over one link. */
export interface Path extends PathCondition {
  readonly from: number;
  readonly to: number;
  readonly link: number;
  readonly prng: Prng;
}

/** An address that some host has. */
export interface Place {
  readonly host: number;
  readonly link: number;
  readonly port: number;
  /** The address in one spelling: the key of sockets. */
  readonly key: string;
}

/** Which paths a fault strikes; an absent link means all links. */
export interface Way {
  readonly from: number;
  readonly to: number;
  readonly link?: number;
}

/** Addresses that are remembered. */
const PLACES_MAX = 1024;
const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

/** The network of a world. */
export class SimNetwork {
  readonly world: World;
  /** Interface names by host, one per link. */
  readonly #interfaces: (readonly string[])[] = [];
  readonly #paths: Path[] = [];
  /** By from, to, link. */
  readonly #index: Path[][][] = [];
  readonly #places = new Map<string, Place | null>();
  readonly #listeners: (() => void)[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** Adds host number `host` (0, 1, …) with a name per link: `["10.0.0.1", "10.1.0.1"]`. */
  addHost(host: number, names: readonly string[]): void {
    this.#interfaces[host] = names;
    this.#places.clear();
  }

  /** How many hosts there are. */
  get hosts(): number {
    return this.#interfaces.length;
  }

  /** The path from one host to an interface of another. */
  path(from: number, to: number, link: number): Path {
    const known = this.#index[from]?.[to]?.[link];
    if (known !== undefined) return known;
    const prng = this.world.prng(`path ${from} ${to} ${link}`);
    const path: Path = { ...this.#healthy(), cut: false, from, to, link, prng };
    ((this.#index[from] ??= [])[to] ??= [])[link] = path;
    this.#paths.push(path);
    return path;
  }

  /** The host that has this address; null for nobody. */
  place(address: string): Place | null {
    const known = this.#places.get(address);
    if (known !== undefined) return known;
    const place = this.#find(address);
    if (this.#places.size >= PLACES_MAX) this.#places.clear();
    this.#places.set(address, place);
    return place;
  }

  /** The places at which a host listens with this local address; empty where it cannot. */
  localPlaces(host: number, local: string): readonly Place[] {
    const parsed = parseAddress(local);
    const names = this.#interfaces[host] ?? [];
    if (parsed === null) return [];
    const { hostname, port } = parsed;
    if (!WILDCARDS.includes(hostname)) {
      const place = this.place(local);
      return place?.host === host ? [place] : [];
    }
    return names.map((name, link) => ({ host, link, port, key: keyOf(name, port) }));
  }

  /** What a receiver sees as the sender's address. */
  nameOf(host: number, link: number, port: number): string {
    const names = this.#interfaces[host] ?? [];
    return keyOf(names[link] ?? names[0] ?? "", port);
  }

  /** Nothing goes this way any more. The other direction is not touched. */
  cut(way: Way): void {
    for (const path of this.#onWay(way)) path.cut = true;
    this.#changed();
  }

  /** Things go this way again; the path's other faults stay. */
  mend(way: Way): void {
    for (const path of this.#onWay(way)) path.cut = false;
    this.#changed();
  }

  /** Cuts exactly the paths between different groups, on all links; a host in none is alone. */
  partition(groups: readonly (readonly number[])[]): void {
    for (let from = 0; from < this.hosts; from++) {
      for (let to = 0; to < this.hosts; to++) {
        const apart = from !== to && !groups.some((g) => g.includes(from) && g.includes(to));
        for (const path of this.#onWay({ from, to })) path.cut = apart;
      }
    }
    this.#changed();
  }

  /** Makes a way worse (or better) than the world's options say, until {@link heal}. */
  degrade(way: Way, condition: Partial<Omit<PathCondition, "cut">>): void {
    for (const path of this.#onWay(way)) Object.assign(path, condition);
  }

  /** Everything is as the world's options say. */
  heal(): void {
    for (const path of this.#paths) Object.assign(path, this.#healthy(), { cut: false });
    this.#changed();
  }

  /** Called after paths were cut or mended. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The time that one thing takes over a path. */
  delay(path: Path): Millis {
    return draw(path.prng, path.delayMs);
  }

  #healthy(): Omit<PathCondition, "cut"> {
    const { netDelayMs, netLoss, netDuplicate, netReplay, netCorrupt } = this.world.options;
    return {
      delayMs: netDelayMs,
      loss: netLoss,
      duplicate: netDuplicate,
      replay: netReplay,
      corrupt: netCorrupt,
    };
  }

  #onWay({ from, to, link }: Way): Path[] {
    if (link !== undefined) return [this.path(from, to, link)];
    const links = Math.max(1, this.#interfaces[to]?.length ?? 0);
    return Array.from({ length: links }, (_, each) => this.path(from, to, each));
  }

  #find(address: string): Place | null {
    const parsed = parseAddress(address);
    if (parsed === null) return null;
    const { hostname, port } = parsed;
    for (const [host, names] of this.#interfaces.entries()) {
      const link = names.indexOf(hostname);
      if (link >= 0) return { host, link, port, key: keyOf(hostname, port) };
    }
    return null;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function keyOf(name: string, port: number): string {
  return name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
}
