/** Sockets ↔ events of stream 1: translation and nothing else. @module */
import type { UdpPort, UdpSocket } from "../host/ports.ts";
import type { HeartbeatEffect, HeartbeatEvent } from "./events.ts";

type Send = Extract<HeartbeatEffect, { readonly kind: "datagram" }>;

/** One socket per link of this node. */
export class UdpDriver {
  readonly #sockets: readonly UdpSocket[];

  /** `bind` holds one local address per link. */
  constructor(udp: UdpPort, bind: readonly string[], feed: (event: HeartbeatEvent) => void) {
    const sockets: UdpSocket[] = [];
    this.#sockets = sockets;
    try {
      bind.forEach((local, link) => {
        sockets.push(udp.open(local, (_from, bytes) => feed({ kind: "datagram", link, bytes })));
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sends one datagram; on a link that this node does not have, nothing. */
  perform({ link, to, bytes }: Send): void {
    this.#sockets[link]?.send(to, bytes);
  }

  /** Closes all sockets. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
