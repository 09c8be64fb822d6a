/**
 * Messages of rtnetlink(7) as bytes: linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h,
 * linux/if_link.h. Numbers are in the host's order, little-endian on all hosts that we run on.
 *
 * @module
 */

/** linux/netlink.h */
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
/** linux/rtnetlink.h */
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
/** linux/if_addr.h */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 0x02;
/** linux/if_link.h */
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
/** linux/if.h */
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_POINTOPOINT = 0x10;
const IFF_NOARP = 0x80;
const IFF_LOWER_UP = 0x10000;
/** bits/socket.h */
const AF_INET = 2;
const AF_INET6 = 10;

const HEADER = 16;
const ATTRIBUTES_MAX = 256;

/** An interface. */
export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  /** Hardware address; empty where it has none. */
  readonly mac: Uint8Array;
  /** Switched on, and with a carrier. */
  readonly up: boolean;
  /** Neighbours can be asked: broadcast, with addresses of 6 bytes. */
  readonly neighbours: boolean;
  /** What it was made as, as `bridge`, `veth`; empty for what is real. */
  readonly kind: string;
}

/** An address on an interface. */
export interface AddressInfo {
  readonly index: number;
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** What one datagram of the kernel's says. */
export interface NetlinkNews {
  readonly links: LinkInfo[];
  readonly addresses: AddressInfo[];
  /** The answer is whole: 0, or an errno; null while there is more to come. */
  readonly end: number | null;
}

/** Asks for all interfaces, or for all addresses of them. */
export function dumpRequest(what: "links" | "addresses", seq: number): Uint8Array<ArrayBuffer> {
  const type = what === "links" ? RTM_GETLINK : RTM_GETADDR;
  return message({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, seq }, new Uint8Array(16));
}

/** Asks to add or to remove an address. */
export function changeRequest(
  what: "add" | "remove",
  { index, address, prefix }: AddressInfo,
  seq: number,
): Uint8Array<ArrayBuffer> {
  const v4 = address.length === 4;
  const flags = NLM_F_REQUEST | NLM_F_ACK | (what === "add" ? NLM_F_CREATE | NLM_F_EXCL : 0);
  // struct ifaddrmsg { u8 ifa_family, ifa_prefixlen, ifa_flags, ifa_scope; u32 ifa_index; }
  const body = new Uint8Array(8);
  body.set([v4 ? AF_INET : AF_INET6, prefix, what === "add" && !v4 ? IFA_F_NODAD : 0, 0]);
  new DataView(body.buffer).setUint32(4, index, true);
  const attributes = [attribute(IFA_LOCAL, address), attribute(IFA_ADDRESS, address)];
  if (v4 && what === "add" && prefix < 31) {
    attributes.push(attribute(IFA_BROADCAST, broadcastOf(address, prefix)));
  }
  const type = what === "add" ? RTM_NEWADDR : RTM_DELADDR;
  return message({ type, flags, seq }, concat([body, ...attributes]));
}

/** Asks to put an interface under a bridge, and to switch it on. */
export function joinRequest(
  { index, master }: { readonly index: number; readonly master: number },
  seq: number,
): Uint8Array<ArrayBuffer> {
  // struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags, change; }
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, IFF_UP, true);
  view.setUint32(12, IFF_UP, true);
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, master, true);
  const flags = NLM_F_REQUEST | NLM_F_ACK;
  const type = RTM_NEWLINK;
  return message({ type, flags, seq }, concat([body, attribute(IFLA_MASTER, number)]));
}

/** Reads a datagram that answers request `seq`; null where it is no message at all. */
export function readNews(bytes: Uint8Array, seq: number): NetlinkNews | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const links: LinkInfo[] = [];
  const addresses: AddressInfo[] = [];
  let end: number | null = null;
  // A message takes a header at least, so a datagram has a bound of its own.
  for (let at = 0; at + HEADER <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) return null;
    const type = view.getUint16(at + 4, true);
    const body = bytes.subarray(at + HEADER, at + length);
    if (view.getUint32(at + 8, true) === seq) {
      if (type === NLMSG_DONE) end = 0;
      else if (type === NLMSG_ERROR) {
        if (body.length < 4) return null;
        end = Math.abs(new DataView(body.buffer, body.byteOffset).getInt32(0, true));
      } else if (type === RTM_NEWLINK) links.push(...linkIn(body));
      else if (type === RTM_NEWADDR) addresses.push(...addressIn(body));
    }
    at += align(length);
  }
  return { links, addresses, end };
}

function linkIn(body: Uint8Array): LinkInfo[] {
  // struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags, change; }
  if (body.length < 16) return [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [index, flags] = [view.getInt32(4, true), view.getUint32(8, true)];
  const attributes = attributesIn(body.subarray(16));
  const mac = attributes.get(IFLA_ADDRESS) ?? new Uint8Array();
  const mute = (flags & (IFF_LOOPBACK | IFF_NOARP | IFF_POINTOPOINT)) !== 0;
  return [{
    index,
    name: untilZero(attributes.get(IFLA_IFNAME)),
    mac: mac.slice(),
    up: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    neighbours: !mute && mac.length === 6,
    kind: untilZero(attributesIn(attributes.get(IFLA_LINKINFO) ?? NOTHING).get(IFLA_INFO_KIND)),
  }];
}

const NOTHING = new Uint8Array();

/** A C string. */
function untilZero(bytes: Uint8Array = NOTHING): string {
  return new TextDecoder().decode(bytes).split("\0", 1)[0] ?? "";
}

function addressIn(body: Uint8Array): AddressInfo[] {
  if (body.length < 8) return [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const size = body[0] === AF_INET ? 4 : body[0] === AF_INET6 ? 16 : 0;
  const attributes = attributesIn(body.subarray(8));
  // On a point-to-point interface IFA_ADDRESS is the other end's.
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  const prefix = body[1] ?? 0;
  if (address === undefined || address.length !== size || prefix > 8 * size) return [];
  return [{ index: view.getUint32(4, true), address: address.slice(), prefix }];
}

/** struct rtattr { u16 rta_len, rta_type; } and the value, in multiples of 4 bytes. */
function attributesIn(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.length && found.size < ATTRIBUTES_MAX;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    found.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align(4 + value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

/** struct nlmsghdr { u32 len; u16 type, flags; u32 seq, pid; } and the body. */
function message(
  { type, flags, seq }: { type: number; flags: number; seq: number },
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, seq, true);
  bytes.set(body, HEADER);
  return bytes;
}

function broadcastOf(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, at) => byte | (0xff >> Math.min(8, Math.max(0, prefix - 8 * at))));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
