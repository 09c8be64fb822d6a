/**
 * JSON (RFC 8259) that remembers on which line everything stood, so that a complaint about a file
 * can name the place. Refuses what `JSON.parse` lets pass in silence: a key given twice.
 *
 * @module
 */
import { nearest } from "./nearest.ts";

/** Editors of another system put it first; RFC 8259 section 8.1 lets a reader pass over it. */
const BYTE_ORDER_MARK = "\ufeff";
/** Deepest nesting that is read. */
const DEPTH_MAX = 32;

/** A way into a value: keys and positions. */
export type JsonPath = readonly (string | number)[];

/** What was read; or where and why it could not be. */
export type PlacedJson =
  | { readonly ok: true; readonly value: unknown; lineOf(path: JsonPath): number }
  | { readonly ok: false; readonly line: number; readonly why: string };

/** Reads JSON text. Lines count from 1; `lineOf` of an absent path is that of its nearest parent. */
export function parseJsonPlaces(text: string): PlacedJson {
  const scanner = new Scanner(text);
  try {
    const value = scanner.document();
    const { lines } = scanner;
    return {
      ok: true,
      value,
      lineOf(path) {
        for (let length = path.length; length > 0; length--) {
          const line = lines.get(JSON.stringify(path.slice(0, length)));
          if (line !== undefined) return line;
        }
        return lines.get("[]") ?? 1;
      },
    };
  } catch (error) {
    if (error instanceof Fault) return { ok: false, line: error.line, why: error.message };
    throw error;
  }
}

/** Leaves the scanner; never leaves this file. */
class Fault extends Error {
  readonly line: number;
  constructor(line: number, why: string) {
    super(why);
    this.line = line;
  }
}

class Scanner {
  readonly lines = new Map<string, number>();
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    if (this.#text.startsWith(BYTE_ORDER_MARK)) this.#at++;
    if (this.#text.trim() === "") throw this.#fault("the file is empty");
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#fault("there is something after the end");
    return value;
  }

  #value(): unknown {
    this.#space();
    const key = JSON.stringify(this.#path);
    // A member's line is that of its key.
    if (!this.lines.has(key)) this.lines.set(key, this.#line);
    if (this.#path.length > DEPTH_MAX) throw this.#fault(`nested deeper than ${DEPTH_MAX}`);
    const next = this.#text[this.#at];
    if (next === "{") return this.#object();
    if (next === "[") return this.#array();
    if (next === '"') return this.#string();
    return this.#word();
  }

  #object(): unknown {
    const found = new Map<string, unknown>();
    this.#at++;
    if (this.#closes("}")) return {};
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') {
        throw this.#fault(this.#comment() ?? "a key in double quotes is missing");
      }
      const key = this.#string();
      if (found.has(key)) throw this.#fault(`key ${JSON.stringify(key)} is given twice`);
      this.#path.push(key);
      this.lines.set(JSON.stringify(this.#path), this.#line);
      this.#space();
      if (this.#text[this.#at++] !== ":") {
        throw this.#fault(`":" is missing after ${JSON.stringify(key)}`);
      }
      found.set(key, this.#value());
      this.#path.pop();
      if (this.#ends("}")) return Object.fromEntries(found);
    }
  }

  #array(): unknown {
    const found: unknown[] = [];
    this.#at++;
    if (this.#closes("]")) return found;
    for (;;) {
      this.#path.push(found.length);
      found.push(this.#value());
      this.#path.pop();
      if (this.#ends("]")) return found;
    }
  }

  #string(): string {
    const from = this.#at++;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at++];
      if (char === "\n") break;
      if (char === "\\") this.#at++;
      if (char === '"') {
        const value = parsed(this.#text.slice(from, this.#at));
        if (typeof value === "string") return value;
        throw this.#fault("a text holds a control character or a wrong escape");
      }
    }
    throw this.#fault("a text has no closing quote");
  }

  #word(): unknown {
    const word = /^[^\s,:{}[\]"]*/.exec(this.#text.slice(this.#at, this.#at + 80))?.[0] ?? "";
    if (word === "") {
      throw this.#fault(this.#at >= this.#text.length ? "it ends too early" : "a value is missing");
    }
    const value = parsed(word);
    if (value === undefined) {
      const meant = nearest(word.toLowerCase(), ["true", "false", "null"]);
      throw this.#fault(
        this.#comment() ??
          (meant
            ? `a value is no JSON, did you mean ${meant}?`
            : "a value is no JSON; texts have double quotes"),
      );
    }
    this.#at += word.length;
    return value;
  }

  #closes(bracket: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** After a member: true at the bracket, false after a comma with another member behind it. */
  #ends(bracket: string): boolean {
    const line = this.#line;
    if (this.#closes(bracket)) return true;
    if (this.#text[this.#at] !== ",") {
      // Where the comma should be, not where the next thing stands.
      throw new Fault(line, this.#comment() ?? `"," or "${bracket}" is missing at the end`);
    }
    const comma = this.#line;
    this.#at++;
    if (this.#closes(bracket)) throw new Fault(comma, `there is a "," before the "${bracket}"`);
    return false;
  }

  #comment(): string | null {
    return /^(\/[/*]|#)/.test(this.#text.slice(this.#at, this.#at + 2))
      ? "JSON has no comments"
      : null;
  }

  #space(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? "";
      if (char === "\n") this.#line++;
      if (!" \t\r\n".includes(char)) return;
    }
  }

  #fault(why: string): Fault {
    return new Fault(this.#line, why);
  }
}

/** The value of one JSON token; undefined where it is none. */
function parsed(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return undefined;
  }
}
