/** What a resource of each kind is: its parameters, checked. @module */
import { formatIp, isHostAddress, parseIp } from "../../base/ip.ts";
import { nearest } from "../../base/nearest.ts";
import type { Millis } from "../../base/time.ts";
import { splitWords } from "../words.ts";

/** How a resource is started, watched and stopped, by its kind. */
export type Action = ExecAction | IpAction | OcfAction | SystemdAction | VmAction;

/** A command that runs in a session of its own. */
export interface ExecAction {
  readonly kind: "exec";
  readonly command: readonly string[];
  /** A command whose exit status 0 means healthy; null: it is healthy while it runs. */
  readonly monitor: readonly string[] | null;
}

/** An address that moves. */
export interface IpAction {
  readonly kind: "ip";
  readonly address: string;
  /** Null: as the interface's other address of the network has it. */
  readonly prefix: number | null;
  /** Null: the one that has an address of the same network. */
  readonly interface: string | null;
  /** Ask first whether somebody has it. */
  readonly probe: boolean;
}

/** An agent of the Open Cluster Framework: `OCF_ROOT/resource.d/PROVIDER/TYPE`. */
export interface OcfAction {
  readonly kind: "ocf";
  readonly provider: string;
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** OCF_CHECK_LEVEL of the monitor. */
  readonly checkLevel: number;
}

/** A unit of systemd. */
export interface SystemdAction {
  readonly kind: "systemd";
  readonly unit: string;
}

/** A virtual machine that Proxmox VE's `qemu-server/VMID.conf` defines. */
export interface VmAction {
  readonly kind: "vm";
  readonly vmid: number;
  /** Its definition as it was applied here, and in whose folder it lies; null: there is none. */
  readonly file: { readonly node: string; readonly text: string } | null;
  /** What it was started by; null: it was not. */
  readonly by: "qemu" | "qm" | null;
  /** What of its definition had no effect when it was started. */
  readonly remarks: readonly string[];
  /** Of one that was started here: what its command line was made of. See `Arrival.build`. */
  readonly build?: number;
  /** It was made to receive another one's memory, and did not run before that was there. */
  readonly received?: true;
}

/** Properties by kind; of each, whether it must be there. */
export const KIND_PROPERTIES: Readonly<Record<Action["kind"], Readonly<Record<string, boolean>>>> =
  {
    exec: { command: true, monitor: false },
    ip: { address: false, cidr: false, interface: false },
    ocf: { agent: true, params: false, check_level: false },
    systemd: { unit: false },
    vm: {},
  };

/** How long operations may take unless the resource says so; null: as the agent says. */
export const KIND_TIMEOUTS: Readonly<
  Record<Action["kind"], Readonly<Record<"start" | "stop" | "monitor", Millis | null>>>
> = {
  exec: { start: 20_000, stop: 10_000, monitor: 20_000 },
  ip: { start: 10_000, stop: 10_000, monitor: 20_000 },
  ocf: { start: null, stop: null, monitor: null },
  // systemd's own DefaultTimeoutStartSec and -StopSec are 90 s.
  systemd: { start: 100_000, stop: 100_000, monitor: 20_000 },
  // A guest's own shutdown, which writes what it has.
  vm: { start: 60_000, stop: 120_000, monitor: 20_000 },
};

/** linux/if.h: IFNAMSIZ with the closing zero. */
const INTERFACE_MAX = 15;
const PARAMETERS_MAX = 100;
const CHECK_LEVEL_MAX = 100;
const UNIT = /^[A-Za-z0-9:_.@-]{1,200}\.(service|socket|target|mount|timer|path)$/;

/** Reads what `kind: name` needs of its properties, or says in a clause what is wrong. */
export function readAction(
  { kind, name }: { readonly kind: string; readonly name: string },
  properties: ReadonlyMap<string, string>,
): Action | string {
  switch (kind) {
    case "exec":
      return readExec(properties);
    case "ip":
      return readIp(name, properties);
    case "ocf":
      return readOcf(properties);
    case "systemd":
      return readSystemd(name, properties);
    case "vm":
      return readVm(name);
    default:
      return `the kind "${kind}" is not known here; known are ${KINDS.join(", ")}${meant(kind)}`;
  }
}

const KINDS = Object.keys(KIND_PROPERTIES);

function meant(kind: string): string {
  const found = nearest(kind, KINDS);
  return found === null ? "" : `; "${found}" was meant?`;
}

function readExec(properties: ReadonlyMap<string, string>): ExecAction | string {
  const command = splitWords(properties.get("command") ?? "");
  if (command === null || command.length === 0) return "it needs a command that can be read";
  const monitor = properties.get("monitor");
  const watch = monitor === undefined ? null : splitWords(monitor);
  if (monitor !== undefined && (watch === null || watch.length === 0)) {
    return "its monitor cannot be read";
  }
  return { kind: "exec", command, monitor: watch };
}

function readIp(name: string, properties: ReadonlyMap<string, string>): IpAction | string {
  const given = properties.get("address") ?? name;
  const [text = "", suffix, more] = given.split("/");
  const bytes = parseIp(text);
  if (bytes === null || more !== undefined) return `"${given}" is no IPv4 or IPv6 address`;
  if (!isHostAddress(bytes)) return `"${text}" is no address that one host can have for itself`;
  const cidr = properties.get("cidr") ?? suffix;
  const prefix = cidr === undefined ? null : Number(cidr);
  const fine = cidr === undefined || /^\d{1,3}$/.test(cidr);
  if (!fine || (prefix !== null && (prefix < 1 || prefix > 8 * bytes.length))) {
    return `"${cidr}" is no prefix length from 1 to ${8 * bytes.length}`;
  }
  if (suffix !== undefined && suffix !== cidr) return `"/${suffix}" and cidr ${cidr} differ`;
  const on = properties.get("interface") ?? null;
  if (on !== null && (on.length > INTERFACE_MAX || !/^[^\s/]+$/.test(on) || /^\.{1,2}$/.test(on))) {
    return `"${on}" is no name of an interface`;
  }
  return { kind: "ip", address: formatIp(bytes), prefix, interface: on, probe: true };
}

function readOcf(properties: ReadonlyMap<string, string>): OcfAction | string {
  const agent = properties.get("agent") ?? "";
  const match = /^(?:ocf:)?([A-Za-z0-9][\w.-]{0,63}):([A-Za-z0-9][\w.-]{0,63})$/.exec(agent);
  if (match === null) return `agent "${agent}" is not PROVIDER:TYPE, as heartbeat:IPaddr2`;
  const [, provider = "", type = ""] = match;
  const words = splitWords(properties.get("params") ?? "");
  if (words === null) return "a quote in params is not closed";
  if (words.length > PARAMETERS_MAX) return `there are more than ${PARAMETERS_MAX} params`;
  const parameters: Record<string, string> = {};
  for (const word of words) {
    const [, name, value = ""] = /^((?!__)[A-Za-z_]\w{0,63})=([^]*)$/.exec(word) ?? [];
    if (name === undefined) return `"${word}" in params is not NAME=VALUE`;
    if (Object.hasOwn(parameters, name)) return `"${name}" is there twice in params`;
    // deno-lint-ignore no-control-regex
    if (/\u0000/.test(value)) return `"${name}" in params has a NUL character`;
    parameters[name] = value;
  }
  const level = properties.get("check_level") ?? "0";
  if (!/^\d{1,3}$/.test(level) || Number(level) > CHECK_LEVEL_MAX) {
    return `check_level "${level}" is no number from 0 to ${CHECK_LEVEL_MAX}`;
  }
  return { kind: "ocf", provider, type, parameters, checkLevel: Number(level) };
}

function readSystemd(name: string, properties: ReadonlyMap<string, string>) {
  const given = properties.get("unit") ?? name;
  const unit = given.includes(".") ? given : `${given}.service`;
  return UNIT.test(unit)
    ? { kind: "systemd" as const, unit }
    : `"${given}" is no name of a unit of systemd`;
}

/** Numbers of guests, by Proxmox VE. */
const VMID = /^[1-9]\d{2,8}$/;

function readVm(name: string): VmAction | string {
  return VMID.test(name)
    ? { kind: "vm", vmid: Number(name), file: null, by: null, remarks: [] }
    : `"${name}" is no number of a guest from 100 to 999999999`;
}
