/**
 * What an OCF agent says of itself: resource-agent API 1.1, `ra-api.rng` and section "Metadata".
 *
 * @module
 */
import { nearest } from "../../base/nearest.ts";
import type { Millis } from "../../base/time.ts";
import { parseXml, type XmlElement } from "./xml.ts";

export interface OcfParameter {
  readonly name: string;
  readonly required: boolean;
  readonly type: string;
}

export interface OcfOperation {
  readonly name: string;
  readonly timeoutMs: Millis | null;
  /** Of a monitor: its check level. */
  readonly depth: number;
}

/** An agent's meta-data, as far as it is used. */
export interface OcfMetadata {
  readonly name: string;
  readonly parameters: readonly OcfParameter[];
  readonly operations: readonly OcfOperation[];
}

const PARAMETERS_MAX = 500;
const UNITS: Readonly<Record<string, number>> = {
  "": 1000,
  s: 1000,
  sec: 1000,
  ms: 1,
  msec: 1,
  us: 0.001,
  usec: 0.001,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
};
const TIMEOUT_MAX_MS: Millis = 24 * 3_600_000;
/** ocf-shellfuncs: ocf_is_true, and what is not it. */
const TRUE = ["yes", "true", "1", "ja", "on"];
const BOOLEANS = [...TRUE, "no", "false", "0", "nein", "off"];

/** Reads the XML, or says in a clause what is wrong. */
export function parseMetadata(text: string): OcfMetadata | string {
  const root = parseXml(text);
  if (typeof root === "string") return root;
  if (root.name !== "resource-agent") return `<${root.name}> is no <resource-agent>`;
  const below = (list: string, item: string) =>
    root.children.filter(({ name }) => name === list)
      .flatMap(({ children }) => children.filter(({ name }) => name === item));
  const parameters = below("parameters", "parameter").map(parameterOf);
  if (parameters.length > PARAMETERS_MAX) return `it has more than ${PARAMETERS_MAX} parameters`;
  const operations = below("actions", "action").map(operationOf);
  const missing = ["start", "stop", "monitor"].find((wanted) =>
    !operations.some(({ name }) => name === wanted)
  );
  if (missing !== undefined) return `it has no action "${missing}"`;
  return { name: root.attributes.get("name") ?? "", parameters, operations };
}

/** Reads `20s`, `20`, `2min`, `500ms`; null where it is none. */
export function parseTimeout(text: string): Millis | null {
  const match = /^\s*(\d{1,9})\s*([a-z]*)\s*$/i.exec(text);
  const unit = UNITS[(match?.[2] ?? "?").toLowerCase()];
  if (match === null || unit === undefined) return null;
  return Math.min(Number(match[1]) * unit, TIMEOUT_MAX_MS);
}

/** True where the agent has roles beyond started and stopped, which are not managed here. */
export function isPromotable({ operations }: OcfMetadata): boolean {
  return operations.some(({ name }) => name === "promote" || name === "demote");
}

/** What the agent advises for an operation; null where it says nothing. */
export function advisedTimeout(
  { operations }: OcfMetadata,
  name: string,
  depth = 0,
): Millis | null {
  const all = operations.filter((each) => each.name === name && each.timeoutMs !== null);
  return (all.find((each) => each.depth === depth) ?? all[0])?.timeoutMs ?? null;
}

/** What is wrong with these parameters and this check level, in clauses. */
export function parameterFaults(
  { parameters, operations }: OcfMetadata,
  given: Readonly<Record<string, string>>,
  checkLevel: number,
): string[] {
  const known = new Map(parameters.map((each) => [each.name, each]));
  const faults: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    const parameter = known.get(name);
    if (parameter === undefined) {
      const meant = nearest(name, [...known.keys()]);
      const hint = meant === null ? "" : `; "${meant}" was meant?`;
      faults.push(`it has no parameter "${name}"${hint}`);
    } else if (parameter.type === "integer" && !/^\s*[+-]?\d+\s*$/.test(value)) {
      faults.push(`"${name}" wants a whole number, not "${value}"`);
    } else if (parameter.type === "boolean" && !BOOLEANS.includes(value.toLowerCase())) {
      faults.push(`"${name}" wants true or false, not "${value}"`);
    }
  }
  for (const { name, required } of parameters) {
    if (required && !Object.hasOwn(given, name)) faults.push(`it needs the parameter "${name}"`);
  }
  const levels = operations.filter(({ name }) => name === "monitor").map(({ depth }) => depth);
  if (checkLevel !== 0 && !levels.includes(checkLevel)) {
    const has = [...new Set([0, ...levels])].sort((a, b) => a - b).join(", ");
    faults.push(`it has no check level ${checkLevel}, only ${has}`);
  }
  return faults;
}

function parameterOf({ attributes, children }: XmlElement): OcfParameter {
  const content = children.find(({ name }) => name === "content");
  return {
    name: attributes.get("name") ?? "",
    required: TRUE.includes((attributes.get("required") ?? "0").toLowerCase()),
    type: content?.attributes.get("type") ?? "string",
  };
}

function operationOf({ attributes }: XmlElement): OcfOperation {
  const depth = attributes.get("depth") ?? "0";
  return {
    name: attributes.get("name") ?? "",
    timeoutMs: parseTimeout(attributes.get("timeout") ?? ""),
    depth: /^\d{1,4}$/.test(depth) ? Number(depth) : 0,
  };
}
