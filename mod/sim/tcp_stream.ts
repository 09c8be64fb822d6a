/**
 * One direction of a connection: bytes arrive in order, late, cut into other pieces than they were
 * written in. While the path is cut they wait.
 *
 * @module
 */
import { concat } from "../base/bytes.ts";
import { draw } from "./options.ts";
import type { Path, SimNetwork } from "./network.ts";
import { Happening } from "./world.ts";

/** A receiver reads at most so many bytes at once. */
const PIECE_BYTES_MAX = 64 * 1024;

/** `open`: the other side accepted. `end`: it sends nothing more. */
export type Piece = Uint8Array | "open" | "end";

interface InFlight {
  at: number;
  piece: Piece;
}

/** See the module's note. */
export class TcpStream {
  readonly path: Path;
  readonly #network: SimNetwork;
  readonly #receive: (piece: Piece) => void;
  readonly #pump = new Happening(() => this.#arrive());
  #flight: InFlight[] = [];
  #pending = 0;
  #last = 0;

  constructor(network: SimNetwork, path: Path, receive: (piece: Piece) => void) {
    this.#network = network;
    this.path = path;
    this.#receive = receive;
  }

  /** Bytes that the receiver has not read yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Takes bytes or a mark to the other side. Does not copy. */
  send(piece: Piece): void {
    if (typeof piece === "string") return this.#push(piece);
    const { tcpSplit, tcpJoin } = this.#network.world.options;
    const { prng } = this.path;
    this.#pending += piece.length;
    let rest = piece;
    while (rest.length > PIECE_BYTES_MAX) {
      this.#push(rest.subarray(0, PIECE_BYTES_MAX));
      rest = rest.subarray(PIECE_BYTES_MAX);
    }
    if (rest.length > 1 && prng.chance(tcpSplit)) {
      const at = prng.between(1, rest.length - 1);
      this.#push(rest.subarray(0, at));
      this.#push(rest.subarray(at));
    } else if (rest.length > 0 && !(prng.chance(tcpJoin) && this.#join(rest))) {
      this.#push(rest);
    }
  }

  /** The receiver has read so many bytes. */
  read(bytes: number): void {
    this.#pending -= bytes;
  }

  /** What has not arrived never will. */
  drop(): void {
    this.#flight = [];
    this.#network.world.cancel(this.#pump);
  }

  /** The path was mended: what waits is sent again. */
  resume(): void {
    const [first] = this.#flight;
    const { world } = this.#network;
    if (first === undefined || this.path.cut || this.#pump.scheduled) return;
    const at = world.now + this.#network.delay(this.path);
    for (const each of this.#flight) each.at = Math.max(each.at, at);
    this.#last = Math.max(this.#last, at);
    world.move(this.#pump, first.at);
  }

  #push(piece: Piece): void {
    const { world } = this.#network;
    const { prng, loss } = this.path;
    const resend = prng.chance(loss) ? draw(prng, world.options.tcpResendMs) : 0;
    this.#last = Math.max(this.#last, world.now + this.#network.delay(this.path) + resend);
    this.#flight.push({ at: this.#last, piece });
    if (this.#flight.length === 1) world.move(this.#pump, this.#last);
  }

  /** Puts bytes to the last piece under way, as the sender's system may. */
  #join(bytes: Uint8Array): boolean {
    const last = this.#flight.at(-1);
    if (last === undefined || typeof last.piece === "string") return false;
    if (last.piece.length + bytes.length > PIECE_BYTES_MAX) return false;
    last.piece = concat(last.piece, bytes);
    return true;
  }

  #arrive(): void {
    const { world } = this.#network;
    if (this.path.cut) return;
    for (let first = this.#flight[0]; first !== undefined; first = this.#flight[0]) {
      if (first.at > world.now) return world.move(this.#pump, first.at);
      this.#flight.shift();
      this.#receive(first.piece);
    }
  }
}
