/**
 * The HA files that clients change through the API: `ha/resources.cfg` in the section format of
 * Proxmox VE, and `ha/crm_commands`, orders to the manager, one in each line.
 *
 * @module
 */
import { isResourceId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";

export const RESOURCES_FILE = "ha/resources.cfg";
export const COMMANDS_FILE = "ha/crm_commands";
/** Orders that may wait for the manager. */
export const COMMANDS_MAX = 1000;

/** One resource as the file has it: properties in order, values as text. */
export interface Section {
  readonly id: string;
  readonly properties: ReadonlyMap<string, string>;
}

/** Reads the sections; throws `ha.bad-file` with the line. Comment lines are not kept. */
export function parseResources(text: string): Section[] {
  const sections: { id: string; properties: Map<string, string> }[] = [];
  const refuse = (line: number, why: string) =>
    new ProblemError("ha.bad-file", `"${RESOURCES_FILE}" line ${line + 1}: ${why}`);
  text.split("\n").forEach((line, at) => {
    if (/^\s*(#|$)/.test(line)) return;
    const header = /^([a-z][a-z0-9]*):\s+(\S+)\s*$/.exec(line);
    if (header !== null) {
      const id = `${header[1]}:${header[2]}`;
      if (!isResourceId(id)) throw refuse(at, `"${id}" is not a resource id`);
      if (sections.some((section) => section.id === id)) throw refuse(at, `"${id}" is there twice`);
      sections.push({ id, properties: new Map() });
      return;
    }
    const property = /^\s+([a-z][a-z0-9_-]*)(?:\s+(.*?))?\s*$/.exec(line);
    const section = sections.at(-1);
    if (property === null || section === undefined) {
      throw refuse(at, "it is neither id nor property");
    }
    section.properties.set(property[1] ?? "", property[2] ?? "");
  });
  return sections;
}

/** Prints sections as {@link parseResources} reads them. */
export function printResources(sections: readonly Section[]): string {
  return sections.map(({ id, properties }) => {
    const [kind, name] = id.split(":");
    const lines = [...properties].map(([key, value]) => `\t${key} ${value}`.trimEnd() + "\n");
    return `${kind}: ${name}\n${lines.join("")}`;
  }).join("\n");
}

/** Adds an order; it takes effect when the manager reads it. */
export function addCommand(text: string, command: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  if (lines.length >= COMMANDS_MAX) {
    throw new ProblemError("api.busy", `${COMMANDS_MAX} orders wait for the manager`);
  }
  return [...lines, command].join("\n") + "\n";
}
