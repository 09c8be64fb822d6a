/** Disks and network cards of a virtual machine's definition. @module */
import { readOneOf, readProperties, readSwitch } from "./vm_values.ts";

/** How many there may be of each, by Proxmox VE. */
const COUNTS: Readonly<Record<string, number>> = { scsi: 31, virtio: 16, ide: 4, sata: 6 };
const NETS = 32;
const PATH_MAX = 1024;

export type DiskBus = "scsi" | "virtio" | "ide" | "sata";

/** A disk, or a drive for one. */
export interface VmDisk {
  readonly bus: DiskBus;
  readonly at: number;
  /** Null: a drive with nothing in it. */
  readonly path: string | null;
  readonly format: string;
  readonly media: "disk" | "cdrom";
  readonly cache: string;
  readonly discard: boolean;
  readonly readonly: boolean;
  readonly serial: string | null;
}

/** Where firmware keeps its variables. */
export interface VmFirmware {
  readonly path: string;
  readonly format: string;
}

/** A network card. */
export interface VmNet {
  readonly at: number;
  readonly model: string;
  /** Lower case, with colons. */
  readonly mac: string;
  /** Null: behind this host's address (user networking). */
  readonly bridge: string | null;
  readonly linkDown: boolean;
}

const CACHES = ["none", "writeback", "writethrough", "directsync", "unsafe"] as const;
const FORMATS = ["raw", "qcow2", "vmdk", "qed"] as const;
/** What Proxmox VE notes about a disk, and what is done for it elsewhere. */
const DISK_NOTES: ReadonlySet<string> = new Set(["size", "backup", "replicate", "shared"]);
const DISK_KNOWN: ReadonlySet<string> = new Set([
  ...["file", "media", "format", "cache", "discard", "ro", "serial"],
]);
/** Of a model by its name in the file: QEMU's device. */
const MODELS: ReadonlyMap<string, string> = new Map([
  ["virtio", "virtio-net-pci"],
  ...["e1000", "e1000e", "rtl8139", "vmxnet3", "ne2k_pci", "pcnet", "i82551", "i82557b"].map(
    (name) => [name, name] as const,
  ),
  ["e1000-82540em", "e1000-82540em"],
  ["i82559er", "i82559er"],
]);
const NET_KNOWN: ReadonlySet<string> = new Set(["macaddr", "model", "bridge", "link_down"]);
/** Left out they would put the guest into a network that is not its own. */
const NET_PLACES = ["tag", "trunks"] as const;

/** True for the name of a disk: `scsi0`. */
export function isDiskKey(key: string): boolean {
  return placeOf(key) !== null;
}

function placeOf(key: string): { readonly bus: DiskBus; readonly at: number } | null {
  const [, bus = "", number = ""] = /^(scsi|virtio|ide|sata)(0|[1-9]\d?)$/.exec(key) ?? [];
  const at = Number(number);
  return number !== "" && at < (COUNTS[bus] ?? 0) ? { bus: bus as DiskBus, at } : null;
}

/** Reads `PATH,key=value,…` of the disk `key`, or says what is wrong. */
export function readDisk(
  key: string,
  text: string,
  warn: (why: string) => void,
): VmDisk | string {
  const place = placeOf(key);
  if (place === null) {
    const bus = key.replace(/\d+$/, "");
    return `the bus has ${bus}0 to ${bus}${(COUNTS[bus] ?? 0) - 1}`;
  }
  const properties = readProperties(text, "file");
  if (typeof properties === "string") return properties;
  const media = readOneOf(properties.get("media") ?? "disk", ["disk", "cdrom"]);
  const cache = readOneOf(properties.get("cache") ?? "none", CACHES);
  const read = readSwitch(properties.get("ro") ?? "0");
  const serial = properties.get("serial") ?? null;
  if ("why" in media) return `media ${media.why}`;
  if ("why" in cache) return `cache ${cache.why}`;
  if ("why" in read) return `ro ${read.why}`;
  if (serial !== null && !/^[\w.-]{1,36}$/.test(serial)) return `"${serial}" is no serial number`;
  const volume = readVolume(properties);
  if (typeof volume === "string") return volume;
  const isCdrom = media.value === "cdrom";
  if (volume.path === null && !isCdrom) return '"none" is for a drive with media=cdrom';
  for (const name of properties.keys()) {
    if (!DISK_KNOWN.has(name) && !DISK_NOTES.has(name)) warn(`"${name}" has no effect here`);
  }
  return {
    ...place,
    ...volume,
    media: media.value,
    cache: cache.value,
    discard: properties.get("discard") === "on",
    readonly: read.value || isCdrom,
    serial,
  };
}

/** Reads `efidisk0`. */
export function readFirmware(
  text: string,
): { readonly value: VmFirmware } | { readonly why: string } {
  const properties = readProperties(text, "file");
  if (typeof properties === "string") return { why: properties };
  const volume = readVolume(properties);
  if (typeof volume === "string") return { why: volume };
  const { path, format } = volume;
  return path === null ? { why: "it needs a path" } : { value: { path, format } };
}

/** Where a disk's content lies on this host: only Proxmox VE itself knows where its volumes are. */
function readVolume(
  properties: ReadonlyMap<string, string>,
): { readonly path: string | null; readonly format: string } | string {
  const file = properties.get("file") ?? "";
  const suffix = /\.(qcow2|vmdk|qed)$/.exec(file)?.[1] ?? "raw";
  const format = readOneOf(properties.get("format") ?? suffix, FORMATS);
  if ("why" in format) return `format ${format.why}`;
  if (file === "none") return { path: null, format: "raw" };
  if (!file.startsWith("/")) {
    return `"${
      file.slice(0, 80)
    }" is a volume of a Proxmox VE storage, which only a host with qm ` +
      "can open; name a device or a file by its path";
  }
  const odd = file.length > PATH_MAX || file.split("/").includes("..");
  return odd ? "its path is too long, or leads back" : { path: file, format: format.value };
}

/** Reads `MODEL=MAC,bridge=NAME,…`, or says what is wrong. */
export function readNet(
  key: string,
  text: string,
  warn: (why: string) => void,
): VmNet | string {
  const at = Number(key.slice("net".length));
  if (key !== `net${at}` || at >= NETS) return `there are net0 to net${NETS - 1}`;
  const properties = readProperties(text, "model");
  if (typeof properties === "string") return properties;
  const named = [...properties.keys()].find((name) => MODELS.has(name));
  const model = MODELS.get(named ?? properties.get("model") ?? "");
  if (model === undefined) return `it names no model as virtio=MAC; known are ${names()}`;
  const mac = (properties.get(named ?? "macaddr") ?? "").toLowerCase();
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
    return "it has no hardware address; write MODEL=02:…, so that it is the same on every node";
  }
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) return `"${mac}" is a group's address`;
  const place = NET_PLACES.find((name) => properties.has(name));
  if (place !== undefined) {
    return `"${place}" is for a bridge that knows VLANs, which is not set here; name a bridge of ` +
      "that VLAN's own";
  }
  const bridge = properties.get("bridge") ?? null;
  if (bridge !== null && (!/^[^\s/,]{1,15}$/.test(bridge) || /^\.{1,2}$/.test(bridge))) {
    return `"${bridge}" is no name of a bridge`;
  }
  const down = readSwitch(properties.get("link_down") ?? "0");
  if ("why" in down) return `link_down ${down.why}`;
  for (const name of properties.keys()) {
    if (!NET_KNOWN.has(name) && name !== named) warn(`"${name}" has no effect here`);
  }
  return { at, model, mac, bridge, linkDown: down.value };
}

function names(): string {
  return [...MODELS.keys()].join(", ");
}
