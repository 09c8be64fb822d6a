/** An archive of regular files in ustar's form: IEEE Std 1003.1, pax, "ustar Interchange Format". Pure. @module */
import { assert } from "../../base/assert.ts";
import { concat, encodeText } from "../../base/bytes.ts";

/** A file of the archive. */
export interface TarFile {
  /** Relative, at most 100 bytes. */
  readonly path: string;
  readonly data: Uint8Array;
}

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** Eleven octal digits. */
const SIZE_MAX = 0o77777777777;
/** Nobody but their owner is to read what is unpacked. */
const MODE = 0o600;

/** The whole archive; `seconds`: the time of its files, since 1970. */
export function tar(files: readonly TarFile[], seconds: number): Uint8Array {
  const parts = files.flatMap(({ path, data }) => [
    header(path, data.length, seconds),
    data,
    new Uint8Array((BLOCK_BYTES - data.length % BLOCK_BYTES) % BLOCK_BYTES),
  ]);
  // Two blocks of zeros end it.
  return concat(...parts, new Uint8Array(2 * BLOCK_BYTES));
}

function header(path: string, size: number, seconds: number): Uint8Array {
  const name = encodeText(path);
  assert(name.length <= NAME_BYTES_MAX && size <= SIZE_MAX, `"${path}" fits a header of ustar`);
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(encodeText(text), at);
  const octal = (at: number, digits: number, value: number) =>
    put(at, value.toString(8).padStart(digits, "0"));
  block.set(name, 0);
  octal(100, 7, MODE);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, size);
  octal(136, 11, seconds);
  // The sum counts its own field as blanks.
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\0");
  put(263, "00");
  put(265, "root");
  put(297, "root");
  const sum = block.reduce((total, byte) => total + byte, 0);
  octal(148, 6, sum);
  block.set([0, 0x20], 154);
  return block;
}
