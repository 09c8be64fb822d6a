/**
 * What `.rrd` shows: the newest sample of each node and guest, one line each, in the shape of Proxmox
 * VE 9. Nodes tell each other three fractions in their beats and nothing else, so most fields are
 * `U`, which that shape has for "unknown".
 *
 * @module
 */
import { decodeText } from "../../base/bytes.ts";
import type { Vitals } from "../../streams.ts";
import { STATUS_FILE } from "../decisions.ts";
import type { RowsView } from "../rows.ts";

/** Seconds after which a sample is not shown any more. */
export const SAMPLE_SECONDS_MAX = 300;

/** What a node last said of its load. */
export interface NodeSample {
  readonly node: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly vitals: Pick<Vitals, "load" | "ioDelay">;
}

/** What the manager decided of a guest. */
export interface GuestSample {
  readonly vmid: string;
  /** As its file names it; null where it does not. */
  readonly name: string | null;
  readonly running: boolean;
}

const UNKNOWN = "U";
/** Longest name of a guest: a DNS name. */
const NAME_LENGTH_MAX = 253;

/** Every guest of which the manager decided that it runs, or that it does not. */
export function guestsOf(rows: RowsView): readonly GuestSample[] {
  const services = servicesIn(rows.find(STATUS_FILE)?.data ?? new Uint8Array(0));
  const guests: GuestSample[] = [];
  for (const [id, { state }] of Object.entries(services)) {
    const vmid = /^(?:vm|ct):([1-9]\d*)$/.exec(id)?.[1];
    if (vmid === undefined || (state !== "started" && state !== "stopped")) continue;
    const [ino = 0] = rows.guests.places(vmid);
    guests.push({ vmid, name: nameIn(rows.row(ino)?.data), running: state === "started" });
  }
  return guests;
}

/** Its writer is stream 3, but anybody may write there: what is none of its form counts as empty. */
function servicesIn(data: Uint8Array): Readonly<Record<string, { readonly state?: unknown }>> {
  try {
    const { services } = JSON.parse(decodeText(data) ?? "") as { services?: unknown };
    if (typeof services !== "object" || services === null) return {};
    return Object.fromEntries(
      Object.entries(services).filter(([, each]) => typeof each === "object" && each !== null),
    );
  } catch {
    return {};
  }
}

function nameIn(config: Uint8Array | undefined): string | null {
  const text = config === undefined ? null : decodeText(config);
  const name = /^(?:name|hostname):[ \t]*([A-Za-z0-9.-]+)[ \t]*$/m.exec(text ?? "")?.[1];
  return name === undefined || name.length > NAME_LENGTH_MAX ? null : name;
}

/** The dump as of `now` (seconds since 1970), with the NUL that ends each one. */
export function dump(
  nodes: readonly NodeSample[],
  guests: readonly GuestSample[],
  now: number,
): string {
  const fresh = nodes.filter(({ time }) => now - time <= SAMPLE_SECONDS_MAX);
  const lines = [...fresh.map(nodeLine), ...guests.map((guest) => guestLine(guest, now))];
  return lines.map((line) => `${line}\n`).join("") + "\0";
}

/**
 * uptime, subscription, time, load average, processors, cpu, iowait, memory total and used, swap
 * total and used, root total and used, net in and out, memory available, ARC, pressure of cpu, of
 * io some and full, of memory some and full.
 */
function nodeLine({ node, time, vitals }: NodeSample): string {
  const load = [time, UNKNOWN, UNKNOWN, fraction(vitals.load), fraction(vitals.ioDelay)];
  return [`pve-node-9.0/${node}`, UNKNOWN, "", ...load, ...unknown(15)].join(":");
}

/**
 * uptime, name, status, template, time, processors, cpu, memory max and used, disk max and used, net
 * in and out, disk read and written, memory of the host, pressure of cpu, io, memory, some and full.
 */
function guestLine({ vmid, name, running }: GuestSample, now: number): string {
  const status = running ? "running" : "stopped";
  const known = [UNKNOWN, name ?? UNKNOWN, status, 0, now];
  return [`pve-vm-9.0/${vmid}`, ...known, ...unknown(17)].join(":");
}

function unknown(count: number): readonly string[] {
  return new Array(count).fill(UNKNOWN);
}

function fraction(value: number): string {
  return String(Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000);
}
