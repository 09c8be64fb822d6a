/**
 * Output for people and for scripts. A state is a word and a symbol; colour only repeats it, and is
 * left out with NO_COLOR (no-color.org), `TERM=dumb` or without a terminal.
 *
 * @module
 */
import type { Io } from "./io.ts";

/** `table` for people, `plain` tab-separated, `json` for programs. */
export type Format = "table" | "plain" | "json";
/** All formats, for validation and help. */
export const FORMATS: readonly Format[] = ["table", "plain", "json"];

/** How good a state is; decides symbol and colour. */
export type Grade = "good" | "warn" | "bad" | "none";

const SYMBOLS: Readonly<Record<Grade, string>> = { good: "✓", warn: "!", bad: "✗", none: "·" };
/** ECMA-48 section 8.3.117, SGR. */
const COLOURS: Readonly<Record<Grade, string>> = { good: "32", warn: "33", bad: "31", none: "2" };

/** Grades of the words that states have anywhere. */
const GRADES: Readonly<Record<string, Grade>> = {
  online: "good",
  ok: "good",
  started: "good",
  armed: "good",
  quorate: "good",
  isolated: "warn",
  degraded: "warn",
  recovery: "bad",
  unknown: "warn",
  relocate: "warn",
  migrate: "warn",
  fence: "bad",
  request_start: "warn",
  request_stop: "warn",
  maintenance: "warn",
  down: "bad",
  failed: "bad",
  error: "bad",
  disarmed: "bad",
};

/** The grade of a state's word; `none` for what is neither good nor bad. */
export function gradeOf(word: string): Grade {
  return GRADES[word] ?? "none";
}

/** Prints for one run. */
export class Printer {
  readonly format: Format;
  readonly #io: Io;
  readonly #colour: boolean;
  readonly #quiet: boolean;

  constructor(io: Io, format: Format | null, quiet = false) {
    this.#io = io;
    this.#quiet = quiet;
    this.format = format ?? (io.terminal ? "table" : "plain");
    const off = (io.env("NO_COLOR") ?? "") !== "" || io.env("TERM") === "dumb" || !io.terminal;
    this.#colour = !off || (io.env("CLICOLOR_FORCE") ?? "0") !== "0";
  }

  /** A line on standard output. */
  line(text: string): void {
    this.#io.out(`${text}\n`);
  }

  /** What was done and what comes next: for people, not part of the result. */
  note(text: string): void {
    if (this.format !== "json" && !this.#quiet) this.#io.err(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A state's word with its symbol; for scripts the word alone. */
  state(word: string, grade: Grade = gradeOf(word)): string {
    if (this.format === "plain") return word;
    return this.paint(`${word} ${SYMBOLS[grade]}`, grade);
  }

  /** Text in the colour of a grade, where there is colour. */
  paint(text: string, grade: Grade): string {
    return this.#colour ? `\x1b[${COLOURS[grade]}m${text}\x1b[0m` : text;
  }

  /** Rows with a head, unless quiet: columns for people, tabs for scripts. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const lines = this.format === "plain"
      ? [head, ...rows].map((row) => row.map(bare).join("\t"))
      : columns(head, rows);
    for (const text of this.#quiet ? lines.slice(1) : lines) this.line(text);
  }
}

/** Rows as aligned text; widths count what is seen, not escapes. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => width(row[at] ?? ""))));
  return all.map((row) =>
    row.map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - width(cell))))
      .join("  ").trimEnd()
  );
}

/**
 * What hostile text could do to a terminal is made visible: control characters, line separators, and
 * the marks that turn the direction of what follows (Unicode UAX #9).
 */
export function safeText(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`,
  );
}

function bare(cell: string): string {
  // deno-lint-ignore no-control-regex -- the escapes that paint() makes
  return cell.replace(/\x1b\[[\d;]*m/g, "").replace(/[\t\n]/g, " ");
}

function width(cell: string): number {
  return [...bare(cell)].length;
}
