/**
 * The section format of Proxmox VE's configuration files, as `ha/resources.cfg` has it:
 *
 * ```text
 * exec: web
 * 	command /usr/bin/server
 * 	state started
 * ```
 *
 * Reading keeps every line, so that printing gives comments, blank lines and unknown keys back.
 *
 * @module
 */

/** One line below a header: a property, or anything else as it stands. */
type Line =
  | { readonly key: string; readonly value: string }
  | { readonly raw: string };

/** One section: `type: id` and what stands below it. */
export interface Section {
  readonly type: string;
  readonly id: string;
  readonly lines: readonly Line[];
  /** Line of the header, from 1. */
  readonly at: number;
}

/** A whole file: what stands before the first header, and the sections. */
export interface SectionFile {
  readonly head: readonly string[];
  readonly sections: readonly Section[];
}

/** A line that cannot be read: its number from 1, and a clause that says why. */
export interface SectionFault {
  readonly line: number;
  readonly why: string;
}

const HEADER = /^([a-z][a-z0-9-]*):\s+(\S+)\s*$/;
const PROPERTY = /^\s+([a-z][a-z0-9_-]*)(?:\s+(.*?))?\s*$/;
const IGNORED = /^\s*(#.*)?$/;

/** Reads a file, or says which line cannot be read. */
export function parseSections(text: string): SectionFile | SectionFault {
  const head: string[] = [];
  const sections: { type: string; id: string; lines: Line[]; at: number }[] = [];
  const seen = new Set<string>();
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (const [index, line] of lines.entries()) {
    const header = HEADER.exec(line);
    const section = sections.at(-1);
    if (header !== null) {
      const [, type = "", id = ""] = header;
      if (seen.has(`${type}:${id}`)) {
        return { line: index + 1, why: `"${type}:${id}" is there twice` };
      }
      seen.add(`${type}:${id}`);
      sections.push({ type, id, lines: [], at: index + 1 });
    } else if (IGNORED.test(line)) {
      if (section === undefined) head.push(line);
      else section.lines.push({ raw: line });
    } else {
      const property = PROPERTY.exec(line);
      if (property === null || section === undefined) {
        return { line: index + 1, why: "it is neither a header nor a property below one" };
      }
      section.lines.push({ key: property[1] ?? "", value: property[2] ?? "" });
    }
  }
  return { head, sections };
}

/** Prints a file as {@link parseSections} reads it. */
export function printSections({ head, sections }: SectionFile): string {
  const lines = [...head];
  for (const section of sections) {
    lines.push(`${section.type}: ${section.id}`);
    for (const line of section.lines) {
      lines.push("raw" in line ? line.raw : `\t${line.key} ${line.value}`.trimEnd());
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** The properties of a section; of a key that stands twice, the last. */
export function propertiesOf(section: Section): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of section.lines) if ("key" in line) properties.set(line.key, line.value);
  return properties;
}
