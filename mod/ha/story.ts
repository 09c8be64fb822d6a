/**
 * What became of a resource, and why: out of the transactions that wrote `ha/manager_status`, the
 * orders of people, and the definitions. Every member has them, whoever was the manager then and
 * whoever is dead now.
 *
 * @module
 */
import { decodeText, equalBytes } from "../base/bytes.ts";
import { NODE_ID_MAX, type NodeId, nodeId, type ResourceId } from "../base/id.ts";
import { formatReason, type Reason } from "../base/reason.ts";
import { parseSections, propertiesOf } from "./section_config.ts";
import {
  EMPTY_STATUS,
  type ManagerStatus,
  type NodeEntry,
  parseStatus,
  type ServiceEntry,
} from "./status.ts";

/** A file before and after a transaction; null where there was none. */
export interface FileChange {
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
}

/** One transaction, as far as it touched files of stream 3. */
export interface WrittenStep {
  readonly txn_id: number;
  /** Seconds since 1970, by its author's clock. */
  readonly time: number;
  readonly author: string;
  readonly status: FileChange | null;
  readonly commands: FileChange | null;
  readonly resources: FileChange | null;
}

/** The same, as far as a story of one resource needs it: files may be large. */
export interface StoryStep extends Pick<WrittenStep, "txn_id" | "time" | "author"> {
  /** Nodes of which something else is decided. */
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly old: NodeEntry;
    readonly now: NodeEntry;
  }[];
  /** What is decided of the resource; null where the same is. */
  readonly service: { readonly old: ServiceEntry | null; readonly now: ServiceEntry | null } | null;
  /** Orders that were given. */
  readonly orders: readonly string[];
  /** Its section as one line (empty: none); null where it is the same. */
  readonly definition: { readonly old: string; readonly now: string } | null;
}

/** Something that became of the resource, of a node that it was on, or that a person asked for. */
export interface StoryLine {
  readonly txn_id: number;
  readonly time: number;
  readonly author: string;
  readonly about: "resource" | "node" | "order" | "definition";
  readonly text: string;
  readonly code: string | null;
  readonly why: string;
  /** Place in the list of the line that led to this one; null where none is known. */
  readonly cause: number | null;
}

/** Names of nodes. */
export type NameOf = (node: NodeId) => string;

/** Condenses steps for the story of one resource, one after the other. */
export class StoryReader {
  readonly #id: ResourceId;
  /** The status that was read last: what came after one step was there before the next. */
  #known: { readonly bytes: Uint8Array; readonly status: ManagerStatus } | null = null;

  constructor(id: ResourceId) {
    this.#id = id;
  }

  /** The step, and whether it tells something of the resource itself. */
  read(step: WrittenStep): StoryStep & { readonly own: boolean } {
    const { txn_id, time, author, status, commands, resources } = step;
    // Whoever reads backwards meets the older one next: it is to be the one that is kept.
    const now = this.#statusIn(status?.after ?? null);
    const old = this.#statusIn(status?.before ?? null);
    const nodes = status === null ? [] : [...now.nodes].flatMap(([node, entry]) => {
      const before = old.nodes.get(node);
      return before === undefined || sameNode(before, entry)
        ? []
        : [{ node, old: before, now: entry }];
    });
    const [was, is] = [old.services.get(this.#id) ?? null, now.services.get(this.#id) ?? null];
    const service = status === null || printed(was) === printed(is) ? null : { old: was, now: is };
    const [from, to] = [resources?.before ?? null, resources?.after ?? null].map((each) =>
      definitionIn(each, this.#id)
    ) as [string, string];
    const definition = resources === null || from === to ? null : { old: from, now: to };
    const orders = commands === null ? [] : ordersIn(commands);
    const own = service !== null || definition !== null ||
      orders.some((line) => line.split(/\s+/)[1] === this.#id);
    return { txn_id, time, author, nodes, service, orders, definition, own };
  }

  #statusIn(bytes: Uint8Array | null): ManagerStatus {
    if (bytes === null) return EMPTY_STATUS;
    if (this.#known !== null && equalBytes(this.#known.bytes, bytes)) return this.#known.status;
    const status = parseStatus(bytes) ?? EMPTY_STATUS;
    this.#known = { bytes, status };
    return status;
  }
}

/** The story of a resource; `steps` from the oldest to the newest, as are its lines. */
export function storyOf(
  id: ResourceId,
  steps: readonly StoryStep[],
  nameOf: NameOf,
): readonly StoryLine[] {
  const teller = new Teller(id, nameOf);
  for (const step of steps) teller.hear(step);
  return teller.told();
}

class Teller {
  readonly #lines: StoryLine[] = [];
  /** Places of lines that belong to the story by themselves; others do as causes of these. */
  readonly #own = new Set<number>();
  readonly #id: ResourceId;
  readonly #nameOf: NameOf;
  /** Places of the newest lines of each sort; of nodes by name. */
  readonly #nodes = new Map<string, number>();
  readonly #orders = new Map<string, number>();
  #resource: number | null = null;
  #definition: number | null = null;
  /** Where it is decided to be. */
  #at: NodeId | null = null;

  constructor(id: ResourceId, nameOf: NameOf) {
    this.#id = id;
    this.#nameOf = nameOf;
  }

  hear(step: StoryStep): void {
    const { definition, service } = step;
    if (definition !== null) {
      const { old, now } = definition;
      const text = now === "" ? "removed" : `${old === "" ? "defined" : "changed"}: ${now}`;
      this.#definition = this.#tell(step, { about: "definition", text, own: true });
    }
    for (const text of step.orders) this.#hearOrder(step, text);
    for (const each of step.nodes) this.#hearNode(step, each);
    if (service !== null) this.#hearService(step, service);
  }

  told(): StoryLine[] {
    for (let at = this.#lines.length - 1; at >= 0; at--) {
      const cause = this.#lines[at]?.cause ?? null;
      if (this.#own.has(at) && cause !== null) this.#own.add(cause);
    }
    const kept = this.#lines.flatMap((line, at) => this.#own.has(at) ? [{ line, at }] : []);
    const places = new Map(kept.map(({ at }, place) => [at, place]));
    return kept.map(({ line }) => ({
      ...line,
      cause: line.cause === null ? null : places.get(line.cause) ?? null,
    }));
  }

  #hearOrder(step: StoryStep, text: string): void {
    const [order = "", subject = ""] = text.split(/\s+/);
    const own = subject === this.#id || order === "arm" || order === "disarm";
    if (order === "migrate" && !own) return;
    const line = this.#tell(step, { about: "order", text, own });
    this.#orders.set(subject, line);
    // A former member is called by its number.
    const number = Number(/^#?(\d{1,5})$/.exec(subject)?.[1] ?? 0);
    if (number >= 1 && number <= NODE_ID_MAX) this.#orders.set(this.#nameOf(nodeId(number)), line);
  }

  #hearService(step: StoryStep, { old, now }: NonNullable<StoryStep["service"]>): void {
    const place = (entry: ServiceEntry | null) =>
      entry === null
        ? "forgotten"
        : entry.state + (entry.node === null ? "" : ` on ${this.#nameOf(entry.node)}`);
    const text = old === null ? place(now) : `${place(old)} → ${place(now)}`;
    const why = now?.why ?? null;
    const from = old === null || old.node === null ? null : this.#nameOf(old.node);
    const cause = this.#causeOf({ why, from, waited: old?.state });
    this.#at = now?.node ?? null;
    this.#resource = this.#tell(step, { about: "resource", text, why, cause, own: true });
  }

  #hearNode(step: StoryStep, { node, old, now }: StoryStep["nodes"][number]): void {
    const name = this.#nameOf(node);
    const order = this.#orders.get(name) ?? null;
    const tell = (text: string, cause = order, why: Reason | null = null) => {
      const line = { about: "node", text: `${name}: ${text}`, why, cause } as const;
      this.#nodes.set(name, this.#tell(step, { ...line, own: node === this.#at }));
    };
    if (old.state !== now.state) {
      const proof = now.state === "dead" ? `, proof=${now.proof ?? "wait"}` : "";
      const cause = now.proof === "confirmed" ? order : this.#nodes.get(name) ?? null;
      tell(`${old.state} → ${now.state}${proof}`, cause, now.why);
    }
    if (old.maintenance !== now.maintenance) tell(`maintenance ${now.maintenance ? "on" : "off"}`);
    if (old.shutdown?.how !== now.shutdown?.how) {
      tell(now.shutdown === null ? "back" : `stops, ${now.shutdown.how}`);
    }
  }

  /** What led to a decision about the resource, by what is said of it. */
  #causeOf(
    { why, from, waited }: {
      readonly why: Reason | null;
      readonly from: string | null;
      readonly waited: string | undefined;
    },
  ): number | null {
    const node = from === null ? null : this.#nodes.get(from) ?? null;
    switch (why?.code) {
      case "ha.requested":
        return this.#definition;
      case "ha.migrated":
      case "ha.migration-failed":
        return this.#orders.get(this.#id) ?? this.#resource;
      case "ha.node-fail":
      case "ha.drained":
      case "ha.parted":
      case "ha.frozen":
      case "ha.thawed":
      case "ha.adopted":
        return node;
      case "ha.home":
        return this.#nodes.get(String(why.args.node)) ?? null;
      default:
        // It was taken over, or given to somebody: the death, the move, or the wish before.
        if (waited === "fence" || waited === "recovery") return node ?? this.#resource;
        return waited === undefined || waited === "stopped" ? this.#definition : this.#resource;
    }
  }

  #tell(
    { txn_id, time, author }: StoryStep,
    { about, text, own, why = null, cause = null }: Pick<StoryLine, "about" | "text"> & {
      readonly own: boolean;
      readonly why?: Reason | null;
      readonly cause?: number | null;
    },
  ): number {
    const said = why === null ? "" : formatReason(why);
    const line = { txn_id, time, author, about, text, code: why?.code ?? null, why: said, cause };
    const at = this.#lines.push(line) - 1;
    if (own) this.#own.add(at);
    return at;
  }
}

/** Nothing that a story tells is different. */
function sameNode(a: NodeEntry, b: NodeEntry): boolean {
  return a.state === b.state && a.maintenance === b.maintenance &&
    a.shutdown?.how === b.shutdown?.how;
}

/** What is decided of it, to be compared. */
function printed(entry: ServiceEntry | null): string {
  const { state, node, target, why } = entry ?? {};
  return JSON.stringify([state, node, target, why?.code]);
}

/** Orders that were added. */
function ordersIn({ before, after }: FileChange): string[] {
  const old = linesOf(before);
  return linesOf(after).filter((line) => !old.includes(line));
}

function linesOf(bytes: Uint8Array | null): string[] {
  const text = bytes === null ? "" : decodeText(bytes) ?? "";
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** Its section as one line; empty where there is none. */
function definitionIn(bytes: Uint8Array | null, id: ResourceId): string {
  const file = parseSections(bytes === null ? "" : decodeText(bytes) ?? "");
  const section = "why" in file
    ? undefined
    : file.sections.find((each) => `${each.type}:${each.id}` === id);
  if (section === undefined) return "";
  const all = [...propertiesOf(section)].map(([key, value]) => `${key} ${value}`);
  return all.length === 0 ? "by its kind alone" : all.join(", ");
}
