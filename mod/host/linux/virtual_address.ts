/**
 * The address port: addresses through rtnetlink(7), neighbours through packet(7). No program is
 * spawned, so the keeper can take an address away although nothing else works any more.
 *
 * @module
 */
import { formatIp, parseIp, sameNetwork } from "../../base/ip.ts";
import type { Millis } from "../../base/time.ts";
import type { AddressPort, AddressSpec, ProbeResult } from "../address_port.ts";
import { AF_NETLINK, AF_PACKET, PACKET_ADD_MEMBERSHIP, RawSocket } from "../ffi/socket.ts";
import { SO_ATTACH_FILTER, SOL_PACKET, SOL_SOCKET } from "../ffi/socket.ts";
import { announceFrames, claimantIn, ETH_P_ARP, ETH_P_IPV6 } from "./neighbour_wire.ts";
import { probeFrame, solicitedGroup } from "./neighbour_wire.ts";
import { type AddressInfo, changeRequest, dumpRequest, type LinkInfo } from "./netlink_wire.ts";
import { readNews } from "./netlink_wire.ts";

/** linux/netlink.h */
const NETLINK_ROUTE = 0;
/** asm-generic/errno-base.h and errno.h */
const EEXIST = 17;
const EADDRNOTAVAIL = 99;
const EIO = 5;

/**
 * RFC 5227 has three probes over 3 to 6 s. A takeover must not wait so long: three, closer together,
 * find whoever answers at all.
 */
const PROBES = 3;
const PROBE_EVERY_MS: Millis = 100;
const PROBE_LOOK_MS: Millis = 10;
/** Datagrams of one answer, and frames of one look. */
const DATAGRAMS_MAX = 4096;
const FRAMES_MAX = 1024;

/**
 * linux/filter.h: struct sock_filter { u16 code; u8 jt, jf; u32 k; }. Lets ICMPv6 of the types 135
 * and 136 through and nothing else: on a busy network the probe's answer would be lost in the rest.
 */
const ND_ONLY: readonly (readonly [number, number, number, number])[] = [
  [0x30, 0, 0, 20], // ldb next header
  [0x15, 0, 4, 58], // jeq ICMPv6
  [0x30, 0, 0, 54], // ldb type
  [0x35, 0, 2, 135], // jge 135
  [0x25, 1, 0, 136], // jgt 136
  [0x06, 0, 0, 0xffff], // ret all
  [0x06, 0, 0, 0], // ret nothing
];

/** Addresses of a Linux host. See the module's note. */
export class LinuxAddressPort implements AddressPort {
  find(address: string): { interface: string; prefix: number } | null {
    const bytes = parseIp(address);
    if (bytes === null) return null;
    const [links, addresses] = [linksByIndex(), readAll("addresses")];
    if (typeof links === "number" || typeof addresses === "number") return null;
    let best: { interface: string; prefix: number } | null = null;
    for (const each of addresses.addresses) {
      const link = links.get(each.index);
      if (link === undefined || !sameNetwork(each.address, bytes, each.prefix)) continue;
      // Itself, or a host's own address that is no network.
      if (each.prefix === 8 * bytes.length || each.prefix === 0) continue;
      if (best === null || each.prefix > best.prefix) {
        best = { interface: link.name, prefix: each.prefix };
      }
    }
    return best;
  }

  look(spec: AddressSpec): true | { readonly present: boolean; readonly why: string } {
    const link = linkOf(spec.interface);
    if (typeof link === "string") return { present: false, why: link };
    const places = whereIs(spec);
    const present = typeof places !== "number" && places.length > 0;
    if (!present) return { present, why: `"${spec.interface}" has no ${spec.address}` };
    return link.up || { present, why: `the link of "${spec.interface}" is down` };
  }

  probe(spec: AddressSpec, done: (result: ProbeResult) => void): void {
    const address = parseIp(spec.address);
    const link = linkOf(spec.interface);
    const fail = (failure: string) => queueMicrotask(() => done({ failure }));
    if (address === null) return fail(`"${spec.address}" is no address`);
    if (typeof link === "string") return fail(link);
    if (!link.up) return fail(`the link of "${spec.interface}" is down`);
    if (!link.neighbours) return queueMicrotask(() => done({ holder: null }));
    const socket = listen(link, address);
    if (typeof socket === "number") return fail(`cannot ask the neighbours: errno ${socket}`);
    const end = (result: ProbeResult) => {
      clearInterval(timer);
      socket.close();
      done(result);
    };
    let sent = 0;
    const began = performance.now();
    const timer = setInterval(() => {
      for (let count = 0; count < FRAMES_MAX; count++) {
        const frame = socket.receive();
        if (frame === null) break;
        const holder = claimantIn(frame, { address, own: link.mac });
        if (holder !== null) return end({ holder });
      }
      const elapsed = performance.now() - began;
      if (elapsed >= PROBES * PROBE_EVERY_MS) return end({ holder: null });
      if (elapsed < sent * PROBE_EVERY_MS || sent === PROBES) return;
      sent++;
      const code = socket.send(probeFrame(address, link.mac), packetAddress(link, address));
      if (code !== 0) end({ failure: `cannot ask the neighbours: errno ${code}` });
    }, PROBE_LOOK_MS);
  }

  add(spec: AddressSpec): string | null {
    const address = parseIp(spec.address);
    const link = linkOf(spec.interface);
    if (typeof link === "string") return link;
    if (address === null) return `"${spec.address}" is no address`;
    const code = change("add", { index: link.index, address, prefix: spec.prefix });
    return code === 0 || code === EEXIST
      ? null
      : `cannot give ${spec.address} to "${spec.interface}": errno ${code}`;
  }

  remove(spec: Pick<AddressSpec, "address" | "interface">): string | null {
    const left = () => whereIs(spec);
    const places = left();
    if (typeof places === "number") return `cannot read the addresses: errno ${places}`;
    for (const place of places) {
      const code = change("remove", place);
      if (code !== 0 && code !== EADDRNOTAVAIL) {
        return `cannot take ${spec.address} from "${spec.interface}": errno ${code}`;
      }
    }
    const after = places.length === 0 ? places : left();
    return typeof after !== "number" && after.length === 0
      ? null
      : `${spec.address} is on "${spec.interface}" still`;
  }

  announce(spec: AddressSpec, times: number): void {
    const address = parseIp(spec.address);
    const link = linkOf(spec.interface);
    if (address === null || typeof link === "string" || !link.neighbours) return;
    const socket = RawSocket.open(AF_PACKET, 0);
    if (typeof socket === "number") return;
    const frames = announceFrames(address, link.mac);
    for (let count = 0; count < times; count++) {
      for (const frame of frames) socket.send(frame, packetAddress(link, address));
    }
    socket.close();
  }
}

interface Everything {
  readonly links: LinkInfo[];
  readonly addresses: AddressInfo[];
}

/** Interfaces or addresses of this host; errno where the kernel does not say. */
function readAll(what: "links" | "addresses"): Everything | number {
  const all: Everything = { links: [], addresses: [] };
  const code = converse((seq) => dumpRequest(what, seq), (news) => {
    all.links.push(...news.links);
    all.addresses.push(...news.addresses);
  });
  return code === 0 ? all : code;
}

function linksByIndex(): Map<number, LinkInfo> | number {
  const all = readAll("links");
  return typeof all === "number" ? all : new Map(all.links.map((link) => [link.index, link]));
}

/** 0, or errno. */
function change(what: "add" | "remove", info: AddressInfo): number {
  return askKernel((seq) => changeRequest(what, info, seq));
}

let sequence = 0;

/** Asks the kernel for a change: 0, or errno. */
export function askKernel(request: (seq: number) => Uint8Array<ArrayBuffer>): number {
  return converse(request, () => {});
}

/** Asks the kernel and hears its answer, which is there when the question was taken: 0, or errno. */
function converse(
  request: (seq: number) => Uint8Array<ArrayBuffer>,
  hear: (news: { links: LinkInfo[]; addresses: AddressInfo[] }) => void,
): number {
  const socket = RawSocket.open(AF_NETLINK, NETLINK_ROUTE);
  if (typeof socket === "number") return socket;
  try {
    const seq = sequence = (sequence + 1) % 2 ** 31;
    // struct sockaddr_nl { u16 family, pad; u32 pid, groups; }: to the kernel
    const kernel = new Uint8Array(12);
    kernel[0] = AF_NETLINK;
    const code = socket.send(request(seq), kernel);
    if (code !== 0) return code;
    for (let count = 0; count < DATAGRAMS_MAX; count++) {
      const bytes = socket.receive();
      const news = bytes === null ? null : readNews(bytes, seq);
      if (news === null) return EIO;
      hear(news);
      if (news.end !== null) return news.end;
    }
    return EIO;
  } finally {
    socket.close();
  }
}

/** An interface of this host, or why there is none. */
export function linkOf(name: string): LinkInfo | string {
  const all = readAll("links");
  if (typeof all === "number") return `cannot read the interfaces: errno ${all}`;
  return all.links.find((each) => each.name === name) ?? `there is no interface "${name}"`;
}

/**
 * On which interface an address is: on the named one, or where that is gone (or has another name
 * now) on any that neighbours can reach. Errno where the kernel does not say.
 */
function whereIs(spec: Pick<AddressSpec, "address" | "interface">): AddressInfo[] | number {
  const [links, all] = [linksByIndex(), readAll("addresses")];
  if (typeof links === "number") return links;
  if (typeof all === "number") return all;
  const named = [...links.values()].find(({ name }) => name === spec.interface);
  const bytes = parseIp(spec.address);
  const text = bytes === null ? "" : formatIp(bytes);
  return all.addresses.filter(({ index, address }) => {
    if (formatIp(address) !== text) return false;
    return named === undefined ? links.get(index)?.neighbours === true : index === named.index;
  });
}

/** A socket that hears what is said about `address` on `link`; errno where it cannot be had. */
function listen(link: LinkInfo, address: Uint8Array): RawSocket | number {
  // Without a protocol it hears nothing until it is bound.
  const socket = RawSocket.open(AF_PACKET, 0);
  if (typeof socket === "number") return socket;
  const v6 = address.length === 16;
  const code = (v6 ? filter(socket) || join(socket, link, address) : 0) ||
    socket.bind(packetAddress(link, address));
  if (code === 0) return socket;
  socket.close();
  return code;
}

function filter(socket: RawSocket): number {
  const program = new Uint8Array(8 * ND_ONLY.length);
  const view = new DataView(program.buffer);
  for (const [at, [code, yes, no, value]] of ND_ONLY.entries()) {
    view.setUint16(8 * at, code, true);
    program.set([yes, no], 8 * at + 2);
    view.setUint32(8 * at + 4, value, true);
  }
  // struct sock_fprog { u16 len; struct sock_filter *filter; }
  const option = new Uint8Array(16);
  const optionView = new DataView(option.buffer);
  optionView.setUint16(0, ND_ONLY.length, true);
  const pointer = Deno.UnsafePointer.value(Deno.UnsafePointer.of(program));
  optionView.setBigUint64(8, BigInt(pointer), true);
  const code = socket.set(SOL_SOCKET, SO_ATTACH_FILTER, option);
  // The kernel reads it by its address: it must live until here.
  return program.length === 0 ? EIO : code;
}

function join(socket: RawSocket, link: LinkInfo, address: Uint8Array): number {
  // struct packet_mreq { i32 ifindex; u16 type, alen; u8 address[8]; }; type 0: multicast
  const option = new Uint8Array(16);
  const view = new DataView(option.buffer);
  view.setInt32(0, link.index, true);
  view.setUint16(6, 6, true);
  option.set(solicitedGroup(address), 8);
  return socket.set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, option);
}

/** struct sockaddr_ll { u16 family; be16 protocol; i32 ifindex; u16 hatype; u8 pkttype, halen; u8[8] } */
function packetAddress(link: LinkInfo, address: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, address.length === 4 ? ETH_P_ARP : ETH_P_IPV6, false);
  view.setInt32(4, link.index, true);
  return bytes;
}
