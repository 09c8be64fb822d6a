/** What a bundle is made of: each part by itself, so that one that cannot be had costs no other. @module */
import { FORMATS } from "../../base/formats.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Settings } from "../../base/settings.ts";
import { runBounded } from "../../host/linux/program.ts";
import { checkHost } from "../check/run.ts";
import type { Cli } from "../cli.ts";
import { readSettingsFile } from "../settings_file.ts";
import { REMOVED } from "./scrub.ts";

/** A part: its name in the archive, and how it is had. */
export interface Part {
  readonly name: string;
  make(): Promise<string>;
}

/** What the parts are made with. */
export interface PartsAsk {
  readonly version: string;
  readonly settings: string;
}

/** Transactions whose heads are told: who, when, why, which paths. Never what was written. */
const HISTORY_MAX = 1000;
const JOURNAL_LINES = 20_000;
const COMMAND_MS = 20_000;
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** Answers of the daemon that hold no content of the tree. `/v1/join/tickets` is left out on purpose. */
const ANSWERS: readonly (readonly [string, string])[] = [
  ["status.json", "/v1/status"],
  ["describe.json", "/v1/join/describe"],
  ["heartbeat.json", "/v1/heartbeat"],
  ["timing.json", "/v1/heartbeat/timing"],
  ["members.json", "/v1/config-members"],
  ["ha.json", "/v1/ha"],
  ["storage.json", "/v1/storage"],
  ["history.json", `/v1/history?limit=${HISTORY_MAX}`],
  ["events.txt", "/v1/events?follow=false&routine=true"],
];

/** Files of the kernel and the distribution, by their names in the archive. */
const HOST_FILES: readonly (readonly [string, string])[] = [
  ["os-release", "/etc/os-release"],
  ["kernel", "/proc/version"],
  ["uptime", "/proc/uptime"],
  ["load", "/proc/loadavg"],
  ["memory", "/proc/meminfo"],
  ["mounts", "/proc/self/mountinfo"],
  ["swaps", "/proc/swaps"],
  ["routes", "/proc/net/route"],
  ["sockets", "/proc/net/sockstat"],
  ["pressure-io", "/proc/pressure/io"],
];

const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ["journal.txt", [
    ...["journalctl", "-u", "pentad", "--no-pager", "-o", "short-iso-precise"],
    ...["-n", String(JOURNAL_LINES)],
  ]],
  ["kernel-log.txt", ["dmesg", "--time-format", "iso"]],
  ["unit.txt", ["systemctl", "show", "pentad.service", "--no-pager"]],
  ["addresses.txt", ["ip", "-s", "addr"]],
  ["disks.txt", ["lsblk", "-o", "NAME,SIZE,TYPE,FSTYPE,MOUNTPOINTS,WWN,MODEL"]],
];

/** Every part there is. */
export function partsOf(cli: Cli, ask: PartsAsk): readonly Part[] {
  return [
    { name: "version.json", make: () => Promise.resolve(json(versionOf(ask.version))) },
    { name: "settings.json", make: async () => json(open(await settingsAt(cli, ask))) },
    { name: "check.json", make: async () => json(await checkHost(cli, ask.settings, ask.version)) },
    ...ANSWERS.map(([name, path]): Part => ({ name, make: () => answer(cli, path) })),
    ...COMMANDS.map(([name, words]): Part => ({
      name,
      make: () => runBounded(words, { limitMs: COMMAND_MS, bytesMax: TEXT_BYTES_MAX }),
    })),
    ...HOST_FILES.map(([name, path]): Part => ({
      name: `host/${name}`,
      make: () => Deno.readTextFile(path),
    })),
  ];
}

/** Secrets that this host knows, for {@link scrub}: the API's token, and the cluster's key. */
export async function secretsHere(cli: Cli, ask: PartsAsk): Promise<readonly string[]> {
  const settings = await settingsAt(cli, ask).catch((error) => {
    if (error instanceof ProblemError) return null;
    throw error;
  });
  const state = settings?.state ?? "/var/lib/pentad";
  const token = settings?.api?.token ?? cli.io.env("PENTAD_TOKEN");
  return [...(token === undefined ? [] : [token]), ...keysIn(`${state}/node.json`)];
}

/** The keys in the identity: two while they are renewed. */
function keysIn(path: string): readonly string[] {
  try {
    const { key, other } = JSON.parse(Deno.readTextFileSync(path)) as Record<string, unknown>;
    return [key, other].filter((each) => typeof each === "string");
  } catch {
    // Not there, not ours to read, or not JSON: then none of it is known here either.
    return [];
  }
}

async function settingsAt(cli: Cli, { settings }: PartsAsk): Promise<Settings> {
  return await readSettingsFile(cli.io, settings);
}

/** Without the token. A file that cannot be understood is not put in: nobody knows what is in it. */
function open(settings: Settings): unknown {
  const { api } = settings;
  return { ...settings, api: api === null ? null : { ...api, token: REMOVED } };
}

async function answer(cli: Cli, path: string): Promise<string> {
  const { bytes } = await cli.client.send("GET", path);
  return new TextDecoder().decode(bytes);
}

function versionOf(version: string): unknown {
  const { os, arch } = Deno.build;
  return { version, deno: Deno.version.deno, os, arch, formats: FORMATS };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
