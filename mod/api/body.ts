/** Reads request bodies within a bound, and checks what is in them. @module */
import type * as z from "zod";
import { concat, decodeText } from "../base/bytes.ts";
import { nearest } from "../base/nearest.ts";
import { ProblemError } from "../base/problem.ts";
import { Patience } from "./patience.ts";

/** A file of the tree holds 1 MiB; a JSON body has no reason to be larger. */
export const BODY_BYTES_MAX = 1024 * 1024 + 4096;

/** A body of that size takes this long only where the client stalls. */
export const BODY_LIMIT_MS = 30_000;

const PATIENCE = new Patience();

/**
 * All bytes of a body. Stops reading, and refuses, as soon as there are too many (`api.too-large`)
 * or they take longer than `limitMs` (`api.slow-request`).
 */
export async function readBody(request: Request, limitMs = BODY_LIMIT_MS): Promise<Uint8Array> {
  const stated = request.headers.get("Content-Length");
  if (Number(stated ?? 0) > BODY_BYTES_MAX) throw tooLarge();
  if (request.body === null) return new Uint8Array(0);
  const late = () => new ProblemError("api.slow-request", `no end of it in ${limitMs / 1000} s`);
  // The server lets nobody send more than is stated.
  if (stated !== null) return bounded(await PATIENCE.wait(whole(request), limitMs, late));
  const reader = request.body.getReader();
  try {
    return await PATIENCE.wait(inParts(reader), limitMs, late);
  } catch (error) {
    // What still comes is dropped by the server; nobody waits for it.
    reader.cancel().catch(() => {});
    throw error;
  }
}

function tooLarge(): ProblemError {
  return new ProblemError("api.too-large", `a body holds at most ${BODY_BYTES_MAX} bytes`);
}

function bounded(body: Uint8Array): Uint8Array {
  if (body.length > BODY_BYTES_MAX) throw tooLarge();
  return body;
}

async function whole(request: Request): Promise<Uint8Array> {
  try {
    return await request.bytes();
  } catch (error) {
    throw cutShort(error);
  }
}

async function inParts(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error) => Promise.reject(cutShort(error)));
    if (done) return concat(...parts);
    length += value.length;
    if (length > BODY_BYTES_MAX) throw tooLarge();
    parts.push(value);
  }
}

function cutShort(cause: unknown): ProblemError {
  return new ProblemError("api.bad-request", "the body ended too early", { cause });
}

/** The checked value of a JSON body; an empty body counts as `{}`. */
export async function readJson<T extends z.ZodType>(
  request: Request,
  schema: T,
  limitMs = BODY_LIMIT_MS,
): Promise<z.infer<T>> {
  const text = decodeText(await readBody(request, limitMs));
  if (text === null) throw new ProblemError("api.bad-request", "the body is not UTF-8");
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new ProblemError("api.bad-request", "the body is not JSON", { cause: error });
  }
  return check(schema, value, "the body");
}

/**
 * The checked query of an address. A parameter that is not known is refused, and so is one given
 * twice, unless its schema is a list.
 */
export function readQuery<T extends z.ZodType>(url: string, schema: T): z.infer<T> {
  const at = url.indexOf("?");
  if (at < 0) return withoutQuery(schema);
  const text = url.slice(at + 1);
  if (!isUtf8(text)) {
    throw new ProblemError("api.bad-request", "an escape with % in the query is not UTF-8");
  }
  const query: [string, string][] = [...new URLSearchParams(text)];
  const names = query.map(([name]) => name);
  const lists = listsIn(schema);
  const twice = names.find((name, place) => names.indexOf(name) !== place && !lists.has(name));
  if (twice !== undefined) {
    throw new ProblemError("api.bad-request", `parameter "${twice}" is given twice`);
  }
  const value: Record<string, unknown> = Object.fromEntries(query);
  for (const list of lists) {
    value[list] = query.filter(([name]) => name === list).map(([, text]) => text);
  }
  return check(schema, value, "the address");
}

/** What a schema makes of an empty query: always the same. */
const EMPTY = new WeakMap<z.ZodType, unknown>();

function withoutQuery<T extends z.ZodType>(schema: T): z.infer<T> {
  if (!EMPTY.has(schema)) {
    const none = Object.fromEntries([...listsIn(schema)].map((list) => [list, []]));
    EMPTY.set(schema, Object.freeze(check(schema, none, "the address")));
  }
  return EMPTY.get(schema) as z.infer<T>;
}

/** Parameters that may be given several times. */
function listsIn(schema: z.ZodType): ReadonlySet<string> {
  const shape = "shape" in schema ? Object.entries(schema.shape as Record<string, z.ZodType>) : [];
  return new Set(shape.filter(([, { def }]) => def.type === "array").map(([name]) => name));
}

/** URLSearchParams would put U+FFFD for what is no UTF-8, and so make another text of it. */
function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped);
    return true;
  } catch {
    return false;
  }
}

function check<T extends z.ZodType>(schema: T, value: unknown, where: string): z.infer<T> {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const known = "shape" in schema ? Object.keys(schema.shape as object) : [];
  const faults = checked.error.issues.slice(0, 8).map((issue) => {
    if (issue.code === "unrecognized_keys") {
      const key = issue.keys[0] ?? "";
      const meant = nearest(key, known);
      return `unknown field "${key.slice(0, 64)}"` + (meant ? `, did you mean "${meant}"?` : "");
    }
    const name = issue.path.join(".");
    return (name === "" ? "" : `"${name}": `) + issue.message;
  });
  throw new ProblemError("api.bad-request", `${where}: ${faults.join("; ")}`);
}
