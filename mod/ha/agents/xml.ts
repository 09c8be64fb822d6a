/**
 * As much of XML 1.0 as the meta-data of agents needs: elements, attributes, text, comments, CDATA,
 * the five named references and numeric ones. A document type is skipped, never read: no entity of
 * its own is ever expanded, and nothing is fetched.
 *
 * @module
 */

/** An element, with the text right below it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

const TEXT_MAX = 512 * 1024;
const ELEMENTS_MAX = 20_000;
const ATTRIBUTES_MAX = 64;
const DEPTH_MAX = 32;

const NAME = "[A-Za-z_:][\\w:.-]{0,127}";
const ATTRIBUTE = new RegExp(`\\s+(${NAME})\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`, "y");
const OPEN = new RegExp(`<(${NAME})`, "y");
const CLOSE = new RegExp(`</(${NAME})\\s*>`, "y");
const END = /\s*(\/?)>/y;
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

interface Open {
  readonly name: string;
  readonly attributes: Map<string, string>;
  readonly children: XmlElement[];
  text: string;
}

/** Reads a document: its root element, or a clause that says what is wrong. */
export function parseXml(text: string): XmlElement | string {
  if (text.length > TEXT_MAX) return `it is longer than ${TEXT_MAX} characters`;
  const reader = new Reader(text);
  try {
    return reader.document();
  } catch (error) {
    if (error instanceof XmlFault) return `${error.message} in line ${reader.line}`;
    throw error;
  }
}

class XmlFault extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;
  #elements = 0;
  #root: XmlElement | null = null;
  readonly #open: Open[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  get line(): number {
    return this.#text.slice(0, this.#at).split("\n").length;
  }

  document(): XmlElement {
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] !== "<") this.#data();
      else if (!this.#aside()) this.#tag();
    }
    if (this.#open.length > 0) throw new XmlFault(`<${this.#open.at(-1)?.name}> is not closed`);
    if (this.#root === null) throw new XmlFault("there is no element");
    return this.#root;
  }

  #data(): void {
    const next = this.#text.indexOf("<", this.#at);
    const end = next < 0 ? this.#text.length : next;
    const raw = this.#text.slice(this.#at, end);
    const open = this.#open.at(-1);
    if (open !== undefined) open.text += unescape(raw);
    else if (raw.replace("\uFEFF", "").trim() !== "") throw new XmlFault("there is text outside");
    this.#at = end;
  }

  /** Comments, CDATA, instructions and the document type; false where there is none of them. */
  #aside(): boolean {
    const skip = (from: string, to: string): string | null => {
      if (!this.#text.startsWith(from, this.#at)) return null;
      const end = this.#text.indexOf(to, this.#at + from.length);
      if (end < 0) throw new XmlFault(`"${from}" is not closed`);
      const inner = this.#text.slice(this.#at + from.length, end);
      this.#at = end + to.length;
      return inner;
    };
    const cdata = skip("<![CDATA[", "]]>");
    const open = this.#open.at(-1);
    if (cdata !== null && open !== undefined) open.text += cdata;
    if (cdata !== null || skip("<!--", "-->") !== null || skip("<?", "?>") !== null) return true;
    const type = skip("<!DOCTYPE", ">");
    if (type?.includes("[")) throw new XmlFault("the document type defines something itself");
    return type !== null;
  }

  #tag(): void {
    const close = this.#match(CLOSE);
    if (close !== null) {
      const open = this.#open.pop();
      if (open === undefined || open.name !== close[1]) {
        throw new XmlFault(`</${close[1]}> closes nothing`);
      }
      return this.#finish(open);
    }
    const start = this.#match(OPEN);
    if (start === null) throw new XmlFault('there is a "<" that begins nothing');
    if (++this.#elements > ELEMENTS_MAX) throw new XmlFault("there are too many elements");
    const element: Open = { name: start[1] ?? "", attributes: new Map(), children: [], text: "" };
    for (let each = this.#match(ATTRIBUTE); each !== null; each = this.#match(ATTRIBUTE)) {
      const [, name = "", double, single] = each;
      if (element.attributes.has(name)) throw new XmlFault(`"${name}" is there twice`);
      if (element.attributes.size === ATTRIBUTES_MAX) throw new XmlFault("too many attributes");
      element.attributes.set(name, unescape(double ?? single ?? ""));
    }
    const end = this.#match(END);
    if (end === null) throw new XmlFault(`<${element.name}> cannot be read`);
    if (end[1] === "/") return this.#finish(element);
    if (this.#open.length === DEPTH_MAX) throw new XmlFault("elements are nested too deep");
    this.#open.push(element);
  }

  #finish(element: Open): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.children.push(element);
    else if (this.#root === null) this.#root = element;
    else throw new XmlFault("there is a second root");
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }
}

function unescape(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,10}));/g,
    (whole, ten, hex, name) => {
      if (name !== undefined) return NAMED[name] ?? whole;
      const code = ten === undefined ? Number.parseInt(hex, 16) : Number(ten);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\uFFFD";
    },
  );
}
