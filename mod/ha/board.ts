/**
 * What people see of the resources: what is decided, as far as it is reported to be so.
 *
 * @module
 */
import type { NodeId, ResourceId } from "../base/id.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import { formatReason, type Reason, reason } from "../base/reason.ts";
import type { ServiceState } from "../streams.ts";
import { STEADY_MS } from "./agent.ts";
import type { HaContext } from "./context.ts";
import type { HaFiles } from "./files.ts";
import { spoken } from "./resource.ts";
import type { ServiceEntry } from "./status.ts";
import { type Report, stateIn } from "./wire.ts";

/** One resource as it is shown. */
export interface Shown {
  readonly id: ResourceId;
  readonly state: ServiceState;
  readonly node: NodeId | null;
  readonly wanted: string;
  readonly reason: string;
  /** Why it last failed on its node, in that node's words. */
  readonly detail: string;
}

/** Of a node that does not report. */
const NOTHING: Pick<Report, "services"> = { services: [] };

/** Tells every change of what is shown. */
export class ResourceBoard {
  readonly #context: HaContext;
  readonly #shown = new Map<ResourceId, Shown>();
  /** When what runs well will have done so for long enough. */
  readonly #steadyAt = new Map<ResourceId, Instant>();
  /** What was said of those that are decided to be here. */
  readonly #said = new Map<ResourceId, ServiceState>();
  /** The sentences of reasons in force. */
  readonly #sentences = new WeakMap<Reason, string>();

  constructor(context: HaContext) {
    this.#context = context;
  }

  all(): readonly Shown[] {
    return [...this.#shown.values()];
  }

  /** It was reported to run well on its node, without a break, for so long that failures are forgiven. */
  isSteady(id: ResourceId): boolean {
    return this.#context.now >= (this.#steadyAt.get(id) ?? NEVER);
  }

  /** Looks at everything once more; `onRunning` hears what is reported to run on its node. */
  refresh(
    files: HaFiles,
    report: (node: NodeId) => Report | null,
    watch: {
      readonly vitals: () => string;
      readonly onRunning: (id: ResourceId, node: NodeId) => void;
      /** What is applied here is not what a database held long ago. */
      readonly isNews: boolean;
    },
  ): void {
    for (const [id, entry] of files.status.services) {
      const { node } = entry;
      const local = node === null ? null : report(node);
      const seen = stateIn(local ?? NOTHING, id);
      const { why: detail } = seen;
      const running = seen.state === "running";
      const state = entry.state === "started" && !running ? "request_start" : entry.state;
      const wanted = files.definitions.resources.get(id)?.wanted ?? "removed";
      if (running && state === "started" && node !== null) watch.onRunning(id, node);
      const before = this.#shown.get(id);
      const why = entry.why === null ? "" : this.#sentence(entry.why);
      this.#shown.set(id, { id, state, node, wanted, reason: why, detail });
      if (node !== this.#context.self) this.#said.delete(id);
      else if (watch.isNews && this.#said.get(id) !== state) {
        this.#said.set(id, state);
        const text = `ha_state: ${spoken(id)}=${state}${watch.vitals()}`;
        this.#context.say(text, this.#because(id, entry, state));
      }
      if (before?.state === state && before.node === node) continue;
      if (state === "started") this.#steadyAt.set(id, after(this.#context.now, STEADY_MS));
      else this.#steadyAt.delete(id);
      this.#context.tell({
        fact: "ha.resource",
        id,
        state,
        node,
        because: this.#because(id, entry, state),
      });
    }
    for (const id of this.#shown.keys()) {
      if (files.status.services.has(id)) continue;
      this.#shown.delete(id);
      this.#steadyAt.delete(id);
      this.#said.delete(id);
      const because = reason("ha.requested", { id, state: "removed" });
      this.#context.tell({ fact: "ha.resource", id, state: "stopped", node: null, because });
    }
  }

  #sentence(why: Reason): string {
    const known = this.#sentences.get(why);
    if (known !== undefined) return known;
    const sentence = formatReason(why);
    this.#sentences.set(why, sentence);
    return sentence;
  }

  /** What is decided has its reason; that it runs, or does not yet, is seen. */
  #because(id: ResourceId, { node, why }: ServiceEntry, state: ServiceState): Reason {
    const name = node === null ? "?" : this.#context.name(node);
    if (state === "started") return reason("ha.started", { id, node: name });
    if (state === "request_start") {
      return reason("ha.requested", { id, state: `started on ${name}` });
    }
    return why ?? reason("ha.requested", { id, state: "stopped" });
  }
}
