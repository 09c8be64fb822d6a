/**
 * What this node says of itself: reports to every member's stream 3, vitals to everyone by the
 * beats; and what the others last said of themselves.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { MemberHealth, Vitals } from "../streams.ts";
import type { Agent } from "./agent.ts";
import type { Arming } from "./arming.ts";
import type { Departure } from "./departure.ts";
import type { HaContext } from "./context.ts";
import type { HaFiles } from "./files.ts";
import type { Guard } from "./guard.ts";
import { decodeNews, encodeNews, type MigrationNews } from "./migration_wire.ts";
import { locksOf } from "./resource.ts";
import { decodeReport, encodeReport, type Report } from "./wire.ts";

/** Whom a herald speaks for. */
export interface HeraldParts {
  readonly files: HaFiles;
  readonly guard: Guard;
  readonly arming: Arming;
  readonly agent: Agent;
  readonly departure: Departure;
  readonly health: (node: NodeId) => MemberHealth | null;
}

/** See the module's note. */
export class Herald {
  readonly #context: HaContext;
  readonly #parts: HeraldParts;
  readonly #reports = new Map<NodeId, Report>();
  readonly #news = new Map<NodeId, MigrationNews>();
  #vitals: Vitals | null = null;
  #said = "";
  #newsSaid = "";
  /** The node stops in order, and nothing runs here any more. */
  leaving = false;

  constructor(context: HaContext, parts: HeraldParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Our own vitals as they were last told. */
  get vitals(): Vitals | null {
    return this.#vitals;
  }

  /** A frame from another node; null where it is no report. */
  onFrame(from: NodeId, bytes: Uint8Array): Report | null {
    const news = decodeNews(bytes);
    if (news !== null) this.#news.set(from, news);
    const report = news === null ? decodeReport(bytes) : null;
    if (report !== null) this.#reports.set(from, report);
    return report;
  }

  /** As {@link present}, of live migrations. */
  news(node: NodeId): MigrationNews | null {
    const { self, boot } = this.#context;
    if (node === self) return { version: 2, boot, ...this.#parts.agent.migrations() };
    return this.#ofNow(node, this.#news.get(node));
  }

  /** The newest report of a node that is online, in its present life; our own is made now. */
  present(node: NodeId): Report | null {
    if (node === this.#context.self) return this.#parts.agent.ready ? this.#own() : null;
    return this.#ofNow(node, this.#reports.get(node));
  }

  /** What a node said, where it is online and its present life said it. */
  #ofNow<T extends { readonly boot: string }>(node: NodeId, said: T | undefined): T | null {
    const known = this.#parts.health(node);
    return known?.state === "online" && said?.boot === known.boot ? said : null;
  }

  /** Sends a report to all where it says something new, or `anyway`. */
  report(anyway: boolean): void {
    if (!this.#parts.agent.ready) return;
    // Before the report: who hears that a machine is gone knows by then whether it was handed over.
    this.#reportNews(anyway);
    const { version: _version, ...report } = this.#own();
    const { status, departure, watchdog, services } = report;
    const states = services.map((each) => `${each.id}=${each.state}`).join();
    const text = `${status} ${departure} ${watchdog} ${states}`;
    const changed = text !== this.#said;
    if (!anyway && !changed) return;
    this.#said = text;
    this.#toAll(encodeReport(report));
    if (changed) this.tellVitals();
  }

  /** Of machines and migrations; a node without any says it once. */
  #reportNews(anyway: boolean): void {
    const news = this.#parts.agent.migrations();
    const empty = Object.values(news).every(({ length }) => length === 0);
    const text = empty ? "" : JSON.stringify(news);
    if (text === this.#newsSaid && (empty || !anyway)) return;
    this.#newsSaid = text;
    this.#toAll(encodeNews({ boot: this.#context.boot, ...news }));
  }

  #toAll(bytes: Uint8Array): void {
    for (const { id } of this.#context.spec.members) {
      if (id !== this.#context.self) this.#context.do({ kind: "frame", to: id, bytes });
    }
  }

  /** Tells the vitals; with the load where it was just measured. */
  tellVitals(load: Partial<Pick<Vitals, "load" | "memory" | "ioDelay">> = {}): void {
    const { files, guard, arming, agent } = this.#parts;
    const { resources } = files.definitions;
    const busy = agent.busy();
    const before = this.#vitals;
    const margin = guard.held ? guard.until - this.#context.now : 0;
    this.#vitals = {
      load: load.load ?? before?.load ?? 0,
      memory: load.memory ?? before?.memory ?? 0,
      ioDelay: load.ioDelay ?? before?.ioDelay ?? 0,
      armed: arming.armed,
      guardMarginMs: Math.max(0, Math.round(margin)),
      diskLocks: busy.reduce((sum, id) => sum + locksOf(resources.get(id)), 0),
      resources: busy.length,
    };
    this.#context.tell({ fact: "ha.vitals", vitals: this.#vitals });
  }

  /** `, load=0.8, mem=42%`, as the conversation has it. */
  vitalsText(): string {
    if (this.#vitals === null) return "";
    const { load, memory } = this.#vitals;
    return `, load=${load.toFixed(1)}, mem=${Math.round(100 * memory)}%`;
  }

  #own(): Report {
    const { files, guard, arming, agent, departure } = this.#parts;
    return {
      version: 1,
      boot: this.#context.boot,
      status: files.statusVersion,
      departure: this.leaving ? "over" : departure.begun ? "begun" : "none",
      // Until its own guard is held by what is decided now, nobody is to count on it.
      watchdog: files.mode === "disarmed" || guard.suspended ? "disarmed" : arming.report,
      services: agent.services(),
    };
  }
}
