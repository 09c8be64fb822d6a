/** IPv4 and IPv6 addresses as text (RFC 4291 2.2, RFC 5952) and as bytes. @module */

/** Bytes of an address; null where the text is none. Zones (`%eth0`) are refused. */
export function parseIp(text: string): Uint8Array<ArrayBuffer> | null {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

/** Prints 4 or 16 bytes; IPv6 with the longest run of zero groups left out. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = groupsOf(bytes);
  let [best, length] = [-1, 1];
  for (let at = 0; at < groups.length; at++) {
    let end = at;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - at > length) [best, length] = [at, end - at];
  }
  const hex = (part: readonly number[]) => part.map((each) => each.toString(16)).join(":");
  return best < 0
    ? hex(groups)
    : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + length))}`;
}

/** True where both lie in the same network of `prefix` bits. */
export function sameNetwork(a: Uint8Array, b: Uint8Array, prefix: number): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; 8 * at < prefix; at++) {
    const mask = (0xff00 >> Math.min(8, prefix - 8 * at)) & 0xff;
    if ((((a[at] ?? 0) ^ (b[at] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/** True for an address that one host can have for itself: no multicast, loopback or "any". */
export function isHostAddress(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  if (bytes.length === 4) return first !== 0 && first !== 127 && first < 224;
  const small = bytes.subarray(0, 15).every((each) => each === 0) && (bytes[15] ?? 0) < 2;
  return first !== 0xff && !small;
}

function parseV4(text: string): Uint8Array<ArrayBuffer> | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1) ?? [];
  // A leading zero means octal to some.
  const fine = parts.length === 4 && parts.every((part) => String(Number(part)) === part);
  return fine && parts.every((part) => Number(part) < 256) ? Uint8Array.from(parts, Number) : null;
}

function parseV6(text: string): Uint8Array<ArrayBuffer> | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  // An IPv4 address may stand at the very end only.
  const [head, tail] = halves.map((half, at) => groupsIn(half, at === halves.length - 1));
  if (head === undefined || head === null || tail === null) return null;
  const given = head.length + (tail?.length ?? 0);
  if (tail === undefined ? given !== 8 : given > 7) return null;
  const zeros = new Array<number>(8 - given).fill(0);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  [...head, ...zeros, ...(tail ?? [])].forEach((group, at) => view.setUint16(2 * at, group));
  return bytes;
}

/** The groups of one side of `::`; the last of all may be an IPv4 address. */
function groupsIn(text: string, atEnd: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    if (atEnd && part.includes(".") && at === parts.length - 1) {
      const v4 = parseV4(part);
      if (v4 === null) return null;
      groups.push(...groupsOf(v4));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return null;
  }
  return groups;
}

function groupsOf(bytes: Uint8Array): number[] {
  const groups: number[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  }
  return groups;
}
