/** One-way words to a service of this host that listens on a Unix socket: unix(7), SOCK_DGRAM. @module */

const CLOSE_MS = 1000;

/** Where from, where to, and how much may wait. */
export interface DatagramsOptions {
  /** Of the sending socket, in a folder that is private to us. */
  readonly own: string;
  /** Null: nothing is sent. */
  readonly to: string | null;
  /** Of what waits for a listener that does not read; more is dropped. */
  readonly waitingMax: number;
}

/** A listener that is not there, or does not read, is no reason to stop a cluster's node. */
export class Datagrams {
  readonly #socket: Deno.DatagramConn | null;
  readonly #to: Deno.UnixAddr | null;
  readonly #own: string;
  readonly #waitingMax: number;
  #sent: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor({ own, to, waitingMax }: DatagramsOptions) {
    this.#own = own;
    this.#waitingMax = waitingMax;
    this.#to = to === null ? null : { transport: "unixpacket", path: to };
    this.#socket = this.#to === null ? null : open(own);
  }

  /** False where it is dropped, for too much waits. */
  send(bytes: Uint8Array): boolean {
    const [socket, to] = [this.#socket, this.#to];
    if (socket === null || to === null) return true;
    if (this.#waiting >= this.#waitingMax) return false;
    this.#waiting++;
    // One at a time: the runtime refuses a second send on a socket that is sending.
    this.#sent = this.#sent.then(() => socket.send(bytes, to))
      .then(() => {}, () => {})
      .finally(() => void this.#waiting--);
    return true;
  }

  /**
   * What was said is sent, as far as a listener takes it in {@link CLOSE_MS}: one that hangs must not
   * keep a node from ending. Nothing is said any more.
   */
  async close(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS);
    await Promise.race([this.#sent, late.promise]);
    clearTimeout(timer);
    if (this.#socket === null) return;
    this.#socket.close();
    Deno.removeSync(this.#own);
  }
}

function open(path: string): Deno.DatagramConn | null {
  try {
    Deno.removeSync(path);
  } catch {
    // None was left.
  }
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path });
  } catch {
    return null;
  }
}
