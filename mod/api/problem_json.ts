/** Problems as HTTP answers: RFC 9457, Problem Details for HTTP APIs. @module */
import { type Problem, ProblemError, PROBLEMS } from "../base/problem.ts";

/** Seconds after which a refused client may come again (RFC 9110 section 10.2.3). */
const RETRY_AFTER_SECONDS = 1;

/** The answer for a problem. `instance` is the request's id. */
export function problemResponse(
  { code, why }: Problem,
  instance: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const { title, remedy, status } = PROBLEMS[code];
  // The header is for HEAD, whose answer has no body.
  const headers = new Headers({
    "Content-Type": "application/problem+json",
    "Pentad-Problem": code,
    ...more,
  });
  if (status === 401) headers.set("WWW-Authenticate", 'Bearer realm="pentad"');
  if (status === 429) headers.set("Retry-After", String(RETRY_AFTER_SECONDS));
  const body = { type: `/docs/problems/${code}`, title, status, detail: `${title}: ${why}` };
  const whole = { ...body, instance, code, why, remedy };
  return new Response(JSON.stringify(whole) + "\n", { status, headers });
}

/** The problem behind anything that was thrown; what is none of ours is a bug. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "bug", why };
}
