/** The OpenAPI 3.1 document, made from the routes and their schemas. @module */
import * as z from "zod";
import { type ProblemCode, PROBLEMS } from "../base/problem.ts";
import type { Route } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

/** What any route may answer. */
const EVERYWHERE: readonly ProblemCode[] = ["api.bad-request", "api.not-acceptable", "bug"];
/** What any route that takes a body may answer. */
const WITH_BODY: readonly ProblemCode[] = ["api.too-large", "api.slow-request", "api.busy"];

/** The document for these routes. */
export function openapi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const each of routes) {
    const path = paths[each.path] ??= {};
    path[each.method.toLowerCase()] = operation(each);
  }
  return {
    openapi: "3.1.0",
    info: { title: "pentad local API", version, license: { name: "Apache-2.0" } },
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

/** RFC 9457, with the four parts of pentad's problems. */
const PROBLEM: Json = {
  type: "object",
  required: ["type", "title", "status", "detail", "instance", "code", "why", "remedy"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string" },
    code: { type: "string", enum: Object.keys(PROBLEMS) },
    why: { type: "string" },
    remedy: { type: "string" },
  },
};

function operation(each: Route): Json {
  return {
    summary: each.summary,
    operationId: `${each.method.toLowerCase()} ${each.path}`.replace(/[^A-Za-z0-9]+/g, "_"),
    parameters: [...pathParameters(each), ...queryParameters(each), ...headerParameters(each)],
    ...(each.body === undefined ? {} : { requestBody: requestBody(each.body) }),
    responses: responses(each),
  };
}

function pathParameters({ path }: Route): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters({ query }: Route): Json[] {
  if (query === undefined) return [];
  const schema = input(query) as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(schema.properties ?? {}).map(([name, of]) => ({
    name,
    in: "query",
    required: schema.required?.includes(name) ?? false,
    schema: of,
  }));
}

function headerParameters({ headers, method }: Route): Json[] {
  const all: Record<string, string> = { ...headers };
  if (method !== "GET") {
    all["Idempotency-Key"] = "16 hex digits; a repeated change with the same key is applied once";
    all["Pentad-Reason"] = "Why, for the history";
  }
  return Object.entries(all).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
}

function requestBody(body: z.ZodType | "bytes"): Json {
  if (body === "bytes") return { content: { "application/octet-stream": {} } };
  return { required: true, content: { "application/json": { schema: input(body) } } };
}

function responses({ answer, body, problems = [] }: Route): Json {
  const { status, content, also } = answer;
  const all: Record<string, Json> = {
    [status]: {
      description: "Done",
      content: typeof content === "string"
        ? { [content]: {}, ...(also === undefined ? {} : { [also]: {} }) }
        : { "application/json": { schema: output(content) } },
    },
  };
  for (const code of [...problems, ...(body === undefined ? [] : WITH_BODY), ...EVERYWHERE]) {
    const key = String(PROBLEMS[code].status);
    const before = all[key]?.description;
    const description = `\`${code}\`: ${PROBLEMS[code].title}`;
    all[key] = {
      description: before === undefined ? description : `${before}; ${description}`,
      content: {
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      },
    };
  }
  return all;
}

/** What a client sends: defaults are optional. */
function input(schema: z.ZodType): Json {
  return without(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
}

function output(schema: z.ZodType): Json {
  return without(z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }));
}

/** OpenAPI 3.1 names the dialect once, for the document. */
function without({ $schema: _dialect, ...schema }: Json): Json {
  return schema;
}
