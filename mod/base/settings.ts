/**
 * The settings file: what a node must know before it has a cluster, and nothing else. Plain JSON.
 * A fault names the line, the nearest known key, and what is wanted there.
 *
 * @module
 */
import * as z from "zod";
import { parseAddress } from "./address.ts";
import { LINKS_MAX } from "./cluster.ts";
import { isNodeName } from "./id.ts";
import { type JsonPath, parseJsonPlaces } from "./json_places.ts";
import { nearest } from "./nearest.ts";
import { ProblemError } from "./problem.ts";
import { PROFILE_NAMES, type ProfileName } from "./timing.ts";

/** Where the file is unless told otherwise. */
export const SETTINGS_PATH = "/etc/pentad/settings.json";
/** Larger files are not settings. */
export const SETTINGS_BYTES_MAX = 64 * 1024;
/** Disks on one node. */
export const DISKS_MAX = 8;
/** PATH_MAX of linux/limits.h. */
const PATH_BYTES_MAX = 4096;
/** sockaddr_un.sun_path holds 108 bytes with the closing zero: unix(7). */
export const SOCKET_PATH_BYTES_MAX = 107;
/** A shorter token could be guessed. */
export const TOKEN_CHARACTERS_MIN = 16;
const TOKEN_CHARACTERS_MAX = 256;

/** How the node is reset if this program hangs. */
export type WatchdogChoice = "auto" | "process" | "none";

/** Everything, with defaults filled in. */
export interface Settings {
  /** This node's name; a DNS label. */
  readonly name: string;
  /** Directory of keys and database; private. */
  readonly state: string;
  /** Directory of socket and locks. */
  readonly run: string;
  /** UDP addresses by which peers reach this node's heartbeat. */
  readonly links: readonly string[];
  /** TCP address by which peers reach this node. */
  readonly peer: string;
  /** Where to listen, if not on `links` and `peer` themselves. */
  readonly bind: { readonly links: readonly string[]; readonly peer: string };
  /** The local API; default `api.sock` in `run`. */
  readonly socket: string;
  /** The API over TCP; null: none. The token is a secret: never print it. */
  readonly api: { readonly listen: string; readonly token: string } | null;
  /** Paths of the shared disks. */
  readonly disks: readonly string[];
  /** `auto`: /dev/watchdog where there is one; `process`: a stand-in; `none`. */
  readonly watchdog: WatchdogChoice;
  /** What `init` takes where it is not told a profile. */
  readonly profile: ProfileName;
  /** How much of the config's history is kept: whichever bound is met first. */
  readonly history: {
    /** Mebibytes of transactions and of what was before them. */
    readonly megabytes: number;
    readonly days: number;
  };
  /** Scheduled backups into `backup` in `state`. */
  readonly backup: {
    readonly when: BackupTime;
    /** So many are kept; the oldest goes. */
    readonly keep: number;
  };
  /** Where the replicated tree is mounted; `off`: nowhere. */
  readonly mount: string;
}

/** When backups are made. */
export type BackupTime =
  | { readonly kind: "off" }
  /** Each day at this minute of the host's local time. */
  | { readonly kind: "daily"; readonly minute: number }
  | { readonly kind: "every"; readonly hours: number };

/** The largest transaction with what was before it takes 17: with less it would not be kept itself. */
const HISTORY_MEGABYTES_MIN = 32;
/** Longest time between two backups, in hours: a month. */
const BACKUP_HOURS_MAX = 744;

const PATH = z.string().refine(isPlainPath, "must be an absolute path without control characters");
const ADDRESS = z.string().refine(
  (text) => parseAddress(text) !== null,
  "must be HOST:PORT, IPv6 as [ADDRESS]:PORT",
);
/** An address that peers are told; a wildcard leads nowhere. */
const REACHABLE = ADDRESS.refine(
  (text) => !/^(0\.0\.0\.0|\[::\]):/.test(text),
  'must be an address that peers can reach; a wildcard belongs into "bind"',
);
const LINKS = z.array(REACHABLE).min(1).max(LINKS_MAX).refine(differ, "must not repeat an address");

const FILE = z.strictObject({
  name: z.string().refine(isNodeName, "must be a DNS label: letters, digits and inner hyphens")
    .describe("of this node: a DNS label that no other member bears"),
  state: PATH.default("/var/lib/pentad")
    .describe("directory of the node's identity, keys and database; private"),
  run: PATH.default("/run/pentad")
    .describe("directory of sockets and locks; what is in it does not outlive a boot of the host"),
  links: LINKS.describe(
    "UDP addresses (HOST:PORT) by which the others reach this node's heartbeat, one for each network",
  ),
  peer: REACHABLE.describe("TCP address (HOST:PORT) by which the others reach this node"),
  bind: z.strictObject({
    links: z.array(ADDRESS).min(1).max(LINKS_MAX).refine(differ, "must not repeat an address")
      .describe("as many as the links above, in their order"),
    peer: ADDRESS.describe("instead of the peer address above"),
  }).optional().describe("where to listen, if not on those addresses themselves"),
  socket: PATH.optional().describe(
    "the local API; where it is not given, api.sock in the run folder",
  ),
  api: z.strictObject({
    listen: z.string().refine((text) => parseAddress(text, true) !== null, "must be HOST:PORT")
      .describe("where to listen (HOST:PORT)"),
    token: z.string().regex(/^[\x21-\x7e]*$/, "must be printable ASCII without spaces")
      .min(TOKEN_CHARACTERS_MIN).max(TOKEN_CHARACTERS_MAX)
      .describe("what a caller must know; a secret, and whoever has it may do everything"),
  }).optional().describe("the API over TCP, in clear; where it is not given, there is none"),
  disks: z.array(PATH).max(DISKS_MAX).refine(differ, "must not repeat a path").default([])
    .describe("paths of the shared disks"),
  watchdog: z.enum(["auto", "process", "none"]).default("auto").describe(
    "what resets the node if this program hangs: /dev/watchdog where there is one; a process that " +
      "stands in for it, for tests; or nothing",
  ),
  history: z.strictObject({
    megabytes: z.int().min(HISTORY_MEGABYTES_MIN).max(4096).default(256)
      .describe("mebibytes of transactions, and of what was before them"),
    days: z.int().min(1).max(3650).default(400).describe("older ones go"),
  }).prefault({}).describe("how much of the past is kept; the bound that is met first counts"),
  backup: z.strictObject({
    when: z.string().refine(
      (text) => backupTime(text) !== null,
      'must be "off", a time of day as "03:15", or "every 6h"',
    ).default("03:15").describe('a time of day in the host\'s zone, "every 6h", or "off"'),
    keep: z.int().min(1).max(1000).default(7).describe("so many stay; the oldest goes"),
  }).prefault({}).describe("scheduled backups, into the folder backup of the state directory"),
  profile: z.enum(PROFILE_NAMES as readonly ["standard", "fast"]).default("standard")
    .describe("the timing that pentad init takes where it is not told one"),
  mount: z.union([z.literal("off"), PATH], {
    error: 'must be an absolute path, or "off"',
  }).default("/etc/pve").describe('where the replicated tree is mounted; "off": nowhere'),
});

/** The file's form as a JSON Schema, as a person writes it: with what may be left out. */
export function settingsSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(FILE, { io: "input" });
}

/** All keys, by the path of their object; for suggestions. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(FILE.shape),
  bind: Object.keys(FILE.shape.bind.unwrap().shape),
  api: Object.keys(FILE.shape.api.unwrap().shape),
  history: Object.keys(FILE.shape.history.unwrap().shape),
  backup: Object.keys(FILE.shape.backup.unwrap().shape),
};

/**
 * Reads the text of a settings file; `path` is for messages only. Throws a ProblemError
 * `settings.invalid` that names the line. A value is never quoted, for it could be the token.
 */
export function parseSettings(text: string, path: string): Settings {
  const fault = (line: number, why: string) =>
    new ProblemError("settings.invalid", `"${path}" line ${line}: ${why}`);
  if (text.length > SETTINGS_BYTES_MAX) {
    throw fault(1, `the file is larger than ${SETTINGS_BYTES_MAX} bytes`);
  }
  const json = parseJsonPlaces(text);
  if (!json.ok) throw fault(json.line, json.why);
  const checked = FILE.safeParse(json.value);
  if (!checked.success) {
    // An unknown key first: what is then said to be missing is most likely what it meant.
    const faults = checked.error.issues
      .sort((a, b) => Number(isUnknown(b)) - Number(isUnknown(a)))
      .map((issue) => describe(issue, json.value))
      .map(({ at, why }) => ({ line: json.lineOf(at), why }));
    const [first] = faults;
    const more = faults.slice(1).map(({ line, why }) => `; line ${line}: ${why}`).join("");
    throw fault(first?.line ?? 1, `${first?.why ?? "is not settings"}${more}`);
  }
  const { bind, socket, api, backup, ...rest } = checked.data;
  const settings: Settings = {
    ...rest,
    bind: bind ?? { links: rest.links, peer: rest.peer },
    socket: socket ?? `${rest.run.replace(/\/+$/, "")}/api.sock`,
    api: api ?? null,
    backup: { when: backupTime(backup.when) ?? { kind: "off" }, keep: backup.keep },
  };
  if (settings.bind.links.length !== settings.links.length) {
    throw fault(json.lineOf(["bind", "links"]), '"bind.links" has not as many as "links"');
  }
  if (new TextEncoder().encode(settings.socket).length > SOCKET_PATH_BYTES_MAX) {
    const line = json.lineOf([socket === undefined ? "run" : "socket"]);
    throw fault(line, `the socket's path is longer than ${SOCKET_PATH_BYTES_MAX} bytes`);
  }
  return settings;
}

/** What the word in the file means; null for what means nothing. */
function backupTime(text: string): BackupTime | null {
  if (text === "off") return { kind: "off" };
  const daily = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (daily !== null) return { kind: "daily", minute: Number(daily[1]) * 60 + Number(daily[2]) };
  const hours = Number(/^every ([1-9]\d{0,2})h$/.exec(text)?.[1] ?? 0);
  return hours >= 1 && hours <= BACKUP_HOURS_MAX ? { kind: "every", hours } : null;
}

function isUnknown(issue: z.core.$ZodIssue): boolean {
  return issue.code === "unrecognized_keys";
}

function describe(issue: z.core.$ZodIssue, file: unknown): { at: JsonPath; why: string } {
  const at = issue.path.filter((part) => typeof part !== "symbol");
  const name = at.join(".");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    const known = KEYS[name] ?? [];
    const meant = nearest(key, known);
    const hint = meant ? `did you mean "${meant}"?` : `known are ${known.join(", ")}`;
    return { at: [...at, key], why: `unknown key ${JSON.stringify(key)}; ${hint}` };
  }
  if (at.length === 0) return { at, why: "the file must hold one object: { … }" };
  if (issue.code === "invalid_value") {
    const words = issue.values.map(String);
    const value = at.reduce<unknown>((inner, key) => Object(inner)[key], file);
    const meant = typeof value === "string" ? nearest(value.toLowerCase(), words) : null;
    const hint = meant ? `; did you mean "${meant}"?` : "";
    return { at, why: `"${name}" must be one of ${words.join(", ")}${hint}` };
  }
  const message = issue.message.replace(/^Invalid (input|option): /, "")
    .replace(/^Too (small|big): expected \w+ to /, "must ")
    .replace(/>=(\d+)/, "at least $1").replace(/<=(\d+)/, "at most $1")
    .replace(/^expected ([ao])/, "must be an $1").replace(/^expected/, "must be a")
    .replace(", received undefined", ", and is missing");
  return { at, why: `"${name}" ${message.charAt(0).toLowerCase()}${message.slice(1)}` };
}

function isPlainPath(text: string): boolean {
  return /^\/[^\p{Cc}]*$/u.test(text) && new TextEncoder().encode(text).length <= PATH_BYTES_MAX;
}

function differ(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length;
}
