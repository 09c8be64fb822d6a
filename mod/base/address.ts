/** Network addresses as people write them: `HOST:PORT`, IPv6 as `[ADDRESS]:PORT`. @module */

/** A host and a port. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** RFC 1035 section 2.3.4. */
const HOST_CHARACTERS_MAX = 253;

/** The parts of an address, or null where the text is none. Port 0 is one only where `anyPort`. */
export function parseAddress(text: string, anyPort = false): Address | null {
  const match =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)):(\d{1,5})$/
      .exec(text);
  if (match === null) return null;
  const hostname = match[1] ?? match[2] ?? "";
  const port = Number(match[3]);
  if (hostname.length > HOST_CHARACTERS_MAX || port > 0xffff || (port === 0 && !anyPort)) {
    return null;
  }
  // All digits and dots is meant as IPv4; "1.2.3" or "300.1.1.1" is a typing error, not a host name.
  if (match[1] === undefined && /^[\d.]+$/.test(hostname) && !isIpv4(hostname)) return null;
  return { hostname, port };
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}
