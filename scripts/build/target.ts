/** Machines that the one file is built for, and whether a runtime is such a machine's. @module */

/** A kind of machine, as the runtime's own linker names it. */
export interface Target {
  readonly name: string;
  /** As uname(1) says it, and the runtime. */
  readonly machine: string;
  /** e_machine of the ELF header (elf.h). */
  readonly elf: number;
  /** The npm package that has the runtime for it. */
  readonly runtime: string;
}

export const TARGETS: readonly Target[] = [
  {
    name: "x86_64-unknown-linux-gnu",
    machine: "x86_64",
    elf: 62,
    runtime: "@deno/linux-x64-glibc",
  },
  {
    name: "aarch64-unknown-linux-gnu",
    machine: "aarch64",
    elf: 183,
    runtime: "@deno/linux-arm64-glibc",
  },
];

/** elf.h: e_ident, up to e_machine. */
const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const CLASS_AT = 4;
const CLASS_64 = 2;
const ORDER_AT = 5;
const LITTLE_ENDIAN = 1;
const TYPE_AT = 16;
/** Executable, and position-independent executable. */
const RUNNABLE = [2, 3];
const MACHINE_AT = 18;
const HEADER_BYTES = 64;

/** The target of that name. Throws an Error for any other. */
export function targetNamed(name: string): Target {
  const found = TARGETS.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = TARGETS.map((each) => each.name).join(" or ");
  throw new Error(`"${name}" is no machine that pentad is built for: --target takes ${names}`);
}

/** This machine's target. */
export function ownTarget(): Target {
  const found = TARGETS.find(({ machine }) => machine === Deno.build.arch);
  if (found !== undefined) return found;
  throw new Error(`pentad is not built for ${Deno.build.arch}`);
}

/** Why a program with these first bytes does not run on the target; null where it may. */
export function runtimeFault(head: Uint8Array, target: Target): string | null {
  if (head.length < HEADER_BYTES || MAGIC.some((byte, at) => head[at] !== byte)) {
    return "it is no ELF file";
  }
  if (head[CLASS_AT] !== CLASS_64) return "it is no 64-bit program";
  if (head[ORDER_AT] !== LITTLE_ENDIAN) return "it is no little-endian program";
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (!RUNNABLE.includes(view.getUint16(TYPE_AT, true))) return "it is no executable";
  const elf = view.getUint16(MACHINE_AT, true);
  if (elf === target.elf) return null;
  const other = TARGETS.find((each) => each.elf === elf)?.machine ?? `machine ${elf} of elf.h`;
  return `it is for ${other}, not for ${target.machine}`;
}

/**
 * Whether a runtime says of itself that it is of this version: what it tells servers that it is
 * stands in it as it is sent. One for another machine cannot be asked.
 */
export function isVersion(runtime: Uint8Array, version: string): boolean {
  const wanted = new TextEncoder().encode(`Deno/${version}`);
  for (let at = runtime.indexOf(wanted[0] ?? 0); at >= 0;) {
    if (wanted.every((byte, place) => runtime[at + place] === byte)) {
      const next = runtime[at + wanted.length] ?? 0;
      const goesOn = next >= 0x30 && next <= 0x39;
      if (!goesOn) return true;
    }
    at = runtime.indexOf(wanted[0] ?? 0, at + 1);
  }
  return false;
}
