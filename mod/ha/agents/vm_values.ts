/** Single values of a virtual machine's definition: each read, or refused with what would do. @module */
import { splitWords } from "../words.ts";

/** A value, or in a clause why it is none. */
export type Read<Value> = { readonly value: Value } | { readonly why: string };

/** What it starts from: devices by name, or kinds of devices. */
export type BootWish =
  | { readonly by: "order"; readonly devices: readonly string[] }
  | { readonly by: "class"; readonly classes: readonly ("disk" | "cdrom" | "net")[] };

/** A processor: QEMU's name for it, null for the one that is usual here; flags `+aes`. */
export interface VmCpu {
  readonly type: string | null;
  readonly flags: readonly string[];
}

const MEMORY_MIB = { least: 16, most: 4 * 1024 * 1024 };
const ARGS_MAX = 128;
const DEVICE = /^(scsi|virtio|ide|sata|net)\d{1,2}$/;
/** Of `boot: cdn`: Proxmox VE's letters. */
const CLASSES: ReadonlyMap<string, "disk" | "cdrom" | "net"> = new Map([
  ["c", "disk"],
  ["d", "cdrom"],
  ["n", "net"],
]);
const V2 = ["+popcnt", "+pni", "+sse4.1", "+sse4.2", "+ssse3"];
const V3 = ["+avx", "+avx2", "+bmi1", "+bmi2", "+f16c", "+fma", "+abm", "+movbe", "+xsave"];
const V4 = ["+avx512f", "+avx512bw", "+avx512cd", "+avx512dq", "+avx512vl"];
/** Levels of the x86-64 psABI, which QEMU has no name for: what they add to `qemu64`. */
const LEVELS: ReadonlyMap<string, readonly string[]> = new Map([
  ["x86-64-v2", V2],
  ["x86-64-v2-AES", [...V2, "+aes"]],
  ["x86-64-v3", [...V2, "+aes", ...V3]],
  ["x86-64-v4", [...V2, "+aes", ...V3, ...V4]],
]);

/** `key=value,…`, where the first may have no key: Proxmox VE's property strings. */
export function readProperties(text: string, first: string): ReadonlyMap<string, string> | string {
  const found = new Map<string, string>();
  for (const [at, part] of text.split(",").entries()) {
    const equals = part.indexOf("=");
    if (equals < 0 && at > 0) return `"${part}" is not key=value`;
    const key = equals < 0 ? first : part.slice(0, equals).trim();
    if (!/^[A-Za-z0-9][\w-]*$/.test(key)) return `"${part}" is not key=value`;
    if (found.has(key)) return `"${key}" is there twice`;
    found.set(key, (equals < 0 ? part : part.slice(equals + 1)).trim());
  }
  return found;
}

export function readNumber(
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): Read<number> {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most
    ? { value }
    : { why: `"${text}" is no number from ${least} to ${most}` };
}

export function readSwitch(text: string): Read<boolean> {
  if (["1", "on", "yes", "true"].includes(text)) return { value: true };
  if (["0", "off", "no", "false"].includes(text)) return { value: false };
  return { why: `"${text}" is neither 1 nor 0` };
}

export function readOneOf<Word extends string>(text: string, words: readonly Word[]): Read<Word> {
  const value = words.find((word) => word === text);
  return value === undefined ? { why: `"${text}" is none of ${words.join(", ")}` } : { value };
}

export function readName(text: string): Read<string> {
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/.test(text)
    ? { value: text }
    : { why: `"${text.slice(0, 60)}" is no DNS name` };
}

/** In MiB: a number, or `current=N`. */
export function readMemory(text: string): Read<number> {
  return readNumber(text.replace(/^current=/, ""), MEMORY_MIB);
}

/** A type of machine that QEMU may have: it has the last word. */
export function readMachine(text: string): Read<string> {
  const [first = ""] = text.split(",");
  const type = first.replace(/^type=/, "").replace(/\+pve\d+$/, "");
  return /^(pc|q35|pc-(i440fx|q35)-\d{1,2}\.\d{1,2})$/.test(type)
    ? { value: type }
    : { why: `"${type}" is none of pc, q35, pc-i440fx-VERSION, pc-q35-VERSION` };
}

export function readCpu(text: string): Read<VmCpu> {
  const properties = readProperties(text, "cputype");
  if (typeof properties === "string") return { why: properties };
  const type = properties.get("cputype") ?? "";
  if (type.startsWith("custom-")) {
    return { why: `"${type}" is defined in Proxmox VE only; name a type of QEMU's` };
  }
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(type)) return { why: `"${type}" is no type of processor` };
  const flags = (properties.get("flags") ?? "").split(";").filter((flag) => flag !== "");
  const odd = flags.find((flag) => !/^[+-][a-z0-9][a-z0-9_.-]{0,31}$/.test(flag));
  if (odd !== undefined) return { why: `"${odd}" is no flag as +aes or -pcid` };
  const level = LEVELS.get(type);
  return level === undefined
    ? { value: { type, flags } }
    : { value: { type: "qemu64", flags: [...level, ...flags] } };
}

/** `order=scsi0;net0`, or letters as `cdn`. Null: as the machine has it. */
export function readBoot(text: string): Read<BootWish | null> {
  if (text === "") return { value: null };
  const letters = /^(?:legacy=)?([a-d n]{1,4})$/.exec(text)?.[1];
  if (letters !== undefined) {
    const classes = [...letters].flatMap((letter) => CLASSES.get(letter) ?? []);
    return { value: { by: "class", classes } };
  }
  const properties = readProperties(text, "legacy");
  if (typeof properties === "string") return { why: properties };
  const order = properties.get("order");
  if (order === undefined) return { why: `"${text}" has no order=DEVICE;DEVICE` };
  const devices = order.split(";").filter((device) => device !== "");
  const odd = devices.find((device) => !DEVICE.test(device));
  return odd === undefined
    ? { value: { by: "order", devices } }
    : { why: `"${odd}" is no device as scsi0 or net0` };
}

/** `1,type=virtio,…`: only whether there is one. */
export function readAgent(text: string): Read<boolean> {
  const properties = readProperties(text, "enabled");
  if (typeof properties === "string") return { why: properties };
  return readSwitch(properties.get("enabled") ?? "0");
}

export function readArgs(text: string): Read<readonly string[]> {
  const words = splitWords(text);
  if (words === null) return { why: "a quote is not closed" };
  return words.length > ARGS_MAX ? { why: `more than ${ARGS_MAX} words` } : { value: words };
}

export function readSerial(key: string, text: string): Read<string> {
  if (!/^serial[0-3]$/.test(key)) return { why: "there are serial0 to serial3" };
  return text === "socket" || /^\/dev\/[\w./-]{1,100}$/.test(text)
    ? { value: text }
    : { why: `"${text}" is neither socket nor a device as /dev/ttyS0` };
}
