/**
 * Byte streams over the simulated network: who listens, who connects, and what a cut or a crash
 * does to the connections there are.
 *
 * @module
 */
import { ProblemError } from "../base/problem.ts";
import type { Prng } from "../base/prng.ts";
import type { TcpConnection, TcpEvents, TcpListener, TcpPort } from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { Path, Place, SimNetwork } from "./network.ts";
import { draw } from "./options.ts";
import { TcpEnd } from "./tcp_end.ts";
import { TcpStream } from "./tcp_stream.ts";

type OnAccept = (connection: TcpConnection) => TcpEvents;

interface Listening {
  readonly life: Life;
  readonly host: number;
  readonly onAccept: OnAccept;
  open: boolean;
}

interface Connection {
  readonly ends: readonly [TcpEnd, TcpEnd];
  readonly streams: readonly [TcpStream, TcpStream];
  /** Changes whenever the connection is cut or mended, so that older limits do not count. */
  cuts: number;
  cut: boolean;
}

/** All listeners and connections of a world. */
export class TcpWorld {
  readonly network: SimNetwork;
  readonly #listening = new Map<string, Listening>();
  readonly #connections = new Set<Connection>();
  /** Hosts that are powered. */
  readonly #up = new Set<number>();
  readonly #prng: Prng;

  constructor(network: SimNetwork) {
    this.network = network;
    this.#prng = network.world.prng("tcp");
    network.onChange(() => {
      for (const connection of [...this.#connections]) this.#look(connection);
    });
  }

  /** Connections of which at least one end is not closed. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The host's system runs and answers. */
  powerOn(host: number): void {
    this.#up.add(host);
  }

  /** The host is gone without a word; the others notice when they have waited in vain. */
  powerOff(host: number): void {
    this.#up.delete(host);
    for (const connection of [...this.#connections]) {
      for (const [side, end] of connection.ends.entries()) {
        if (end.host !== host) continue;
        for (const stream of connection.streams) stream.drop();
        end.vanish();
        const other = connection.ends[1 - side];
        if (other === undefined || other.closed) this.#connections.delete(connection);
        else this.#failLater(other);
      }
    }
  }

  /** A daemon has died: its system closes what it had open. */
  endLife(life: Life): void {
    for (const connection of [...this.#connections]) {
      for (const end of connection.ends) if (end.life === life) end.hangUp();
    }
  }

  listen(host: number, life: Life, ask: { local: string; onAccept: OnAccept }): TcpListener {
    // The dead bind nothing.
    if (!life.act()) return { close: nothing };
    const places = this.network.localPlaces(host, ask.local);
    if (places.length === 0 || places.some(({ key }) => this.#listening.has(key))) {
      throw new ProblemError("heartbeat.bad-address", `"${ask.local}" cannot be bound`);
    }
    const listening: Listening = { life, host, onAccept: ask.onAccept, open: true };
    for (const { key } of places) this.#listening.set(key, listening);
    const close = () => {
      if (!listening.open) return;
      listening.open = false;
      for (const { key } of places) this.#listening.delete(key);
    };
    life.onEnd(close);
    return { close };
  }

  connect(host: number, life: Life, ask: { remote: string; events: TcpEvents }): TcpConnection {
    const { world } = this.network;
    const end = new TcpEnd(world, { host, life, prng: this.#prng });
    if (!life.act()) return end;
    end.begin(ask.events);
    const place = this.network.place(ask.remote);
    if (place === null) {
      world.after(0, () => end.fail());
      return end;
    }
    const path = this.network.path(host, place.host, place.link);
    world.after(this.network.delay(path), () => this.#knock(end, place, path));
    return end;
  }

  /** The first segment arrives, or not. */
  #knock(end: TcpEnd, place: Place, path: Path): void {
    if (end.closed || !end.life.alive) return;
    const { world } = this.network;
    if (path.cut || !this.#up.has(place.host)) return this.#failLater(end);
    const back = this.network.path(place.host, end.host, path.link);
    const listening = this.#listening.get(place.key);
    if (listening === undefined) {
      world.after(this.network.delay(back), () => end.fail());
      return;
    }
    const { host, life } = listening;
    const other = new TcpEnd(world, { host, life, prng: this.#prng });
    const streams: [TcpStream, TcpStream] = [
      new TcpStream(this.network, path, (piece) => other.receive(piece)),
      new TcpStream(this.network, back, (piece) => end.receive(piece)),
    ];
    const connection: Connection = { ends: [end, other], streams, cuts: 0, cut: false };
    this.#connections.add(connection);
    const [there, hither] = streams;
    end.attach({ out: there, into: hither, onClosed: (told) => this.#onClosed(connection, told) });
    other.attach({
      out: hither,
      into: there,
      onClosed: (told) => this.#onClosed(connection, told),
    });
    streams[1].send("open");
    other.opened();
    listening.life.deliver(() => {
      if (!listening.open) other.close();
      else if (!other.closed) other.begin(listening.onAccept(other));
    });
    this.#look(connection);
  }

  /** One end is closed. Where that is not told to the other, it waits in vain. */
  #onClosed(connection: Connection, told: boolean): void {
    const open = connection.ends.find((end) => !end.closed);
    if (open === undefined) this.#forget(connection);
    else if (!told) this.#failLater(open);
  }

  #forget(connection: Connection): void {
    for (const stream of connection.streams) stream.drop();
    this.#connections.delete(connection);
  }

  #look(connection: Connection): void {
    for (const stream of connection.streams) stream.resume();
    const cut = connection.streams.some(({ path }) => path.cut);
    if (cut === connection.cut) return;
    connection.cut = cut;
    const cuts = ++connection.cuts;
    if (!cut) return;
    for (const end of connection.ends) {
      this.network.world.after(this.#stall(), () => {
        if (connection.cuts === cuts) end.fail();
      });
    }
  }

  #failLater(end: TcpEnd): void {
    this.network.world.after(this.#stall(), () => end.fail());
  }

  #stall(): number {
    return draw(this.#prng, this.network.world.options.tcpStallMs);
  }
}

/** The stream port of one life of a host's daemon. */
export class SimTcp implements TcpPort {
  readonly #tcp: TcpWorld;
  readonly #host: number;
  readonly #life: Life;

  constructor(tcp: TcpWorld, host: number, life: Life) {
    this.#tcp = tcp;
    this.#host = host;
    this.#life = life;
    life.onEnd(() => tcp.endLife(life));
  }

  listen(local: string, onAccept: OnAccept): TcpListener {
    return this.#tcp.listen(this.#host, this.#life, { local, onAccept });
  }

  connect(remote: string, events: TcpEvents): TcpConnection {
    return this.#tcp.connect(this.#host, this.#life, { remote, events });
  }
}

function nothing(): void {
  // A listener of a dead daemon.
}
