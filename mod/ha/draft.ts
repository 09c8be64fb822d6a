/**
 * A plan as far as it is made: the entries of nodes and resources, and what is counted of them, so
 * that the next placement sees the one before.
 *
 * @module
 */
import type { NodeId, ResourceId } from "../base/id.ts";
import type { Gathering, RuleBook } from "./rule_book.ts";
import type { NodeEntry, ServiceEntry } from "./status.ts";

/** States in which a resource takes its node's strength. */
const HOLDS: ReadonlySet<string> = new Set([
  "request_start",
  "started",
  "request_stop",
  "relocate",
  "fence",
  "freeze",
]);

/** See the module's note. */
export class Draft {
  readonly nodes: Map<NodeId, NodeEntry>;
  /** How many resources each node was given in this round, or does not run yet. */
  readonly placed = new Map<NodeId, number>();
  readonly #book: RuleBook;
  readonly #services: Map<ResourceId, ServiceEntry>;
  readonly #held = new Map<NodeId, number>();
  readonly #gathered = new Map<Gathering, Map<NodeId, number>>();
  /** Of groups: on how many of their members' behalf a node was tried. */
  readonly #tried = new Map<Gathering, Map<NodeId, number>>();

  constructor(
    book: RuleBook,
    nodes: Map<NodeId, NodeEntry>,
    services: ReadonlyMap<ResourceId, ServiceEntry>,
  ) {
    this.#book = book;
    this.nodes = nodes;
    this.#services = new Map(services);
    for (const [id, entry] of services) this.#count(id, entry, 1);
  }

  get services(): ReadonlyMap<ResourceId, ServiceEntry> {
    return this.#services;
  }

  get(id: ResourceId): ServiceEntry | undefined {
    return this.#services.get(id);
  }

  /** Decides; null: it is forgotten. */
  set(id: ResourceId, entry: ServiceEntry | null): void {
    const old = this.#services.get(id);
    if (old === entry) return;
    if (old !== undefined) this.#count(id, old, -1);
    if (entry === null) this.#services.delete(id);
    else {
      this.#services.set(id, entry);
      this.#count(id, entry, 1);
    }
  }

  isOnline(node: NodeId): boolean {
    return this.nodes.get(node)?.state === "online";
  }

  /** Resources that a node has. */
  held(node: NodeId): number {
    return this.#held.get(node) ?? 0;
  }

  /** How many of a gathering will be on a node, without `id`. */
  gathered(gathering: Gathering, node: NodeId, id: ResourceId): number {
    const all = this.#gathered.get(gathering)?.get(node) ?? 0;
    return all > 0 && willBeOn(this.#services.get(id)) === node ? all - 1 : all;
  }

  /** A member of its group, or itself, failed there and was not forgiven. */
  wasTried(id: ResourceId, node: NodeId): boolean {
    const group = this.#book.group(id);
    if (group === null) return this.#services.get(id)?.tried.includes(node) === true;
    return (this.#tried.get(group)?.get(node) ?? 0) > 0;
  }

  /** One more that a node does not run yet. */
  place(node: NodeId): void {
    add(this.placed, node, 1);
  }

  #count(id: ResourceId, entry: ServiceEntry, by: 1 | -1): void {
    if (entry.node !== null && HOLDS.has(entry.state)) add(this.#held, entry.node, by);
    const node = willBeOn(entry);
    const group = this.#book.group(id);
    const all = this.#book.gatherings(id);
    for (const gathering of group === null ? all : [group, ...all]) {
      if (node !== null) add(counts(this.#gathered, gathering), node, by);
    }
    if (group === null) return;
    for (const each of entry.tried) add(counts(this.#tried, group), each, by);
  }
}

/** Where it is once everything that is decided has come true; null: nowhere, or nobody knows. */
export function willBeOn(entry: ServiceEntry | undefined): NodeId | null {
  switch (entry?.state) {
    case "request_start":
    case "started":
    case "fence":
    case "freeze":
      return entry.node;
    case "relocate":
      return entry.target;
    default:
      return null;
  }
}

function counts(
  map: Map<Gathering, Map<NodeId, number>>,
  key: Gathering,
): Map<NodeId, number> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Map<NodeId, number>();
  map.set(key, made);
  return made;
}

function add(map: Map<NodeId, number>, node: NodeId, by: number): void {
  map.set(node, (map.get(node) ?? 0) + by);
}
