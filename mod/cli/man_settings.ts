/** pentad-settings(5): the settings file, made from the schema that reads it. Pure. @module */
import { bold, escape, listText, type ManPage, page, section } from "./troff.ts";

/** Of JSON Schema (draft 2020-12), what is read here. */
export interface SettingsSchema {
  readonly description?: string;
  readonly type?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SettingsSchema>>;
  readonly required?: readonly string[];
}

/** The least that a file may say, with addresses of RFC 5737. */
export const SETTINGS_EXAMPLE = `{
  "name": "nodeA",
  "links": ["192.0.2.1:5405"],
  "peer": "192.0.2.1:5406"
}
`;

const ABOUT =
  `What a node must know before it has a cluster, as one JSON object. It is read when the \
daemon starts. Nothing else belongs into it: an unknown key is refused with its line. What all nodes \
share is in the replicated tree. The file may hold a secret (api.token), so others than its group \
must not read it; pentad daemon --check tries a file without starting anything.`;

/** The page. */
export function settingsPage(schema: SettingsSchema, version: string): ManPage {
  const description = "the settings file of a node";
  return page({ name: "pentad-settings", section: 5, description, version }, [
    section("SYNOPSIS", `${bold("/etc/pentad/settings.json")}\n`),
    section("DESCRIPTION", `${escape(ABOUT)}\n`),
    section("KEYS", listText(rowsOf(schema, ""))),
    section("EXAMPLE", `.nf\n${escape(SETTINGS_EXAMPLE)}.fi\n`),
    section("SEE ALSO", `${bold("pentad")}(8)\n`),
  ]);
}

/** Each key with what it means, what it may be, and what it is where it is not given. */
function rowsOf(schema: SettingsSchema, above: string): (readonly [string, string])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, each]) => {
    const path = above === "" ? key : `${above}.${key}`;
    const about = `${each.description ?? ""}.`;
    const text = `${about.charAt(0).toUpperCase()}${about.slice(1)} ${formOf(each)}`;
    const presence = schema.required?.includes(key) ? "; required" : presetOf(each);
    return [[path, `${text}${presence}.`] as const, ...rowsOf(each, path)];
  });
}

function formOf({ type = "string", enum: words, ...bounds }: SettingsSchema): string {
  if (words !== undefined) return `One of ${words.map(String).join(", ")}`;
  switch (type) {
    case "array":
      return `A list${between(bounds.minItems, bounds.maxItems, " of ")}`;
    case "integer":
      return `A whole number${between(bounds.minimum, bounds.maximum, " from ")}`;
    case "object":
      return "An object";
    default:
      return bounds.maxLength === undefined
        ? "Text"
        : `Text${between(bounds.minLength, bounds.maxLength, " of ")} characters`;
  }
}

function between(min: number | undefined, max: number | undefined, head: string): string {
  if (max === undefined) return "";
  return min === undefined ? `${head}at most ${max}` : `${head}${min} to ${max}`;
}

function presetOf({ default: preset, properties }: SettingsSchema): string {
  if (preset === undefined || properties !== undefined) return "; may be left out";
  return `; default ${Array.isArray(preset) && preset.length === 0 ? "none" : String(preset)}`;
}
