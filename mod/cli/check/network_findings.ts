/** Addresses of this node and ways to the others: what is wrong with them. Pure. @module */
import { parseAddress } from "../../base/address.ts";
import { parseIp } from "../../base/ip.ts";
import { type Finding, ill, well } from "./finding.ts";

/** An address of an interface of this host. */
export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
}

/** What is told of one way to another node. */
export interface WayFacts {
  /** `nodeB over 192.0.2.2`. */
  readonly way: string;
  /** An answer came to a small packet. */
  readonly answers: boolean;
  /** An answer came to one as large as a beat may be, unfragmented. */
  readonly wide: boolean;
}

/** Beats are one datagram of at most 1452 bytes, and headers of IPv6 and UDP: 48. */
const MTU_MIN = 1500;

/** Of the addresses in the settings. */
export function addressFindings(
  { links, peer }: { readonly links: readonly string[]; readonly peer: string },
  interfaces: readonly InterfaceAddress[],
  mtus: ReadonlyMap<string, number>,
): Finding[] {
  const found: Finding[] = [];
  const used = new Map<string, string[]>();
  for (const address of new Set([...links, peer])) {
    const host = parseAddress(address)?.hostname ?? address;
    if (parseIp(host) === null) {
      const what = `"${address}" is a name: where no name server answers, nobody finds this node`;
      found.push(ill("warn", "address", what, "write the IP address into the settings"));
      continue;
    }
    const at = interfaces.find((each) => sameHost(each.address, host));
    if (at === undefined) {
      const what = `"${address}" is no address of this host`;
      found.push(
        ill("fail", "address", what, "see ip addr, and mend links and peer in the settings"),
      );
      continue;
    }
    found.push(well("address", `"${address}" is on ${at.name}`));
    if (links.includes(address)) used.set(at.name, [...used.get(at.name) ?? [], address]);
  }
  for (const [name, addresses] of used) {
    if (addresses.length > 1) {
      const what = `${addresses.join(" and ")} are both on ${name}: they fail together`;
      found.push(ill("warn", "links", what, "give the second link an interface of its own"));
    }
    const mtu = mtus.get(name) ?? MTU_MIN;
    if (mtu >= MTU_MIN) continue;
    const what = `${name} takes ${mtu} bytes, a beat may need ${MTU_MIN}`;
    found.push(ill("fail", "mtu", what, `ip link set ${name} mtu ${MTU_MIN}`));
  }
  return found;
}

/** What the settings say of a member, beside what the cluster knows of it. */
export function knownFindings(
  settings: { readonly name: string; readonly links: readonly string[]; readonly peer: string },
  known: { readonly name: string; readonly links: readonly string[]; readonly peer: string },
): Finding[] {
  const found: Finding[] = [];
  const text = ({ links, peer }: typeof known) => `${links.join(" ")}, peer ${peer}`;
  if (text(settings) !== text(known)) {
    const what = `the settings say ${text(settings)}; the cluster looks for it at ${text(known)}`;
    found.push(ill("fail", "known-address", what, "pentad node readdress, on this node"));
  }
  if (settings.name !== known.name) {
    const what = `the settings call it "${settings.name}", the cluster "${known.name}"`;
    const fix = `"name": "${known.name}" in the settings`;
    found.push(ill("warn", "known-name", what, fix));
  }
  return found.length > 0 ? found : [well("known", "the cluster knows it as the settings say")];
}

/** Of the ways to the other members. */
export function wayFindings(ways: readonly WayFacts[]): Finding[] {
  return ways.map(({ way, answers, wide }) => {
    if (wide) return well("way", `${way} answers, and takes a whole beat`);
    if (!answers) {
      const fix = "it is off, or a firewall drops ping; the links below say which";
      return ill("warn", "way", `${way} does not answer to ping`, fix);
    }
    const what = `${way} answers to small packets only: a beat of 64 nodes would not get through`;
    return ill(
      "fail",
      "mtu",
      what,
      "the MTU of both ends and of every switch between: 1500 or more",
    );
  });
}

function sameHost(one: string, other: string): boolean {
  const [a, b] = [parseIp(one.split("%")[0] ?? ""), parseIp(other)];
  return a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b);
}
