/** What an agent reports, over the peer channel: to every member, the manager among them. @module */
import { isResourceId, type ResourceId } from "../base/id.ts";
import {
  choice,
  decode,
  encode,
  hex,
  type Infer,
  list,
  struct,
  text,
  u64,
  u8,
} from "../base/schema.ts";
import { RESOURCES_MAX } from "./resource.ts";

const VERSION = 1;

/** State of a resource on one node. `invalid`: it failed, and would everywhere. */
export const LOCAL_STATES = [
  "starting",
  "running",
  "stopping",
  "stopped",
  "failed",
  "stuck",
  "invalid",
] as const;
export type LocalState = typeof LOCAL_STATES[number];

const REPORT = struct({
  version: u8,
  boot: hex(8),
  /** Version of `ha/manager_status` that this agent obeys. */
  status: u64,
  /** It stops in order: not yet; it runs nothing any more; it is to, and takes nothing more. */
  departure: choice(["none", "over", "begun"]),
  /** `opening`: it will say; it starts nothing until it knows. `disarmed`: by what it knows, all is. */
  watchdog: choice(["armed", "none", "opening", "disarmed"]),
  services: list(
    struct({ id: text(100), state: choice(LOCAL_STATES), why: text(300) }),
    RESOURCES_MAX,
  ),
});

/** A report. Resources that it does not name do not run there. */
export type Report = Infer<typeof REPORT>;

/** Bytes of a report. */
export function encodeReport(report: Omit<Report, "version">): Uint8Array {
  return encode(REPORT, { version: VERSION, ...report });
}

/** A report out of hostile bytes, or null. */
export function decodeReport(input: Uint8Array): Report | null {
  const report = decode(REPORT, input);
  if (report === null || report.version !== VERSION) return null;
  return report.services.every((each) => isResourceId(each.id)) ? report : null;
}

type Told = { readonly state: LocalState; readonly why: string };
const STOPPED: Told = { state: "stopped", why: "" };
const BY_ID = new WeakMap<Pick<Report, "services">, ReadonlyMap<string, Told>>();

/** What a report says of one resource. */
export function stateIn(report: Pick<Report, "services">, id: ResourceId): Told {
  let told = BY_ID.get(report);
  if (told === undefined) {
    told = new Map(report.services.map((each) => [each.id, each]));
    BY_ID.set(report, told);
  }
  return told.get(id) ?? STOPPED;
}
