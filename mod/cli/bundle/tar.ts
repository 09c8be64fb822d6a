/** An archive of regular files in ustar's form: IEEE Std 1003.1, pax, "ustar Interchange Format". Pure. @module */
import { assert } from "../../base/assert.ts";
import { concat, encodeText } from "../../base/bytes.ts";

/** A file of the archive. */
export interface TarFile {
  /** Relative; at most 100 bytes, or 255 where a slash parts it into 155 and 100. */
  readonly path: string;
  readonly data: Uint8Array;
  /** Default: its owner alone may read it. */
  readonly mode?: number;
}

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
const SLASH = 0x2f;
/** Eleven octal digits. */
const SIZE_MAX = 0o77777777777;
/** Nobody but their owner is to read what is unpacked. */
const MODE = 0o600;

/** The whole archive; `seconds`: the time of its files, since 1970. */
export function tar(files: readonly TarFile[], seconds: number): Uint8Array {
  const parts = files.flatMap((file) => [
    header(file, seconds),
    file.data,
    new Uint8Array((BLOCK_BYTES - file.data.length % BLOCK_BYTES) % BLOCK_BYTES),
  ]);
  // Two blocks of zeros end it.
  return concat(...parts, new Uint8Array(2 * BLOCK_BYTES));
}

function header({ path, data, mode = MODE }: TarFile, seconds: number): Uint8Array {
  const { prefix, name } = parted(encodeText(path));
  const fits = name.length <= NAME_BYTES_MAX && prefix.length <= PREFIX_BYTES_MAX;
  assert(fits && data.length <= SIZE_MAX, `"${path}" fits a header of ustar`);
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string) => block.set(encodeText(text), at);
  const octal = (at: number, digits: number, value: number) =>
    put(at, value.toString(8).padStart(digits, "0"));
  block.set(name, 0);
  octal(100, 7, mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, data.length);
  octal(136, 11, seconds);
  // The sum counts its own field as blanks.
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\0");
  put(263, "00");
  put(265, "root");
  put(297, "root");
  block.set(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  octal(148, 6, sum);
  block.set([0, 0x20], 154);
  return block;
}

/** A path that is too long for its field is parted at the first slash that leaves a name that fits. */
function parted(path: Uint8Array): { readonly prefix: Uint8Array; readonly name: Uint8Array } {
  if (path.length <= NAME_BYTES_MAX) return { prefix: new Uint8Array(0), name: path };
  const slash = path.indexOf(SLASH, path.length - NAME_BYTES_MAX - 1);
  return { prefix: path.subarray(0, Math.max(0, slash)), name: path.subarray(slash + 1) };
}
