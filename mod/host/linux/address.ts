/** Between addresses as people write them and as Deno takes them. @module */
import { type Address, parseAddress } from "../../base/address.ts";
import { ProblemError } from "../../base/problem.ts";

/** An address to listen on, port 0 included. Throws a ProblemError (`heartbeat.bad-address`). */
export function listenAddress(text: string): Address {
  const address = parseAddress(text, true);
  if (address !== null) return address;
  throw new ProblemError("heartbeat.bad-address", `"${text}" is not HOST:PORT`);
}

/** `HOST:PORT`, an IPv6 host in brackets. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
