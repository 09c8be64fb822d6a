/** From a virtual machine's definition to QEMU's command line: a pure function. @module */
import type { VmConfig } from "./vm_config.ts";
import type { DiskBus, VmDisk, VmNet } from "./vm_devices.ts";
import type { BootWish } from "./vm_values.ts";

/** The program, found by PATH. */
export const QEMU = "qemu-system-x86_64";
/** Debian's ovmf. */
const FIRMWARE_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd";

/** What a host adds to a definition. */
export interface VmGround {
  readonly vmid: number;
  /** The processor's help can be used. */
  readonly kvm: boolean;
  /** Begins the paths of its sockets. */
  readonly sockets: string;
}

/** Where QEMU's monitor listens. */
export function monitorPath(sockets: string): string {
  return `${sockets}.qmp`;
}

/** The interface of this host that leads to a card. At most 15 characters, as linux/if.h has it. */
export function tapName(vmid: number, { at }: Pick<VmNet, "at">): string {
  return `tap${vmid}i${at}`;
}

/**
 * The command that makes the machine, halted before its first instruction: what it is joined to is
 * joined before it runs.
 */
export function vmCommand(config: VmConfig, ground: VmGround): readonly string[] {
  const { vmid, kvm, sockets } = ground;
  const { cores, memoryMib, name, vga, args } = config;
  const helped = kvm && config.kvm;
  const boots = bootIndexes(config);
  return [
    QEMU,
    ...["-name", `guest=${quoteOption(name ?? `vm-${vmid}`)}`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-S"],
    ...["-machine", `${config.machine},accel=${helped ? "kvm:tcg" : "tcg"}`],
    ...["-cpu", cpuOf(config, helped)],
    ...["-smp", `${cores * config.sockets},sockets=${config.sockets},cores=${cores}`],
    ...["-m", `${memoryMib}M`],
    // A guest that panics is kept, so that the next look can say so.
    ...["-action", "panic=pause"],
    ...["-qmp", `unix:${quoteOption(monitorPath(sockets))},server=on,wait=off`],
    ...firmwareOf(config),
    ...["-vga", vga],
    ...controllersOf(config),
    ...config.disks.flatMap((disk) => diskOf(disk, { config, boot: boots.get(keyOf(disk)) })),
    ...config.nets.flatMap((net) => netOf(net, { vmid, boot: boots.get(`net${net.at}`) })),
    ...[...config.serials].flatMap(([at, to]) => serialOf(at, to, sockets)),
    ...(config.agent ? agentOf(sockets) : []),
    ...args,
  ];
}

/** A comma ends a value, two of them are one: QemuOpts. */
export function quoteOption(text: string): string {
  return text.replaceAll(",", ",,");
}

function cpuOf({ cpu: { type, flags } }: VmConfig, kvm: boolean): string {
  // Only what the processor itself does can be handed through.
  const given = type === "host" && !kvm ? "max" : type;
  return [given ?? (kvm ? "kvm64" : "qemu64"), ...flags].join(",");
}

function firmwareOf({ bios, firmware }: VmConfig): string[] {
  if (bios !== "ovmf" || firmware === null) return [];
  const { path, format } = firmware;
  return [
    ...["-drive", `if=pflash,unit=0,format=raw,readonly=on,file=${FIRMWARE_CODE}`],
    ...["-drive", `if=pflash,unit=1,format=${format},file=${quoteOption(path)}`],
  ];
}

function keyOf({ bus, at }: VmDisk): string {
  return `${bus}${at}`;
}

/** By device: its turn in what is tried to boot from. */
function bootIndexes(config: VmConfig): ReadonlyMap<string, number> {
  const wish: BootWish = config.boot ?? { by: "class", classes: ["disk", "cdrom", "net"] };
  const all = {
    disk: config.disks.filter(({ media }) => media === "disk").map(keyOf),
    cdrom: config.disks.filter(({ media }) => media === "cdrom").map(keyOf),
    net: config.nets.map(({ at }) => `net${at}`),
  };
  const devices = wish.by === "order" ? wish.devices : wish.classes.flatMap((each) => all[each]);
  return new Map([...new Set(devices)].map((device, at) => [device, 100 + at]));
}

const CONTROLLERS: Readonly<Record<string, string>> = { lsi: "lsi53c895a" };
/** Disks on one controller: a SCSI bus of LSI's has seven places beside its own. */
const LSI_PLACES = 7;

function placesOf({ controller }: VmConfig): number {
  return controller.startsWith("lsi") ? LSI_PLACES : 31;
}

function controllersOf(config: VmConfig): string[] {
  const uses = (bus: DiskBus) => config.disks.filter((disk) => disk.bus === bus);
  const places = placesOf(config);
  const numbers = new Set(uses("scsi").map(({ at }) => Math.floor(at / places)));
  const type = CONTROLLERS[config.controller] ?? config.controller;
  return [
    ...[...numbers].flatMap((number) => ["-device", `${type},id=scsihw${number}`]),
    ...(uses("sata").length > 0 ? ["-device", "ahci,id=ahci0"] : []),
  ];
}

function diskOf(
  disk: VmDisk,
  { config, boot }: { readonly config: VmConfig; readonly boot: number | undefined },
): string[] {
  const key = keyOf(disk);
  const { path, format, cache, serial } = disk;
  const drive = [
    ...(path === null ? [] : [`file=${quoteOption(path)}`]),
    ...["if=none", `id=drive-${key}`, `media=${disk.media}`],
    ...(path === null ? [] : [`format=${format}`, `cache=${cache}`]),
    ...(disk.discard ? ["discard=on"] : []),
    ...(disk.readonly ? ["readonly=on"] : []),
  ];
  const device = [
    ...deviceOf(disk, config),
    `drive=drive-${key}`,
    `id=${key}`,
    ...(serial === null ? [] : [`serial=${serial}`]),
    ...(boot === undefined ? [] : [`bootindex=${boot}`]),
  ];
  return ["-drive", drive.join(","), "-device", device.join(",")];
}

function deviceOf({ bus, at, media }: VmDisk, config: VmConfig): string[] {
  const kind = media === "cdrom" ? "cd" : "hd";
  switch (bus) {
    case "virtio":
      return ["virtio-blk-pci"];
    case "scsi": {
      const places = placesOf(config);
      const on = `bus=scsihw${Math.floor(at / places)}.0`;
      // As Proxmox VE has it, so that a guest that moves here finds its disks where they were.
      const byId = /^(lsi|pvscsi)/.test(config.controller);
      const place = byId ? [`scsi-id=${at % places}`] : ["channel=0", "scsi-id=0", `lun=${at}`];
      return [`scsi-${kind}`, on, ...place];
    }
    case "sata":
      return [`ide-${kind}`, `bus=ahci0.${at}`];
    case "ide":
      // Q35 has six ports of one disk, the older one two cables of two.
      return config.machine.includes("q35")
        ? [`ide-${kind}`, `bus=ide.${at}`]
        : [`ide-${kind}`, `bus=ide.${at >> 1}`, `unit=${at & 1}`];
  }
}

function netOf(
  net: VmNet,
  { vmid, boot }: { readonly vmid: number; readonly boot: number | undefined },
): string[] {
  const id = `net${net.at}`;
  const way = net.bridge === null
    ? `user,id=${id}`
    : `tap,id=${id},ifname=${tapName(vmid, net)},script=no,downscript=no`;
  const turn = boot === undefined ? "" : `,bootindex=${boot}`;
  return ["-netdev", way, "-device", `${net.model},mac=${net.mac},netdev=${id},id=${id}${turn}`];
}

function serialOf(at: number, to: string, sockets: string): string[] {
  const id = `serial${at}`;
  const way = to === "socket"
    ? `socket,id=${id},path=${quoteOption(`${sockets}.${id}`)},server=on,wait=off`
    : `serial,id=${id},path=${to}`;
  return ["-chardev", way, "-device", `isa-serial,chardev=${id}`];
}

function agentOf(sockets: string): string[] {
  const path = quoteOption(`${sockets}.qga`);
  return [
    ...["-chardev", `socket,id=qga0,path=${path},server=on,wait=off`],
    ...["-device", "virtio-serial-pci,id=qga"],
    ...["-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"],
  ];
}
