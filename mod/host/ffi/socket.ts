/**
 * Sockets that the runtime has no word for: netlink(7) and packet(7).
 *
 * @module
 */
import { HERE } from "./abi.ts";
import { errno } from "./file.ts";
import { openLibc } from "./libc.ts";

export const { AF_NETLINK, AF_PACKET, SOCK_RAW } = HERE;
const { SOCK_CLOEXEC, SOCK_NONBLOCK, MSG_DONTWAIT } = HERE;
/** Of setsockopt(2); packet(7). */
export const { SOL_SOCKET, SO_ATTACH_FILTER, SOL_PACKET, PACKET_ADD_MEMBERSHIP } = HERE;

const SYMBOLS = {
  // int socket(int domain, int type, int protocol);
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen);
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  // ssize_t sendto(int sockfd, const void *buf, size_t len, int flags,
  //                const struct sockaddr *dest_addr, socklen_t addrlen);
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  // ssize_t recv(int sockfd, void *buf, size_t len, int flags);
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let loaded: Library | null = null;

/** A socket that never waits. */
export class RawSocket {
  readonly #libc: Library;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(64 * 1024);

  private constructor(libc: Library, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Opens a raw socket of this family, or tells errno. */
  static open(family: number, protocol: number): RawSocket | number {
    loaded ??= openLibc(SYMBOLS);
    const fd = loaded.socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    return fd < 0 ? errno() : new RawSocket(loaded, fd);
  }

  /** 0, or errno. */
  bind(address: Uint8Array<ArrayBuffer>): number {
    return this.#libc.bind(this.#fd, address, address.length) === 0 ? 0 : errno();
  }

  /** 0, or errno. */
  set(level: number, option: number, value: Uint8Array<ArrayBuffer>): number {
    const code = this.#libc.setsockopt(this.#fd, level, option, value, value.length);
    return code === 0 ? 0 : errno();
  }

  /** 0, or errno. */
  send(bytes: Uint8Array<ArrayBuffer>, to: Uint8Array<ArrayBuffer>): number {
    const size = BigInt(bytes.length);
    const sent = Number(this.#libc.sendto(this.#fd, bytes, size, 0, to, to.length));
    return sent < 0 ? errno() : 0;
  }

  /** What has arrived, as bytes of its own; null where nothing has, or it cannot be read. */
  receive(): Uint8Array<ArrayBuffer> | null {
    const size = BigInt(this.#buffer.length);
    const got = Number(this.#libc.recv(this.#fd, this.#buffer, size, MSG_DONTWAIT));
    return got <= 0 ? null : this.#buffer.slice(0, got);
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}
