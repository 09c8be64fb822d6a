/** Pages of the manual in the macros of man(7): a head, sections, lists. Pure. @module */
import { MAN_MARK } from "./man_mark.ts";

/** A page, and its file's name. */
export interface ManPage {
  readonly name: string;
  /** The manual's section: 8 for administration, 5 for files. */
  readonly section: number;
  readonly text: string;
}

/** What stands in a page's head. */
export interface ManHead {
  readonly name: string;
  readonly section: number;
  readonly description: string;
  readonly version: string;
}

/** A whole page. It bears no day: the same version makes the same page. */
export function page(
  { name, section: number, description, version }: ManHead,
  sections: readonly string[],
): ManPage {
  const title = name.toUpperCase().replaceAll("-", "\\-");
  const head = `.TH ${title} ${number} "" "pentad ${version}"\n`;
  const what = section("NAME", `${escape(name)} \\- ${escape(description)}\n`);
  const text = MAN_MARK + head + what + sections.join("");
  return { name: `${name}.${number}`, section: number, text };
}

/** Names and what they are. */
export function listText(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, text]) => `.TP\n${bold(name)}\n${escape(text)}\n`).join("");
}

/** A section of a page. */
export function section(title: string, body: string): string {
  return `.SH ${title}\n${body}`;
}

/** Text to be typed as it stands. */
export function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`;
}

/** How another page is named. */
export function refer({ name, section: number }: ManPage): string {
  return `${bold(name.slice(0, name.lastIndexOf(".")))}(${number})`;
}

/** And so on: three dots, for a terminal of ASCII has no sign for them. */
export const ELLIPSIS = "...";

/**
 * What troff would take for a request or an escape is text; a hyphen is one that can be copied. What is
 * not ASCII is named by its number, for not every reader is told how the page is encoded.
 */
export function escape(text: string): string {
  return text.replaceAll("…", ELLIPSIS).replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(
    /^([.'])/gm,
    "\\&$1",
  )
    .replaceAll("'", "\\(aq").replace(/[^\n -~]/gu, codePoint);
}

/** groff_char(7). */
function codePoint(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `\\[u${code.toString(16).toUpperCase().padStart(4, "0")}]`;
}
