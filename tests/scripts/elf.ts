/** What an executable file begins with. */

export interface Header {
  readonly bits?: number;
  readonly order?: number;
  readonly type?: number;
  readonly elf: number;
}

/** The first 64 bytes of an ELF file (elf.h). */
export function header({ bits = 2, order = 1, type = 3, elf }: Header): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  const view = new DataView(bytes.buffer);
  view.setUint16(16, type, order === 1);
  view.setUint16(18, elf, order === 1);
  return bytes;
}
