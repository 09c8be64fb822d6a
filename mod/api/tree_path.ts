/** Paths of the replicated tree as they arrive in an address, checked before anything sees them. @module */
import { ProblemError } from "../base/problem.ts";

/** NAME_MAX of linux/limits.h. */
export const NAME_BYTES_MAX = 255;
/** PATH_MAX of linux/limits.h, as in the tree itself. */
export const PATH_BYTES_MAX = 4096;

/**
 * The part of an address below `prefix`, as sent: not normalized and not decoded, so that an escape
 * is seen as one. Null where the address does not begin with the prefix.
 */
export function rawBelow(url: string, prefix: string): string | null {
  const authority = url.indexOf("//");
  const from = url.indexOf("/", authority < 0 ? 0 : authority + 2);
  const path = from < 0 ? "" : url.slice(from).replace(/[?#].*$/s, "");
  if (path === prefix) return "";
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length + 1) : null;
}

/** Decodes and checks a path out of an address; `""` is the root. Throws `config.bad-path`. */
export function decodeTreePath(raw: string): string {
  const refuse = (why: string) => new ProblemError("config.bad-path", why);
  if (raw === "") return "";
  if (raw.length > 3 * PATH_BYTES_MAX) throw refuse(`it is longer than ${PATH_BYTES_MAX} bytes`);
  const names = raw.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw refuse("an escape with % is not UTF-8");
    }
  });
  for (const name of names) {
    const fault = nameFault(name);
    if (fault !== null) throw refuse(fault);
  }
  const path = names.join("/");
  if (bytesOf(path) > PATH_BYTES_MAX) throw refuse(`it is longer than ${PATH_BYTES_MAX} bytes`);
  return path;
}

/** Checks a path given as text (`?path=`), by the same rules. */
export function checkTreePath(path: string): string {
  return decodeTreePath(path.split("/").map(encodeURIComponent).join("/"));
}

function nameFault(name: string): string | null {
  if (name === "") return "a name in it is empty";
  if (name === "." || name === "..") return `"${name}" is not a name`;
  if (name.includes("/")) return 'a name holds an escaped "/"';
  if (/\p{Cc}/u.test(name)) return "a name holds a control character";
  return bytesOf(name) > NAME_BYTES_MAX ? `a name is longer than ${NAME_BYTES_MAX} bytes` : null;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
