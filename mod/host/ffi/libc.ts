/**
 * Loads the C library with the symbols that a caller names.
 *
 * @module
 */

/** Names under which Linux has its C library: glibc, then musl. */
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** Opens the C library. Throws where the host has none that we know. */
export function openLibc<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  let cause: unknown = null;
  for (const name of LIBRARIES) {
    try {
      return Deno.dlopen(name, symbols).symbols;
    } catch (error) {
      cause ??= error;
    }
  }
  throw new Error("Cannot load the C library", { cause });
}
