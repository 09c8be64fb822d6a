/**
 * The definition of a virtual machine as Proxmox VE keeps it, `qemu-server/VMID.conf`: lines of
 * `key: value` (qm.conf(5)). Only what runs now is read: what is pending and what snapshots hold
 * begins with a line in brackets, and is left alone. The file is never written.
 *
 * @module
 */
import { type BootWish, type Read, readAgent, readBoot, readCpu, readName } from "./vm_values.ts";
import { readMachine, readMemory, readNumber, readOneOf, readSwitch } from "./vm_values.ts";
import { readArgs, readSerial, type VmCpu } from "./vm_values.ts";
import { isDiskKey, readDisk, readFirmware, readNet, type VmDisk } from "./vm_devices.ts";
import type { VmFirmware, VmNet } from "./vm_devices.ts";

/** Characters of a file that is read at all. */
export const VM_FILE_MAX = 256 * 1024;
const LINES_MAX = 2048;
const LINE_MAX = 8 * 1024;
/** Faults and warnings that are told. */
const TOLD_MAX = 32;

/** A machine that can be started. */
export interface VmConfig {
  readonly name: string | null;
  readonly cores: number;
  readonly sockets: number;
  readonly memoryMib: number;
  readonly cpu: VmCpu;
  readonly kvm: boolean;
  readonly bios: "seabios" | "ovmf";
  readonly firmware: VmFirmware | null;
  /** A machine type of QEMU, as `pc` or `pc-q35-7.2`. */
  readonly machine: string;
  readonly boot: BootWish | null;
  readonly controller: string;
  readonly disks: readonly VmDisk[];
  readonly nets: readonly VmNet[];
  /** By place: `socket`, or a device of the host. */
  readonly serials: ReadonlyMap<number, string>;
  readonly vga: string;
  readonly agent: boolean;
  readonly args: readonly string[];
}

/** A line and what is to be said about it. */
export interface Remark {
  readonly line: number;
  readonly why: string;
}

/** What a file says. With a fault the machine must not be started. */
export interface VmReading {
  readonly config: VmConfig;
  readonly faults: readonly Remark[];
  /** What has no effect here. */
  readonly warnings: readonly Remark[];
  /** Names of the sections that were left alone. */
  readonly sections: readonly string[];
}

type Draft =
  & {
    -readonly [Key in keyof Omit<VmConfig, "disks" | "nets" | "serials">]: VmConfig[Key];
  }
  & { disks: VmDisk[]; nets: VmNet[]; serials: Map<number, string> };

/** Keys that say nothing about the hardware that is started, or nothing that matters to it. */
const SILENT: ReadonlySet<string> = new Set([
  ...["onboot", "startup", "tags", "description", "protection", "digest", "parent", "meta"],
  ...["ostype", "hotplug", "balloon", "shares", "cpuunits", "vmgenid", "autostart", "snaptime"],
  ...["tablet", "localtime", "keyboard", "migrate_speed", "migrate_downtime", "vmstate"],
]);
const CONTROLLERS = ["lsi", "lsi53c810", "megasas", "pvscsi", "virtio-scsi-pci"] as const;
const VGAS = ["std", "cirrus", "vmware", "qxl", "virtio", "none"] as const;
/** Recovery takes these locks for void: who held them is dead, or the machine would not be started. */
const VOID_LOCKS: ReadonlySet<string> = new Set([
  ...["backup", "mounted", "migrate", "clone", "rollback", "snapshot", "snapshot-delete"],
  ...["suspending", "suspended"],
]);

/** Reads a file. Never throws; of what it cannot read it says line, fault and remedy. */
export function readVmConfig(text: string): VmReading {
  const reader = new Reader();
  if (text.length > VM_FILE_MAX) reader.fault(1, `it is longer than ${VM_FILE_MAX} characters`);
  else reader.read(text.split("\n"));
  return reader.end();
}

class Reader {
  readonly #config: Draft = {
    ...{ name: null, cores: 1, sockets: 1, memoryMib: 512, kvm: true, bios: "seabios" },
    ...{ firmware: null, machine: "pc", boot: null, controller: "lsi", vga: "std", agent: false },
    ...{ cpu: { type: null, flags: [] }, args: [], disks: [], nets: [], serials: new Map() },
  };
  readonly #faults: Remark[] = [];
  readonly #warnings: Remark[] = [];
  readonly #sections: string[] = [];
  /** Keys by the line that had them first. */
  readonly #seen = new Map<string, number>();

  fault(line: number, why: string): void {
    if (this.#faults.length < TOLD_MAX) this.#faults.push({ line, why });
  }

  read(lines: readonly string[]): void {
    if (lines.length > LINES_MAX) return this.fault(LINES_MAX, `more than ${LINES_MAX} lines`);
    for (const [at, raw] of lines.entries()) {
      const line = raw.trimEnd();
      const section = /^\[([^\]]*)\]/.exec(line)?.[1];
      if (section !== undefined) this.#sections.push(section.slice(0, 40));
      else if (this.#sections.length === 0 && line !== "" && !line.startsWith("#")) {
        this.#line(at + 1, line);
      }
    }
  }

  end(): VmReading {
    const { bios, firmware } = this.#config;
    const line = this.#seen.get("bios") ?? 1;
    if (bios === "ovmf" && firmware === null && this.#faults.length === 0) {
      this.fault(line, "bios ovmf keeps its variables on efidisk0; add that");
    }
    return {
      config: this.#config,
      faults: this.#faults,
      warnings: this.#warnings,
      sections: this.#sections,
    };
  }

  #warn(line: number, why: string): void {
    if (this.#warnings.length < TOLD_MAX) this.#warnings.push({ line, why });
  }

  #line(line: number, text: string): void {
    const [, key = "", value = ""] = /^([a-z][a-z_0-9-]*):\s*(.*)$/i.exec(text) ?? [];
    // deno-lint-ignore no-control-regex
    if (text.length > LINE_MAX || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) {
      return this.fault(line, "it is too long or has a control character; write it anew");
    }
    if (key === "") return this.fault(line, `"${text.slice(0, 60)}" is not "key: value"`);
    const before = this.#seen.get(key);
    if (before !== undefined) {
      return this.fault(line, `"${key}" is there already, in line ${before}; keep one`);
    }
    this.#seen.set(key, line);
    if (SILENT.has(key)) return;
    const known = this.#known(key, value, line);
    if (known === null) this.#warn(line, `"${key}" has no effect here`);
    else if (typeof known === "string") this.fault(line, `${key}: ${known}`);
  }

  /** True where it was read, null for a key that means nothing here, or what is wrong. */
  #known(key: string, value: string, line: number): true | null | string {
    const config = this.#config;
    const set = <Key extends keyof Draft>(name: Key, read: Read<Draft[Key]>): true | string => {
      if ("why" in read) return read.why;
      config[name] = read.value;
      return true;
    };
    const numbered = /^(scsi|virtio|ide|sata|net|serial)(\d{1,2})$/.exec(key);
    if (numbered !== null) return this.#device(key, value, line);
    switch (key) {
      case "name":
        return set("name", readName(value));
      case "cores":
      case "sockets":
        return set(key, readNumber(value, { least: 1, most: 1024 }));
      case "memory":
        return set("memoryMib", readMemory(value));
      case "cpu":
        return set("cpu", readCpu(value));
      case "kvm":
        return set("kvm", readSwitch(value));
      case "bios":
        return set("bios", readOneOf(value, ["seabios", "ovmf"]));
      case "efidisk0":
        return set("firmware", readFirmware(value));
      case "machine":
        return set("machine", readMachine(value));
      case "boot":
        return set("boot", readBoot(value));
      case "bootdisk":
        if (config.boot === null || config.boot.by === "class") {
          return isDiskKey(value)
            ? set("boot", { value: { by: "order", devices: [value] } })
            : `"${value}" is no disk`;
        }
        return true;
      case "scsihw":
        if (value === "virtio-scsi-single") return set("controller", { value: "virtio-scsi-pci" });
        return set("controller", readOneOf(value, CONTROLLERS));
      case "vga":
        return this.#vga(value, line);
      case "agent":
        return set("agent", readAgent(value));
      case "args":
        return set("args", readArgs(value));
      case "lock":
        return VOID_LOCKS.has(value) || `it is locked by "${value}"; let that end, or unlock it`;
      case "template":
        return value === "0" || "a template is not started; clone it";
      default:
        return null;
    }
  }

  #device(key: string, value: string, line: number): true | string {
    const warn = (why: string) => this.#warn(line, `${key}: ${why}`);
    if (key.startsWith("net")) {
      const net = readNet(key, value, warn);
      if (typeof net === "string") return net;
      this.#config.nets.push(net);
    } else if (key.startsWith("serial")) {
      const serial = readSerial(key, value);
      if ("why" in serial) return serial.why;
      this.#config.serials.set(Number(key.slice("serial".length)), serial.value);
    } else {
      const disk = readDisk(key, value, warn);
      if (typeof disk === "string") return disk;
      this.#config.disks.push(disk);
    }
    return true;
  }

  #vga(value: string, line: number): true | string {
    const [first = "", ...more] = value.split(",");
    const type = first.replace(/^type=/, "");
    if (more.length > 0) this.#warn(line, `vga: "${more.join(",")}" has no effect here`);
    // The console is on a serial line: there is no card.
    const read = /^serial[0-3]$/.test(type) ? { value: "none" } : readOneOf(type, VGAS);
    if ("why" in read) return read.why;
    this.#config.vga = read.value;
    return true;
  }
}
