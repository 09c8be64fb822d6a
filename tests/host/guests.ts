/** Guests of a few bytes, made here: each is the boot sector of a disk. @module */

/** From here on timer ticks wake it, 18 a second: it waits without using the processor. */
const STI = 0xfb;
const HLT = 0xf4;

/** Says R on the serial line at each tick: before somebody listens it is lost. */
const SAYS_SO = [0xba, 0xf8, 0x03, 0xb0, 0x52, 0xee];
/** PM1 event and control registers of QEMU's machines (hw/acpi/core.c): status, enable, control. */
const POWER_OFF = [
  ...[0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef], // out 602h, 100h: the power button tells
  ...[HLT, ...SAYS_SO, 0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xf0], // until it was pressed
  ...[0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef], // out 604h, 2000h: off
];
const FOR_EVER = [HLT, 0xeb, 0xfd];
/** docs/specs/pvpanic: bit 0 of port 505h; after 20 ticks. */
const PANIC = [0xb9, 20, 0, HLT, 0xe2, 0xfd, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee];

export const GUESTS = {
  /** Goes off when its power button is pressed. */
  polite: [STI, ...POWER_OFF, ...FOR_EVER],
  /** Hears nothing. */
  deaf: [STI, ...FOR_EVER],
  /** Panics after a second. */
  panics: [STI, ...PANIC, ...FOR_EVER],
} as const;

/** Writes a disk with this guest. */
export function writeGuest(path: string, guest: keyof typeof GUESTS): void {
  const disk = new Uint8Array(1024 * 1024);
  disk.set(GUESTS[guest]);
  disk.set([0x55, 0xaa], 510);
  Deno.writeFileSync(path, disk);
}

/** What a test with real machines needs and this host lacks, in words; null for nothing. */
export async function qemuMissing(): Promise<string | null> {
  if (Deno.uid() !== 0) return "not root";
  try {
    const qemu = new Deno.Command("qemu-system-x86_64", { args: ["--version"], stdin: "null" });
    const { success } = await qemu.output();
    return success ? null : "qemu-system-x86_64 does not run";
  } catch {
    return "no qemu-system-x86_64";
  }
}
