/** Byte streams over Linux sockets, of the network and of this host alone. @module */
import { parseAddress } from "../../base/address.ts";
import { concat } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import type { TcpConnection, TcpEvents, TcpListener, TcpPort } from "../ports.ts";
import { formatAddress, listenAddress } from "./address.ts";

/** Bytes that one read takes at most. */
const READ_BYTES = 64 * 1024;
/** Small pieces that wait are written together, up to so many bytes. */
const WRITE_BYTES = 64 * 1024;
/** Pause after a failed accept (no file descriptor is left, say). */
const FAULT_PAUSE_MS = 20;

/** A listener that can say where it was bound (port 0 is any free one). */
export interface LinuxTcpListener extends TcpListener {
  readonly address: string;
}

type ListenArguments = Parameters<TcpPort["listen"]>;

/** Byte streams of this host. */
export function linuxTcp(): TcpPort & { listen(...args: ListenArguments): LinuxTcpListener } {
  return {
    listen: (local, onAccept) => new Listener(bind(local), onAccept),
    connect: (remote, events) => new Connection(events, remote),
  };
}

/** Connects to a Unix socket; the connection is like any other. */
export function connectUnix(path: string, events: TcpEvents): TcpConnection {
  return new Connection(events, { path });
}

function bind(local: string): Deno.TcpListener {
  const address = listenAddress(local);
  try {
    return Deno.listen({ transport: "tcp", ...address });
  } catch (cause) {
    const why = `"${local}" cannot be bound: ${String(cause)}`;
    throw new ProblemError("heartbeat.bad-address", why, { cause });
  }
}

class Listener implements LinuxTcpListener {
  readonly address: string;
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener, onAccept: ListenArguments[1]) {
    this.#listener = listener;
    this.address = formatAddress(listener.addr as Deno.NetAddr);
    void this.#accept(onAccept);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }

  async #accept(onAccept: ListenArguments[1]): Promise<void> {
    while (!this.#closed) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#listener.accept();
      } catch {
        if (this.#closed) return;
        await new Promise((resolve) => setTimeout(resolve, FAULT_PAUSE_MS));
        continue;
      }
      const connection = new Connection(null, null);
      connection.run(socket, onAccept(connection));
    }
  }
}

type Remote = string | { readonly path: string };
type Socket = Deno.TcpConn | Deno.UnixConn;

/** Both kinds. What the events throw is a bug of ours and ends the process as a rejection. */
class Connection implements TcpConnection {
  readonly #abort = new AbortController();
  #socket: Socket | null = null;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  #closed = false;

  /** With a remote address it connects; without one it waits for {@link run}. */
  constructor(events: TcpEvents | null, remote: Remote | null) {
    if (events !== null && remote !== null) void this.#connect(remote, events);
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#writing && this.#socket !== null) void this.#drain(this.#socket);
  }

  queued(): number {
    return this.#queued;
  }

  /** At once: what still waits here is dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#queued = 0;
    this.#abort.abort();
    closeQuietly(this.#socket);
  }

  /** Takes an open socket and serves it until it ends. */
  run(socket: Socket, events: TcpEvents): void {
    void this.#serve(socket, events);
  }

  async #connect(remote: Remote, events: TcpEvents): Promise<void> {
    const socket = await this.#dial(remote);
    if (socket !== null) return await this.#serve(socket, events, true);
    this.close();
    events.onClose();
  }

  async #dial(remote: Remote): Promise<Socket | null> {
    const local = typeof remote === "string" ? null : remote.path;
    const address = typeof remote === "string" ? parseAddress(remote) : null;
    try {
      // Nothing is told before connect() has returned, whatever the reason.
      await Promise.resolve();
      if (this.#closed) return null;
      if (local !== null) return await Deno.connect({ transport: "unix", path: local });
      if (address === null) return null;
      return await Deno.connect({ transport: "tcp", ...address, signal: this.#abort.signal });
    } catch {
      return null;
    }
  }

  async #serve(socket: Socket, events: TcpEvents, dialed = false): Promise<void> {
    this.#socket = socket;
    if (this.#closed) closeQuietly(socket);
    else {
      setNoDelay(socket);
      if (dialed) events.onOpen?.();
      if (this.#queued > 0 && !this.#writing) void this.#drain(socket);
      await this.#read(socket, events);
      this.close();
    }
    events.onClose();
  }

  async #read(socket: Socket, events: TcpEvents): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    while (!this.#closed) {
      let length: number | null;
      try {
        length = await socket.read(buffer);
      } catch {
        return;
      }
      if (length === null) return;
      if (!this.#closed) events.onData(buffer.slice(0, length));
    }
  }

  async #drain(socket: Socket): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0 && !this.#closed) {
      const piece = this.#nextPiece();
      try {
        for (let at = 0; at < piece.length && !this.#closed;) {
          const length = await socket.write(piece.subarray(at));
          at += length;
          this.#queued = Math.max(0, this.#queued - length);
        }
      } catch {
        // The read ends too, and it is the one that tells.
        this.close();
      }
    }
    this.#writing = false;
  }

  #nextPiece(): Uint8Array {
    let count = 0;
    let length = 0;
    for (const bytes of this.#queue) {
      if (count > 0 && length + bytes.length > WRITE_BYTES) break;
      count++;
      length += bytes.length;
    }
    const pieces = this.#queue.splice(0, count);
    const [only] = pieces;
    return count === 1 && only !== undefined ? only : concat(...pieces);
  }
}

function setNoDelay(socket: Socket): void {
  try {
    if ("setNoDelay" in socket) socket.setNoDelay(true);
  } catch {
    // It is closed already; the first read will say so.
  }
}

function closeQuietly(socket: Socket | null): void {
  try {
    socket?.close();
  } catch {
    // The other side was faster.
  }
}
