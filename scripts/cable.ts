/**
 * A cable between local nodes that can be cut: datagrams and connections to a node's advertised
 * address are carried to the address where it really listens, until somebody pulls the plug.
 *
 * Nothing in pentad knows of it: the sockets are real, only the far end is a few metres away.
 *
 * @module
 */

interface Carrier {
  close(): void;
}

/** All that leads to one node. */
export class Cable {
  readonly #carriers: Carrier[] = [];
  readonly #connections = new Set<Deno.TcpConn>();
  #plugged = true;
  /** Hears each datagram that is carried. */
  tap: ((bytes: Uint8Array) => void) | null = null;

  /** Carries datagrams that arrive at `from` to `to` (both `HOST:PORT`). */
  carryUdp(from: string, to: string): void {
    const socket = Deno.listenDatagram({ transport: "udp", ...address(from) });
    const target: Deno.NetAddr = { transport: "udp", ...address(to) };
    this.#carriers.push(socket);
    (async () => {
      try {
        for await (const [bytes] of socket) {
          this.tap?.(bytes);
          if (this.#plugged) socket.send(bytes, target).catch(() => {});
        }
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    })();
  }

  /** Carries connections that arrive at `from` to `to`. */
  carryTcp(from: string, to: string): void {
    const listener = Deno.listen(address(from));
    this.#carriers.push(listener);
    (async () => {
      try {
        for await (const near of listener) {
          if (this.#plugged) this.#join(near, to);
          else near.close();
        }
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      }
    })();
  }

  /** Drops everything from now on, and breaks what is connected. */
  cut(): void {
    this.#plugged = false;
    for (const connection of this.#connections) close(connection);
    this.#connections.clear();
  }

  /** Carries again. */
  mend(): void {
    this.#plugged = true;
  }

  /** Ends the cable. */
  close(): void {
    this.cut();
    for (const carrier of this.#carriers) close(carrier);
  }

  async #join(near: Deno.TcpConn, to: string): Promise<void> {
    this.#connections.add(near);
    let far: Deno.TcpConn | null = null;
    try {
      far = await Deno.connect(address(to));
      if (!this.#plugged) throw new Error("The cable was cut");
      near.setNoDelay(true);
      far.setNoDelay(true);
      this.#connections.add(far);
      await Promise.any([
        near.readable.pipeTo(far.writable),
        far.readable.pipeTo(near.writable),
      ]);
    } catch {
      // Whichever end broke, both are closed below.
    } finally {
      for (const connection of [near, far]) {
        if (connection === null) continue;
        this.#connections.delete(connection);
        close(connection);
      }
    }
  }
}

function address(text: string): { hostname: string; port: number } {
  const at = text.lastIndexOf(":");
  return { hostname: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function close(carrier: Carrier): void {
  try {
    carrier.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
