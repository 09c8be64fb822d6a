/** Conditional requests (RFC 9110 section 13) on versions of the tree. @module */
import { ProblemError } from "../base/problem.ts";

/** What a client demands of the path as it is now. */
export type Condition =
  | { readonly kind: "none" }
  /** `If-None-Match: *`: it must not be there. */
  | { readonly kind: "absent" }
  /** `If-Match: *`: it must be there, at any version. */
  | { readonly kind: "present" }
  /** `If-Match: "412"`. */
  | { readonly kind: "version"; readonly version: number };

/** The entity tag of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** The condition of a changing request. Throws `api.bad-request` for what is none. */
export function conditionOf(headers: Headers): Condition {
  const match = headers.get("If-Match");
  const none = headers.get("If-None-Match");
  if (match !== null && none !== null) {
    throw new ProblemError("api.bad-request", "If-Match and If-None-Match exclude one another");
  }
  if (none !== null) {
    if (none.trim() === "*") return { kind: "absent" };
    throw new ProblemError("api.bad-request", "a change takes If-None-Match only with *");
  }
  if (match === null) return { kind: "none" };
  if (match.trim() === "*") return { kind: "present" };
  const version = /^"(\d{1,15})"$/.exec(match.trim())?.[1];
  if (version === undefined) {
    throw new ProblemError("api.bad-request", 'If-Match takes one strong ETag, like "412"');
  }
  return { kind: "version", version: Number(version) };
}

/** True where a GET with `If-None-Match` has the newest version already. */
export function isFresh(headers: Headers, version: number): boolean {
  const tags = headers.get("If-None-Match")?.split(",").map((tag) =>
    tag.trim().replace(/^W\//, "")
  );
  return tags !== undefined && (tags.includes("*") || tags.includes(etagOf(version)));
}
