/** Paths of the replicated tree: `a/b/c`, without a leading slash; the root is the empty path. @module */
import { encodeText } from "../base/bytes.ts";
import { PATH_BYTES_MAX } from "./wire.ts";

/** Bytes of one name. */
export const NAME_BYTES_MAX = 255;
/** Names in one path. */
export const DEPTH_MAX = 32;

/** Why a path is none, as a clause; null where it is one. The root is not a path of its own. */
export function pathFault(path: string): string | null {
  if (path === "") return "it is empty";
  if (encodeText(path).length > PATH_BYTES_MAX) return `it is longer than ${PATH_BYTES_MAX} bytes`;
  const names = path.split("/");
  if (names.length > DEPTH_MAX) return `it is deeper than ${DEPTH_MAX}`;
  for (const name of names) {
    if (name === "") return "it has an empty name";
    if (name === "." || name === "..") return `it has the name "${name}"`;
    if (encodeText(name).length > NAME_BYTES_MAX) {
      return `a name is longer than ${NAME_BYTES_MAX} bytes`;
    }
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(name)) return "a name has a control character";
  }
  return null;
}

/** Splits a path into its directory and its last name. */
export function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const at = path.lastIndexOf("/");
  return at < 0
    ? { directory: "", name: path }
    : { directory: path.slice(0, at), name: path.slice(at + 1) };
}
