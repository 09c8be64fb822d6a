/**
 * What neighbours on an Ethernet are asked and told about an address: ARP (RFC 826, RFC 5227) for
 * IPv4, neighbour discovery (RFC 4861, RFC 4862) for IPv6, as whole frames.
 *
 * @module
 */

/** linux/if_ether.h */
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

const BROADCAST = new Uint8Array(6).fill(0xff);
const NOBODY = new Uint8Array(6);
const REQUEST = 1;
const REPLY = 2;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** RFC 4861 4.4: this address is now with that hardware, whatever was known. */
const OVERRIDE = 0x20;
/** Target link-layer address: RFC 4861 4.6.1. */
const OPTION_TARGET = 2;
const ETHERNET = 14;
const IPV6 = 40;

type Bytes = Uint8Array<ArrayBuffer>;

/** A frame that asks whether somebody has `address`, without claiming it. */
export function probeFrame(address: Uint8Array, mac: Uint8Array): Bytes {
  if (address.length === 4) {
    const sender = { mac, ip: new Uint8Array(4) };
    return arp(REQUEST, sender, { mac: NOBODY, ip: address });
  }
  const body = new Uint8Array(24);
  body[0] = SOLICITATION;
  body.set(address, 8);
  return icmp({ mac, from: new Uint8Array(16), to: solicitedNode(address) }, body);
}

/**
 * Frames that tell everybody who has `address` now. Some switches and routers learn from the
 * request form of a gratuitous ARP only, some from the reply form only: so both.
 */
export function announceFrames(address: Uint8Array, mac: Uint8Array): Bytes[] {
  const self = { mac, ip: address };
  if (address.length === 4) {
    return [arp(REQUEST, self, { mac: NOBODY, ip: address }), arp(REPLY, self, self)];
  }
  const body = new Uint8Array(32);
  body.set([ADVERTISEMENT, 0, 0, 0, OVERRIDE]);
  body.set(address, 8);
  body.set([OPTION_TARGET, 1], 24);
  body.set(mac, 26);
  const allNodes = new Uint8Array(16);
  allNodes.set([0xff, 0x02]);
  allNodes[15] = 1;
  return [icmp({ mac, from: address, to: allNodes }, body)];
}

/**
 * Who, by this frame, has `address` or is about to take it; null for nobody but `own`. A probe by
 * somebody else counts: two that probe at once must not both go on (RFC 5227 2.1.1).
 */
export function claimantIn(
  frame: Uint8Array,
  { address, own }: { readonly address: Uint8Array; readonly own: Uint8Array },
): string | null {
  const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
  const body = frame.subarray(ETHERNET);
  const mac = address.length === 4
    ? (type === ETH_P_ARP ? arpClaimant(body, address) : null)
    : (type === ETH_P_IPV6 ? ndClaimant(frame, address) : null);
  return mac === null || same(mac, own) ? null : formatMac(mac);
}

/** Prints a hardware address: `02:00:5e:10:00:01`. */
export function formatMac(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** The Ethernet group of an IPv6 address's solicited-node multicast (RFC 2464 7). */
export function solicitedGroup(address: Uint8Array): Bytes {
  return groupOf(solicitedNode(address));
}

function arpClaimant(body: Uint8Array, address: Uint8Array): Uint8Array | null {
  if (body.length < 28 || body[1] !== 1 || body[4] !== 6 || body[5] !== 4) return null;
  const [mac, sender, target] = [
    body.subarray(8, 14),
    body.subarray(14, 18),
    body.subarray(24, 28),
  ];
  if (same(sender, address)) return mac;
  const probes = body[7] === REQUEST && sender.every((byte) => byte === 0);
  return probes && same(target, address) ? mac : null;
}

function ndClaimant(frame: Uint8Array, address: Uint8Array): Uint8Array | null {
  const body = frame.subarray(ETHERNET + IPV6);
  if (body.length < 24 || frame[ETHERNET + 6] !== ICMPV6 || frame[ETHERNET + 7] !== 255) {
    return null;
  }
  if (!same(body.subarray(8, 24), address)) return null;
  const mac = frame.subarray(6, 12);
  if (body[0] === ADVERTISEMENT) return mac;
  const from = frame.subarray(ETHERNET + 8, ETHERNET + 24);
  return body[0] === SOLICITATION && from.every((byte) => byte === 0) ? mac : null;
}

interface Party {
  readonly mac: Uint8Array;
  readonly ip: Uint8Array;
}

function arp(operation: number, sender: Party, target: Party): Bytes {
  const frame = new Uint8Array(ETHERNET + 28);
  frame.set(BROADCAST);
  frame.set(sender.mac, 6);
  // Ethernet, IPv4, lengths 6 and 4
  frame.set([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation], 12);
  frame.set(sender.mac, 22);
  frame.set(sender.ip, 28);
  frame.set(target.mac, 32);
  frame.set(target.ip, 38);
  return frame;
}

function icmp(
  { mac, from, to }: { mac: Uint8Array; from: Uint8Array; to: Uint8Array },
  body: Uint8Array,
): Bytes {
  const frame = new Uint8Array(ETHERNET + IPV6 + body.length);
  frame.set(groupOf(to));
  frame.set(mac, 6);
  frame.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, body.length, ICMPV6, 255], 12);
  frame.set(from, ETHERNET + 8);
  frame.set(to, ETHERNET + 24);
  frame.set(body, ETHERNET + IPV6);
  const sum = checksum(from, to, body);
  frame.set([sum >> 8, sum & 0xff], ETHERNET + IPV6 + 2);
  return frame;
}

/** Over the pseudo-header of RFC 8200 8.1 and the message. */
function checksum(from: Uint8Array, to: Uint8Array, body: Uint8Array): number {
  let sum = body.length + ICMPV6;
  for (const part of [from, to, body]) {
    for (let at = 0; at < part.length; at += 2) {
      sum += ((part[at] ?? 0) << 8) | (part[at + 1] ?? 0);
    }
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** RFC 4291 2.7.1 */
function solicitedNode(address: Uint8Array): Uint8Array {
  const group = new Uint8Array(16);
  group.set([0xff, 0x02]);
  group.set([1, 0xff], 11);
  group.set(address.subarray(13), 13);
  return group;
}

function groupOf(multicast: Uint8Array): Bytes {
  const group = new Uint8Array(6);
  group.set([0x33, 0x33]);
  group.set(multicast.subarray(12), 2);
  return group;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
