/** Daemons that are a cluster already, for as long as a test runs, and what is written through them. */
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";

/** Forms a cluster without disk and watchdog, and leaves nothing of it behind. */
export async function withCluster(
  names: string[],
  body: (cluster: LocalCluster) => Promise<void>,
): Promise<void> {
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none" });
  try {
    await cluster.form();
    await body(cluster);
  } finally {
    await cluster.close();
  }
}

/** Makes a file that is not there. */
export async function put(node: LocalNode, path: string, text: string): Promise<Response> {
  return await node.api("PUT", `/v1/config/${path}`, {
    body: text,
    headers: { "If-None-Match": "*" },
  });
}

/** Forms in which bytes could stand in a text, which is read as Latin-1. */
export function formsOf(hex: string): string[] {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const raw = new TextDecoder("latin1").decode(bytes);
  const base64 = btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");
  return [hex, hex.toUpperCase(), raw, base64, base64.replace(/\+/g, "-").replace(/\//g, "_")];
}
