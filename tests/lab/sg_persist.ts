/** What sg_persist says of a unit: an independent reader of the same answers. @module */
import { fromHex } from "../../mod/base/bytes.ts";
import assert from "node:assert/strict";
import type { LabHost } from "../../scripts/lab/host.ts";

/** The target's four answers, as bytes; null where it refused. */
export interface Reading {
  readonly keys: Uint8Array | null;
  readonly reservation: Uint8Array | null;
  readonly capabilities: Uint8Array | null;
  readonly fullStatus: Uint8Array | null;
}

const OPTIONS = { keys: "-k", reservation: "-r", capabilities: "-c", fullStatus: "-s" } as const;
const CUT = "=====";

/** Reads a unit with sg_persist, in one go: as bytes, and as the text that it prints for people. */
export async function sgRead(
  host: LabHost,
  device: string,
): Promise<{ readonly bytes: Reading; readonly text: readonly string[] }> {
  const asks = Object.values(OPTIONS).map((option) =>
    `sg_persist -n -i ${option} -H ${device} 2>&1; echo "code $?"; echo ${CUT}`
  );
  const prints = `sg_persist -n -i -k ${device}; sg_persist -n -i -r ${device}`;
  const parts = (await host.must(`${asks.join("; ")}; ${prints}`)).split(`${CUT}\n`);
  const [keys, reservation, capabilities, fullStatus] = parts.slice(0, 4).map(bytesOf);
  const bytes = {
    keys: keys ?? null,
    reservation: reservation ?? null,
    capabilities: capabilities ?? null,
    fullStatus: fullStatus ?? null,
  };
  return { bytes, text: (parts[4] ?? "").split("\n").map((line) => line.trimEnd()) };
}

/** It prints the first 8 bytes as words, and what follows as hex digits. */
function bytesOf(text: string): Uint8Array | null {
  if (!/code 0\n/.test(text)) return null;
  const rows = [...text.matchAll(/^ ?([0-9a-f]{2,4}) {3,5}((?:[0-9a-f]{2} {1,2})*[0-9a-f]{2})/gm)];
  const digits = rows.map((row) => (row[2] ?? "").replaceAll(" ", "")).join("");
  const head = /PR generation=0x([0-9a-f]+), (?:Additional length=(\d+)|there)/.exec(text);
  const start = head === null ? "" : hex8(parseInt(head[1] ?? "", 16)) + hex8(Number(head[2] ?? 0));
  const bytes = fromHex(start + digits);
  assert.ok(bytes !== null, text);
  return bytes;
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}
