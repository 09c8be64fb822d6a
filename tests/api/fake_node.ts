/** A node without streams: a tree in memory, a conversation in an array. For tests of API and CLI. */
import type { VerifyReport } from "../../mod/base/verify_report.ts";
import { assert } from "../../mod/base/assert.ts";
import { nodeId } from "../../mod/base/id.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import type {
  AddressChange,
  BackupReport,
  ChangeAsk,
  ChangeEvent,
  ChangePage,
  ForceAnswer,
  ForceRequest,
  HistoryList,
  HistoryPageAsk,
  InitAsk,
  JoinAsk,
  MembershipNode,
  PathEvent,
  ReaddressAsk,
  RenewKeyAnswer,
  RenewKeyAsk,
  ResourceLog,
  ResourceLogAsk,
  RestoreAsk,
  RestoreReport,
  RunningNode,
  Stamp,
  TicketNode,
  TransactionDetail,
  TreeDiff,
  TreeEntry,
  UndoAnswer,
  UndoAsk,
} from "../../mod/api/mod.ts";
import type { FileDiffs, Point } from "../../mod/config/mod.ts";
import type { StoryLine } from "../../mod/ha/mod.ts";
import { timingOf, timingTable } from "../../mod/base/timing.ts";
import type { Description } from "../../mod/join/mod.ts";
import type { EventLine, StatusDocument } from "../../mod/node/view.ts";
import { BINARY_DIFF, RENEWALS, TEXT_DIFF, TICKETS } from "./fake_states.ts";
import { FakeStorage } from "./fake_storage.ts";
import { healthy, type Mutable } from "./healthy.ts";
import type { Operation, Outcome } from "../../mod/streams.ts";
import type { TicketState } from "../../mod/base/ticket_state.ts";

export { BINARY_DIFF, TEXT_DIFF };

interface Row {
  kind: "file" | "directory";
  data: Uint8Array;
  version: number;
}

const LINE = {
  ...{ txn_id: 0x7f3e, term: 2, author: "root@nodeA", reason: "api PUT", time: 1 },
  ...{ diff: ["ha/resources.cfg +120"], problem: null },
};
export class FakeNode implements RunningNode, MembershipNode {
  readonly membership: MembershipNode = this;
  readonly calls: unknown[] = [];
  readonly storage: FakeStorage = new FakeStorage(this.calls);
  readonly tree = new Map<string, Row>();
  readonly asks: ChangeAsk[] = [];
  readonly lines: EventLine[] = [];
  readonly outcomes = new Map<string, Outcome>();
  document: Mutable<StatusDocument> = healthy();
  /** Called before each change is judged: another client. */
  meddle: (() => void) | null = null;
  dropped = 0;
  readonly changes: ChangeEvent[] = [];
  readonly appliedListeners = new Set<() => void>();
  /** Called when a watcher leaves. */
  onForget: () => void = () => {};
  pageSize = 100;
  lost = 0;
  diffs: FileDiffs = { files: [TEXT_DIFF, BINARY_DIFF], omitted: 0 };
  exported = "";
  index = 10;
  ticketStates: readonly TicketState[] = TICKETS;
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
  stamp(): Stamp {
    const { node, quorate, config } = this.status();
    return { node: node?.name ?? null, quorate, version: config.version };
  }
  streamView(stream: string): unknown {
    return { stream, links: [{ peer: "nodeB", up: true }] };
  }
  readonly story: StoryLine[] = [];
  resourceLog({ id, limit }: ResourceLogAsk): Promise<ResourceLog> {
    this.calls.push({ resourceLog: { id, limit } });
    return Promise.resolve({ id, lines: this.story, more: false, since: 0 });
  }
  readonly resourceOutput = (id: string) => Promise.resolve(id === "exec:web" ? "hello\n" : "");
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
  rename(name: string, to: string): Promise<void> {
    if (name === "busy") {
      const why = '"busy" has exec:web: move them away first';
      return Promise.reject(new ProblemError("config.rename-refused", why));
    }
    return this.#note({ rename: [name, to] });
  }
  /** What {@link readdress} finds in the settings. */
  ownAddresses = { links: ["192.0.2.9:5405"], peer: "192.0.2.9:5406" };
  readdress(ask: ReaddressAsk | null): Promise<AddressChange> {
    this.calls.push(ask === null ? "readdress" : { readdress: ask.name, risk: ask.acceptCutOff });
    if (ask?.acceptCutOff === false && ask.name === "nodeB") {
      const why = '"nodeB" is online at its old addresses';
      return Promise.reject(new ProblemError("config.readdress-refused", why));
    }
    const before = { links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" };
    const after = ask === null ? this.ownAddresses : { links: ask.links, peer: ask.peer };
    return Promise.resolve({ node: ask?.name ?? "nodeA", before, after });
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
  history(ask: HistoryPageAsk): Promise<HistoryList> {
    this.calls.push({ history: ask });
    const limits = { bytes: 268_435_456, seconds: 34_560_000, kept: 1000 };
    const next = ask.limit === 1 ? 0x7f3e : null;
    return Promise.resolve({ entries: [LINE], next, oldest: 7, since: 6, limits });
  }
  transaction(txn: number): Promise<TransactionDetail> {
    this.calls.push({ transaction: txn });
    const { path } = TEXT_DIFF;
    const operation = { op: "write", path, to: null, offset: 0, size: 4, mtime: null } as const;
    return Promise.resolve({
      ...{ ...LINE, txn_id: txn, node: "nodeA", request: "00000000000000aa", why: null },
      ...{ operations: [operation], kept: true, ...this.diffs },
    });
  }
  diff(from: Point, to: Point, path: string | null): Promise<TreeDiff> {
    this.calls.push({ diff: [from, to, path] });
    return Promise.resolve({ from: 1, to: 2, ...this.diffs });
  }
  undo(ask: UndoAsk): Promise<UndoAnswer> {
    this.calls.push({ undo: ask });
    if (ask.dryRun) return Promise.resolve({ index: null, crc32: null, ...this.diffs });
    return Promise.resolve({ index: ++this.index, crc32: 7, ...this.diffs });
  }
  exportTree(at: Point): Promise<ReadableStream<Uint8Array>> {
    this.calls.push({ exportTree: at });
    return Promise.resolve(ReadableStream.from([new TextEncoder().encode(this.exported)]));
  }
  applied(): number {
    return this.index;
  }
  changesAfter(index: number): Promise<ChangePage> {
    const newer = this.changes.filter(({ txn_id }) => txn_id > index);
    const events = newer.slice(0, this.pageSize);
    const more = events.length < newer.length;
    const upTo = more ? events.at(-1)?.txn_id ?? index : Math.max(index, this.index);
    const lostBefore = this.lost > index ? this.lost : null;
    return Promise.resolve({ events, upTo, more, lostBefore });
  }
  onApplied(listener: () => void): () => void {
    this.appliedListeners.add(listener);
    return () => {
      this.appliedListeners.delete(listener);
      this.onForget();
    };
  }
  /** A transaction that changed the tree is applied. */
  applies(changes: readonly PathEvent[], txn_id = this.index + 1): void {
    this.index = txn_id;
    this.changes.push({ txn_id, time: 1, author: "root@nodeA", reason: "api PUT", changes });
    for (const listener of this.appliedListeners) listener();
  }
  /** What {@link verify} finds. */
  report: VerifyReport = {
    rows: { log: 40, tree: 20, locks: 1, requests: 30, history: 30 },
    ...{ applied: 412, damaged: [], count: 0 },
  };
  verify(): Promise<VerifyReport> {
    return Promise.resolve(this.report);
  }
  backup(file: string | null): Promise<BackupReport> {
    this.calls.push({ backup: file });
    const report = { bytes: 4096, txn_id: 412, at: "2026-11-22T09:04:00.000Z" };
    return Promise.resolve({ file: file ?? "/state/backup/config.db", ...report });
  }
  restore(ask: RestoreAsk): Promise<RestoreReport> {
    this.calls.push({ restore: ask });
    const at = "2026-11-22T09:04:00.000Z";
    if (ask.alone) {
      return Promise.resolve({ cluster: "prod-a", id: "cd".repeat(16), txn_id: 412, at });
    }
    const why = '"prod-a" had other members: nodeB';
    return Promise.reject(new ProblemError("config.not-alone", why));
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
  describe(): Description {
    return {
      schema: "pentad.join-describe/1",
      version: "0.0.0",
      join: 1,
      cluster: { id: "0".repeat(32), name: "prod" },
      node: "nodeA",
      quorate: true,
      time_ms: 0,
      mount: "/etc/pve",
      nodes: [{ name: "nodeA", links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" }],
      guests: ["100"],
    };
  }
  readonly tickets: TicketNode = {
    make: (minutes) => {
      this.calls.push({ ticket: minutes });
      return Promise.resolve({ ticket: "pentad-ticket-abc", id: "00112233" });
    },
    list: () => this.ticketStates,
    revoke: (id) => {
      this.calls.push({ revoke: id });
      const found = this.ticketStates.find((each) => id.startsWith(each.id));
      if (found !== undefined) return Promise.resolve(found);
      return Promise.reject(new ProblemError("join.no-such-ticket", `none begins with "${id}"`));
    },
  };
  /** What {@link renewKey} answers, one after the other; the last for ever. */
  renewals: RenewKeyAnswer[] = [...RENEWALS];
  renewKey(ask: RenewKeyAsk): Promise<RenewKeyAnswer> {
    this.calls.push({ renewKey: ask.how });
    const [first] = this.renewals;
    if (this.renewals.length > 1) this.renewals.shift();
    assert(first !== undefined, "There is an answer");
    return Promise.resolve(first);
  }
  confirmDead(node: string): Promise<void> {
    return this.#note({ dead: node });
  }
  async formatDisk(
    path: string,
    how: { readonly with: readonly string[]; readonly commit: boolean },
  ) {
    await this.#note({ format: path, ...how });
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
