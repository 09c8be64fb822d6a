/** What a host is called, and by which address others reach it. @module */

/** The kernel's host name: gethostname(2). */
export function hostName(): string {
  return Deno.hostname();
}

/**
 * The first address of the interface that the default route leaves by; else the first that is neither
 * loopback nor link-local; null where there is none.
 */
export function hostAddress(): string | null {
  const candidates = Deno.networkInterfaces().filter(({ address }) =>
    !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address)
  );
  const leaving = defaultInterface();
  const first = candidates.find(({ name, family }) => name === leaving && family === "IPv4") ??
    candidates.find(({ name }) => name === leaving) ?? candidates[0];
  return first?.address ?? null;
}

/** proc(5), /proc/net/route: destination and mask are zero on the default route. */
function defaultInterface(): string | null {
  let text: string;
  try {
    text = Deno.readTextFileSync("/proc/net/route");
  } catch {
    return null;
  }
  for (const line of text.split("\n").slice(1)) {
    const [name, destination, , , , , , mask] = line.split("\t");
    if (destination === "00000000" && mask === "00000000") return name ?? null;
  }
  return null;
}
