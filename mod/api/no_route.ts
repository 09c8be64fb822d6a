/** The answer where no route fits: the address is wrong (404), or only the method is (405). @module */
import { problemResponse } from "./problem_json.ts";
import type { Route } from "./route.ts";

/** Characters of an address that the answer repeats. */
const ADDRESS_CHARACTERS_MAX = 200;

/** RFC 9110 sections 15.5.5 and 15.5.6; with 405 goes `Allow`. */
export function noRoute(
  { method, path }: { readonly method: string; readonly path: string },
  routes: readonly Route[],
  requestId: string,
): Response {
  const what = `${method} ${path.slice(0, ADDRESS_CHARACTERS_MAX)}`;
  const allowed = routes.filter((each) => fits(each.path, path)).map((each) => each.method);
  if (allowed.length === 0) {
    return problemResponse({ code: "api.no-such-route", why: `there is no ${what}` }, requestId);
  }
  // Every GET answers HEAD too.
  const allow = allowed.flatMap((each) => each === "GET" ? [each, "HEAD"] : [each]).join(", ");
  const problem = { code: "api.method-not-allowed", why: `${what}: allowed is ${allow}` } as const;
  return problemResponse(problem, requestId, { Allow: allow });
}

/** True where an address fits a route's path, as the router sees it. */
function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  const open = wanted.at(-1) === "{path}";
  const fixed = open ? wanted.slice(0, -1) : wanted;
  if (open ? given.length < fixed.length : given.length !== fixed.length) return false;
  return fixed.every((part, at) => part.startsWith("{") ? given[at] !== "" : part === given[at]);
}
