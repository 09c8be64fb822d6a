/** What every refusal of the API must look like. */
import assert from "node:assert/strict";
import { type ProblemCode, PROBLEMS } from "../../mod/base/problem.ts";

/** Checks an answer against the registry and RFC 9457. */
export async function refused(response: Response, code: ProblemCode, why?: RegExp): Promise<void> {
  const body = await response.json();
  assert.equal(body.code, code, JSON.stringify(body));
  assert.equal(response.status, PROBLEMS[code].status);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal(response.headers.get("Pentad-Problem"), code);
  assert.equal(body.type, `/docs/problems/${code}`);
  assert.equal(body.status, response.status);
  assert.match(body.instance, /^[0-9a-f]{16}$/);
  for (const key of ["title", "detail", "why", "remedy"]) assert.equal(typeof body[key], "string");
  if (why) assert.match(body.why, why);
}
