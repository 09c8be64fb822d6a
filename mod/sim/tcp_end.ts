/**
 * One end of a simulated connection: what the daemon holds, and what its system does for it.
 *
 * @module
 */
import type { Prng } from "../base/prng.ts";
import type { TcpConnection, TcpEvents } from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { Piece, TcpStream } from "./tcp_stream.ts";
import type { World } from "./world.ts";

/** What an end has once the other side is there. */
export interface Attachment {
  readonly out: TcpStream;
  readonly into: TcpStream;
  /** It is closed; `told` says whether the other side will hear of it. */
  readonly onClosed: (told: boolean) => void;
}

/** See the module's note. */
export class TcpEnd implements TcpConnection {
  readonly host: number;
  readonly life: Life;
  readonly prng: Prng;
  readonly #world: World;
  #events: TcpEvents | null = null;
  #attached: Attachment | null = null;
  #open = false;
  #closed = false;
  /** The daemon has closed it: it reads nothing more. */
  #quiet = false;
  /** The daemon was told of the end. */
  #told = false;
  /** Written before the connection was open. */
  #early: Uint8Array[] = [];

  constructor(world: World, parts: { host: number; life: Life; prng: Prng }) {
    this.#world = world;
    this.host = parts.host;
    this.life = parts.life;
    this.prng = parts.prng;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** From now on the daemon is told. An end that was closed before then says so. */
  begin(events: TcpEvents): void {
    this.#events = events;
    if (this.#closed) this.#tellClosed();
  }

  attach(attachment: Attachment): void {
    this.#attached = attachment;
  }

  /** Bytes may go out. */
  opened(): void {
    this.#open = true;
    for (const bytes of this.#early) this.#attached?.out.send(bytes);
    this.#early = [];
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0 || !this.life.act()) return;
    if (this.#open) this.#attached?.out.send(bytes);
    else this.#early.push(bytes);
  }

  queued(): number {
    if (this.#closed) return 0;
    let early = 0;
    for (const bytes of this.#early) early += bytes.length;
    const pending = this.#attached?.out.pending ?? 0;
    return early + Math.max(0, pending - this.#world.options.tcpBufferBytes);
  }

  close(): void {
    if (!this.life.alive) return;
    this.#quiet = true;
    if (this.#closed) return;
    this.hangUp();
    this.#tellClosed();
  }

  /** The system closes the socket: of a daemon that asked for it, or of one that died. */
  hangUp(): void {
    if (this.#closed) return;
    const out = this.#attached?.out;
    if (out !== undefined) {
      if (this.prng.chance(this.#world.options.tcpCloseLoses)) out.drop();
      out.send("end");
    }
    this.#end(out !== undefined);
  }

  /** The system gives up: refused, or waited too long. The other side is not told. */
  fail(): void {
    if (this.#closed) return;
    this.#attached?.out.drop();
    this.#end(false);
    this.#tellClosed();
  }

  /** The host is gone: nobody is told anything. */
  vanish(): void {
    this.#closed = true;
    this.#early = [];
  }

  /** Something arrives from the other side. */
  receive(piece: Piece): void {
    if (this.#closed) return;
    if (piece === "open") {
      this.opened();
      this.life.deliver(() => {
        if (!this.#closed) this.#events?.onOpen?.();
      });
    } else if (piece === "end") {
      this.#attached?.out.drop();
      this.#end(true);
      this.#tellClosed();
    } else this.life.deliver(() => this.#read(piece));
  }

  #read(bytes: Uint8Array): void {
    this.#attached?.into.read(bytes.length);
    this.#world.note(this.host);
    this.#world.noteBytes(bytes);
    // What had arrived before the other side's end is still read.
    if (!this.#quiet && !this.#told) this.#events?.onData(bytes.slice());
  }

  #end(told: boolean): void {
    this.#closed = true;
    this.#early = [];
    this.#attached?.onClosed(told);
  }

  /** Behind everything that is under way to the daemon, and never within a call of its own. */
  #tellClosed(): void {
    this.#world.after(0, () =>
      this.life.deliver(() => {
        if (this.#told || this.#events === null) return;
        this.#told = true;
        this.#events.onClose();
      }));
  }
}
