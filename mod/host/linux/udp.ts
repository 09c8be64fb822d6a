/** Datagrams over Linux sockets. @module */
import { formatAddress, listenAddress } from "./address.ts";
import { parseAddress } from "../../base/address.ts";
import { ProblemError } from "../../base/problem.ts";
import type { UdpPort, UdpSocket } from "../ports.ts";

/** Longest UDP payload over IPv4 and then some: nothing that arrives is cut short unseen. */
const DATAGRAM_BYTES_MAX = 65_536;
/** Datagrams that the system has not taken yet; more are dropped, as a full queue would. */
const SENDING_MAX = 1024;
/** Pause after a failed receive, so that a lasting fault does not take a whole processor. */
const FAULT_PAUSE_MS = 20;
/** Addresses that are remembered; answers to strangers must not fill the memory. */
const ADDRESSES_MAX = 1024;

/** A socket that can say where it was bound (port 0 is any free one). */
export interface LinuxUdpSocket extends UdpSocket {
  readonly address: string;
}

/** Datagrams of this host. */
export function linuxUdp(): UdpPort & { open(...args: OpenArguments): LinuxUdpSocket } {
  return { open: (local, onPacket) => new Socket(bind(local), onPacket) };
}

type OpenArguments = Parameters<UdpPort["open"]>;
type OnPacket = OpenArguments[1];

function bind(local: string): Deno.DatagramConn {
  const address = listenAddress(local);
  try {
    return Deno.listenDatagram({ transport: "udp", ...address });
  } catch (cause) {
    const why = `"${local}" cannot be bound: ${String(cause)}`;
    throw new ProblemError("heartbeat.bad-address", why, { cause });
  }
}

class Socket implements LinuxUdpSocket {
  readonly address: string;
  readonly #connection: Deno.DatagramConn;
  readonly #addresses = new Map<string, Deno.NetAddr | null>();
  #sending = 0;
  #closed = false;

  constructor(connection: Deno.DatagramConn, onPacket: OnPacket) {
    this.#connection = connection;
    this.address = formatAddress(connection.addr as Deno.NetAddr);
    // What `onPacket` throws is a bug of ours: it must end the process, as a rejection of this does.
    void this.#receive(onPacket);
  }

  send(to: string, bytes: Uint8Array): void {
    const address = this.#addressOf(to);
    if (this.#closed || address === null || this.#sending >= SENDING_MAX) return;
    this.#sending++;
    this.#connection.send(bytes, address).catch(() => {
      // Too long, no route, the other side's ICMP error, or closed: a datagram may be lost.
    }).finally(() => this.#sending--);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #receive(onPacket: OnPacket): Promise<void> {
    const buffer = new Uint8Array(DATAGRAM_BYTES_MAX);
    while (!this.#closed) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await this.#connection.receive(buffer);
      } catch {
        if (this.#closed) return;
        await new Promise((resolve) => setTimeout(resolve, FAULT_PAUSE_MS));
        continue;
      }
      if (this.#closed) return;
      const [bytes, from] = received;
      onPacket(formatAddress(from as Deno.NetAddr), bytes.slice());
    }
  }

  /** Peers are few and their addresses never change: each is read once. */
  #addressOf(text: string): Deno.NetAddr | null {
    const known = this.#addresses.get(text);
    if (known !== undefined) return known;
    const parsed = parseAddress(text);
    const address: Deno.NetAddr | null = parsed && { transport: "udp", ...parsed };
    if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
    this.#addresses.set(text, address);
    return address;
  }
}
