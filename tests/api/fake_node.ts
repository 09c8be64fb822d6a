/** A node without streams: a tree in memory, a conversation in an array. For tests of API and CLI. */
import { nodeId } from "../../mod/base/id.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import type {
  ChangeAsk,
  ForceAnswer,
  ForceRequest,
  HistoryEntry,
  InitAsk,
  JoinAsk,
  RunningNode,
  TreeEntry,
} from "../../mod/api/mod.ts";
import { timingOf, timingTable } from "../../mod/base/timing.ts";
import type { EventLine, StatusDocument } from "../../mod/node/view.ts";
import type { Operation, Outcome } from "../../mod/streams.ts";

interface Row {
  kind: "file" | "directory";
  data: Uint8Array;
  version: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class FakeNode implements RunningNode {
  readonly tree = new Map<string, Row>();
  readonly asks: ChangeAsk[] = [];
  readonly calls: unknown[] = [];
  readonly lines: EventLine[] = [];
  readonly outcomes = new Map<string, Outcome>();
  document: Mutable<StatusDocument> = healthy();
  /** Called before each change is judged: another client. */
  meddle: (() => void) | null = null;
  dropped = 0;
  index = 10;
  readonly #listeners = new Set<(line: EventLine) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  put(path: string, text: string): void {
    this.tree.set(path, {
      kind: "file",
      data: new TextEncoder().encode(text),
      version: ++this.index,
    });
  }

  text(path: string): string {
    return new TextDecoder().decode(this.tree.get(path)?.data);
  }

  say(text: string, more: Partial<EventLine> = {}): void {
    const line: EventLine = {
      seq: (this.lines.at(-1)?.seq ?? this.dropped) + 1,
      at: "2026-11-22T11:00:01.123Z",
      node: "nodeA",
      stream: "heartbeat",
      text,
      routine: false,
      code: null,
      ...more,
    };
    this.lines.push(line);
    for (const listener of this.#listeners) listener(line);
  }

  status(): StatusDocument {
    return this.document;
  }
  streamView(stream: string): unknown {
    return { stream, links: [{ peer: "nodeB", up: true }] };
  }
  timing() {
    return timingTable(timingOf("fast"));
  }
  entry(path: string): TreeEntry | null {
    const row = this.tree.get(path);
    if (row === undefined) return null;
    const { kind, data, version } = row;
    return { path, kind, size: data.length, version, mtime: 0, writer: "nodeA" };
  }
  read(path: string): Uint8Array | null {
    const row = this.tree.get(path);
    return row?.kind === "file" ? row.data : null;
  }
  list(path: string): readonly TreeEntry[] | null {
    if (path !== "" && this.tree.get(path)?.kind !== "directory") return null;
    const prefix = path === "" ? "" : `${path}/`;
    return [...this.tree.keys()].sort()
      .filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes("/"))
      .map((key) => this.entry(key) as TreeEntry);
  }
  members() {
    const rest = { state: "online", lag: 0, note: "" };
    const members = ["nodeA", "nodeB"].map((name, at) => ({
      ...{ name, id: at + 1, self: at === 0, role: "voter" as const, leader: at === 0 },
      ...rest,
    }));
    return { leader: "nodeA", members };
  }
  promote(name: string): Promise<void> {
    if (name === "slow") {
      const why = `"${name}" is 7 entries behind, in round 3 of 10`;
      return Promise.reject(new ProblemError("config.learner-behind", why));
    }
    return this.#note({ promote: name });
  }
  removeMember(name: string): Promise<void> {
    if (name === "busy") {
      return Promise.reject(new ProblemError("config.member-in-use", `"${name}" has exec:web`));
    }
    return this.#note({ remove: name });
  }
  transferLead(name: string | null): Promise<string> {
    if (name === "off") {
      return Promise.reject(
        new ProblemError("config.cannot-transfer", `"${name}" does not answer`),
      );
    }
    this.calls.push({ transfer: name });
    return Promise.resolve(name ?? "nodeB");
  }
  forceSingle(request: ForceRequest): Promise<ForceAnswer> {
    this.calls.push({ force: request });
    if (this.document.quorate) {
      const why = "nodeA leads term 3, and is heard";
      return Promise.reject(new ProblemError("config.force-refused", why));
    }
    const others = [{ node: nodeId(2), name: "nodeB", answers: false }];
    const report = { lastIndex: 42, lastTerm: 3, applied: 42, others, register: null };
    const warnings = ["what nodeB committed behind index 42 is lost for good"];
    return Promise.resolve({ done: request.commit, report: { ...report, warnings } });
  }
  history(limit: number, path: string | null): Promise<readonly HistoryEntry[]> {
    this.calls.push({ history: { limit, path } });
    const entry = { txn_id: 0x7f3e, term: 2, author: "root@nodeA", reason: "api PUT", time: 1 };
    return Promise.resolve([{ ...entry, diff: ["ha/resources.cfg +120"], problem: null }]);
  }
  change(ask: ChangeAsk): Promise<Outcome> {
    this.asks.push(ask);
    const known = this.outcomes.get(ask.request ?? "");
    if (known !== undefined) return Promise.resolve(known);
    this.meddle?.();
    const outcome = this.#apply(ask);
    if (outcome.ok && ask.request !== undefined) this.outcomes.set(ask.request, outcome);
    return Promise.resolve(outcome);
  }
  #apply({ expect, operations }: ChangeAsk): Outcome {
    if (!this.document.quorate) {
      return { ok: false, problem: { code: "config.no-quorum", why: "1 of 2 votes" } };
    }
    for (const { path, version } of expect) {
      const now = this.tree.get(path)?.version ?? 0;
      if (now === version) continue;
      const why = `"${path}" has version ${now}, not ${version}`;
      return { ok: false, problem: { code: "config.version-mismatch", why } };
    }
    this.index++;
    for (const operation of operations) this.#operate(operation);
    return { ok: true, index: this.index, crc32: 7 };
  }
  #operate(operation: Operation): void {
    const { path } = operation;
    const version = this.index;
    if (operation.op === "remove" || operation.op === "rmdir") this.tree.delete(path);
    else if (operation.op === "mkdir") {
      this.tree.set(path, { kind: "directory", data: new Uint8Array(0), version });
    } else {
      const data = operation.op === "write" ? operation.data : new Uint8Array(0);
      this.tree.set(path, { kind: "file", data, version });
    }
  }
  barrier(): Promise<void> {
    this.calls.push("barrier");
    if (this.document.quorate) return Promise.resolve();
    return Promise.reject(new ProblemError("config.no-quorum", "no majority answered"));
  }
  eventsAfter(after: number) {
    const lines = this.lines.filter((line) => line.seq > after);
    return { lines, gap: after > 0 && after < this.dropped };
  }
  onEvent(listener: (line: EventLine) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  init(ask: InitAsk): Promise<void> {
    return this.#note({ init: ask });
  }
  join(ask: JoinAsk): Promise<void> {
    if (ask.ticket === "bad") {
      return Promise.reject(new ProblemError("join.bad-ticket", "it was used already"));
    }
    return this.#note({ join: ask });
  }
  leave(): Promise<void> {
    return this.#note("leave");
  }
  newTicket(minutes: number): Promise<string> {
    this.calls.push({ ticket: minutes });
    return Promise.resolve("pentad-ticket-abc");
  }
  confirmDead(node: string): Promise<void> {
    return this.#note({ dead: node });
  }
  async formatDisk(path: string, commit: boolean) {
    await this.#note({ format: path, commit });
    return { uuid: "00".repeat(16), found: "nothing" };
  }
  shutdown(): Promise<void> {
    return this.#note("shutdown");
  }
  #note(what: unknown): Promise<void> {
    this.calls.push(what);
    return Promise.resolve();
  }
}

/** Two nodes, all well. */
export function healthy(): Mutable<StatusDocument> {
  const node = (name: string, id: number, self: boolean) => ({
    name,
    id,
    self,
    role: "voter" as const,
    state: "online",
    vote: 1,
    links: self ? "self" : "1/1",
    rtt_ms: self ? null : 0.4,
    disk_pulse_s: 1,
    armed: true,
    load: 0.8,
    memory: 0.42,
    io_delay: 0,
    resources: self ? ["exec:web"] : [],
  });
  return {
    schema: "pentad.status/1",
    cluster: { name: "prod-a", id: "ab".repeat(16), profile: "fast" },
    node: { name: "nodeA", id: 1, boot: "0123456789abcdef" },
    at: "2026-11-22T09:04:00.000Z",
    quorate: true,
    votes: { present: 3, expected: 3, needed: 2 },
    armed: true,
    watchdog: "softdog",
    guard: { state: "held", margin_ms: 900 },
    dc: "nodeA",
    dc_epoch: 3,
    leader: "nodeA",
    nodes: [node("nodeA", 1, true), node("nodeB", 2, false)],
    streams: [{ name: "heartbeat", state: "ok", now: "view 88: nodeA nodeB" }],
    resources: [
      { id: "exec:web", state: "started", wanted: "started", node: "nodeA", reason: "placed" },
    ],
    config: { version: 412, term: 2, index: 412, crc32: "0xa4f2c1e8", writable: true },
    mount: { path: "/etc/pve", state: "mounted", why: null },
  };
}
