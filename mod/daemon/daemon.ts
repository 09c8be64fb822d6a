/**
 * The daemon: a host that is no member yet, or the running member of a cluster, behind one face.
 *
 * @module
 */
import type {
  InitAsk,
  JoinAsk,
  RestoreAsk,
  RestoreReport,
  RunningNode,
  Stamp,
  TreeEntry,
} from "../api/running_node.ts";
import type { MembershipNode } from "../api/membership_node.ts";
import type { StorageNode } from "../api/storage_node.ts";
import type { TicketNode } from "../api/ticket_node.ts";
import { toHex } from "../base/bytes.ts";
import { nameOf } from "../base/cluster.ts";
import { bootId, type ResourceId } from "../base/id.ts";
import { type ProblemCode, ProblemError } from "../base/problem.ts";
import type { VerifyReport } from "../base/verify_report.ts";
import { KEY_BYTES } from "../base/seal.ts";
import type { Settings } from "../base/settings.ts";
import { timingOf, type TimingRow, timingTable } from "../base/timing.ts";
import { type EventLine, type MountStatus, type StatusDocument, statusOf } from "../node/mod.ts";
import { NodeRuntime } from "../runtime/mod.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import type { Description } from "../join/mod.ts";
import { makeDatabase } from "../host/linux/database.ts";
import { ArchivePool } from "./archive_pool.ts";
import { Belonging } from "./belonging.ts";
import { describeHost } from "./describe.ts";
import { DiskTests } from "./disk_tests.ts";
import { firstSpec, FOUNDER } from "./found.ts";
import { keepKeys } from "./key_renewal.ts";
import { joinCluster } from "./join_client.ts";
import { type FormatAnswer, type FormatAsk, formatDisk } from "./format_disk.ts";
import { goInOrder, leaveCluster } from "./leave.ts";
import { readOutput } from "../host/linux/output.ts";
import { DiskProcessPort } from "../host/linux/disk_process.ts";
import { treeGroup } from "../host/linux/tree_group.ts";
import { linuxPorts } from "./ports.ts";
import { Recorder } from "./recorder.ts";
import { mountingOf, type Running, surround } from "./running.ts";
import { claimMachine, type Identity, onDisk, readIdentity, retireIdentity } from "./state.ts";
import { writeIdentity } from "./state.ts";

/** A node whose database cannot be written stays readable for so long before its process ends. */
const FAILED_MS = 60_000;
/** What does not pass by itself at once: to start again and again would not help. */
const WAITS: readonly ProblemCode[] = ["node.disk-full", "node.disk-read-only"];

const NO_MOUNT: MountStatus = { path: null, state: "off", why: null };

/** One host. See the module's note. */
export class Daemon implements RunningNode {
  readonly #settings: Settings;
  readonly #selfCommand: readonly string[];
  readonly #recorder: Recorder;
  readonly #pool = new ArchivePool();
  readonly #belonging: Belonging;
  readonly #onEnd: (code: number, why: string) => void;
  #running: Running | null = null;
  #starting = false;
  #failed: { readonly code: ProblemCode; readonly why: string } | null = null;
  #failedFor: ReturnType<typeof setTimeout> | undefined;

  /** `onEnd` is called when the process must end: 0 for an orderly stop, 70 for a fatal fault. */
  constructor(
    settings: Settings,
    selfCommand: readonly string[],
    onEnd: (code: number, why: string) => void,
  ) {
    this.#settings = settings;
    this.#selfCommand = selfCommand;
    this.#onEnd = onEnd;
    this.#recorder = new Recorder(() => settings.name);
    this.#belonging = new Belonging(settings.state);
  }

  /**
   * Goes on as the member that the state directory says, if it says one; with `acceptMachine` on this
   * machine too, where it was made on another.
   */
  async start(acceptMachine = false): Promise<void> {
    const { state } = this.#settings;
    const identity = readIdentity(state);
    if (identity === null) return;
    claimMachine(state, identity, { accepted: acceptMachine });
    await this.#begin(identity);
  }

  /** False where the cores have not run for longer than they ever rest: the loop hangs. */
  isAlive(): boolean {
    const runtime = this.#running?.runtime;
    if (runtime === undefined || this.#failed !== null) return true;
    const { deadMs } = timingOf(runtime.spec.profile);
    return runtime.turned === null || runtime.now() - runtime.turned < deadMs;
  }

  status(): StatusDocument {
    const { name } = this.#settings;
    const at = new Date().toISOString();
    const backup = this.#running?.backups.status() ?? null;
    const mount = this.#running?.mounting?.status() ?? NO_MOUNT;
    const [failed, { cluster }] = [this.#failed, this.#belonging];
    return statusOf(this.#running?.runtime ?? null, { name, at, backup, mount, failed, cluster });
  }

  stamp(): Stamp {
    const runtime = this.#running?.runtime ?? null;
    if (runtime === null) return { node: this.#settings.name, quorate: false, version: 0 };
    const node = nameOf(runtime.spec, runtime.self);
    const quorate = this.#failed === null && runtime.board.view?.quorate === true;
    return { node, quorate, version: runtime.node.config.applied };
  }

  streamView(stream: "heartbeat" | "config" | "ha"): unknown {
    return this.#reader().runtime.node[stream].view();
  }

  get storage(): StorageNode {
    return this.#reader().disks;
  }

  readonly resourceOutput = (id: ResourceId) => readOutput(this.#settings.run, id);
  timing(): readonly TimingRow[] {
    return timingTable(timingOf(this.#running?.runtime.spec.profile ?? "standard"));
  }

  entry(path: string): TreeEntry | null {
    return this.#reader().member.entry(path);
  }

  read(path: string): Uint8Array | null {
    return this.#reader().runtime.node.config.read(path);
  }

  list(path: string): readonly TreeEntry[] | null {
    return this.#reader().member.list(path);
  }

  readonly history: RunningNode["history"] = (ask) => this.#member().desk.list(ask);
  readonly transaction: RunningNode["transaction"] = (txn) => this.#member().desk.transaction(txn);
  readonly undo: RunningNode["undo"] = (ask) => this.#member().desk.undo(ask);
  readonly diff: RunningNode["diff"] = (from, to, path) => this.#member().desk.diff(from, to, path);

  readonly exportTree: RunningNode["exportTree"] = (at) => this.#member().desk.exportTree(at);
  readonly applied: RunningNode["applied"] = () => this.#member().desk.applied();
  readonly changesAfter: RunningNode["changesAfter"] = (index) =>
    this.#member().desk.changesAfter(index);
  readonly onApplied: RunningNode["onApplied"] = (listener) =>
    this.#member().desk.onApplied(listener);
  readonly resourceLog: RunningNode["resourceLog"] = (ask) => this.#reader().desk.resourceLog(ask);
  readonly verify = (): Promise<VerifyReport> => this.#member().member.verify();

  readonly backup: RunningNode["backup"] = (file) => this.#member().backups.make(file);

  async restore({ file, alone }: RestoreAsk): Promise<RestoreReport> {
    this.#mustBeFree();
    // It takes its time; nothing else may become of this host meanwhile.
    this.#starting = true;
    try {
      const { name, links, peer, state } = this.#settings;
      const self = { name, links, peer };
      onDisk(() => retireIdentity(state, `before-${Date.now()}`));
      const ask = { file, directory: state, self, alone };
      const { identity, applied, at } = await this.#pool.ask("restore", ask);
      // From here on the host is a member, whenever it is started.
      onDisk(() => writeIdentity(state, identity));
      await this.#begin(identity);
      return { cluster: identity.spec.name, id: identity.spec.id, txn_id: applied, at };
    } finally {
      this.#starting = false;
    }
  }

  readonly change: RunningNode["change"] = (ask) => this.#member().member.change(ask);

  barrier(): Promise<void> {
    return this.#member().member.barrier();
  }

  eventsAfter(after: number): { readonly lines: readonly EventLine[]; readonly gap: boolean } {
    return this.#recorder.after(after);
  }

  onEvent(listener: (line: EventLine) => void): () => void {
    return this.#recorder.listen(listener);
  }

  async init(ask: InitAsk): Promise<void> {
    this.#mustBeFree();
    let spec = firstSpec(this.#settings, ask);
    if (ask.disk !== null) {
      for (const each of [ask.disk, ...ask.with]) this.#mustKnow(each);
      const format = { cluster: spec.id, clusterName: spec.name, self: FOUNDER };
      const { uuid } = await this.#format(ask.disk, { ...format, with: ask.with, commit: true });
      spec = { ...spec, witness: { disk: uuid } };
    }
    this.#mustBeFree();
    const clusterKey = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
    await this.#become({ node: FOUNDER, clusterKey, spec });
  }

  async join(ask: JoinAsk): Promise<void> {
    this.#mustBeFree();
    if (ask.disk !== null) this.#mustKnow(ask.disk);
    const { name, links, peer } = this.#settings;
    const identity = await joinCluster(ask.ticket, { name, links, peer });
    // While it was on its way, this host may have become a member by another.
    this.#mustBeFree();
    await this.#become(identity);
  }

  describe(): Description {
    const running = this.#running;
    const isMember = this.#belonging.cluster !== null;
    if (running === null && isMember) throw this.#belonging.absence(this.#settings.name);
    const mount = running?.mounting?.status() ?? NO_MOUNT;
    const mounted = mount.state === "mounted" ? mount.path : null;
    return describeHost(running?.runtime ?? null, this.#settings, mounted);
  }

  async leave(): Promise<void> {
    const { runtime, member } = this.#member();
    await leaveCluster(runtime, member);
    await this.#halt();
    onDisk(() => retireIdentity(this.#settings.state, String(Date.now())));
    this.#belonging.ends();
  }

  get membership(): MembershipNode {
    return this.#member().membership;
  }

  get tickets(): TicketNode {
    return this.#member().tickets;
  }

  readonly renewKey: RunningNode["renewKey"] = (ask) => this.#member().renewal.step(ask);

  confirmDead(node: string): Promise<void> {
    this.#member().member.confirmDead(node);
    return Promise.resolve();
  }

  async formatDisk(
    path: string,
    how: { readonly with: readonly string[]; readonly commit: boolean },
  ): Promise<FormatAnswer> {
    const { spec, self } = this.#member().runtime;
    for (const each of [path, ...how.with]) this.#mustKnow(each);
    return await this.#format(path, { cluster: spec.id, clusterName: spec.name, self, ...how });
  }

  async shutdown(how: ShutdownHow = "stop"): Promise<void> {
    let stays = false;
    clearTimeout(this.#failedFor);
    if (this.#running !== null) {
      // A node that failed is stopped already.
      if (this.#failed === null) stays = await goInOrder(this.#running, how);
      await this.#halt();
    }
    this.#pool.close();
    this.#onEnd(0, stays ? "stopped; what runs here goes on" : "stopped in order");
  }

  async #format(path: string, ask: FormatAsk): Promise<FormatAnswer> {
    const port = new DiskProcessPort({ selfCommand: this.#selfCommand });
    try {
      return await formatDisk(port, path, ask);
    } finally {
      await port.close();
    }
  }

  async #become(identity: Identity): Promise<void> {
    // A database without an identity is what an interrupted leave left: never this member's.
    const { state } = this.#settings;
    onDisk(() => {
      retireIdentity(state, `before-${Date.now()}`);
      makeDatabase(state);
      writeIdentity(state, identity);
    });
    await this.#begin(identity);
  }

  async #begin(identity: Identity): Promise<void> {
    const settings = this.#settings;
    const boot = bootId(toHex(crypto.getRandomValues(new Uint8Array(8))));
    const ports = linuxPorts(settings, this.#selfCommand);
    this.#starting = true;
    this.#belonging.begins(identity.spec);
    const say = (text: string) => {
      this.#recorder.write({ stream: "storage", text, routine: false, code: null });
    };
    const tests = new DiskTests(settings.state, say);
    await tests.load();
    let begun: Running | null = null;
    const running = await new Promise<Running>((resolve, reject) => {
      let running: Running | null = null;
      const runtime = new NodeRuntime(ports, {
        self: identity.node,
        boot,
        clusterKey: identity.clusterKey,
        otherKey: identity.otherKey ?? null,
        spec: identity.spec,
        disks: settings.disks,
        tests: (now) => tests.past(now),
        bind: settings.bind,
        groupId: treeGroup(),
        onFact: (fact) => {
          running?.member.onFact(fact);
          running?.desk.onFact(fact);
          tests.onFact(fact);
        },
        onSaying: (saying) => this.#recorder.say(saying),
        // A database never answers within its own opening: what follows has run by then.
        storeKeys: (keys, done) => done(keepKeys(settings.state, keys, this.#recorder)),
        onReady: () => running && resolve(running),
        onFatal: (why, code) => {
          reject(new ProblemError(code, why));
          this.#onFatal(code, why);
        },
      });
      const [pool, recorder] = [this.#pool, this.#recorder];
      running = begun = surround({ runtime, ports, identity, settings, pool, recorder, tests });
    }).catch(async (error) => {
      // What goes on would keep the process from ending.
      begun?.backups.stop();
      await ports.close();
      this.#belonging.ends();
      throw error;
    }).finally(() => this.#starting = false);
    this.#running = running;
    running.mounting = mountingOf(settings, running.runtime, this.#recorder);
    this.#recorder.write({
      stream: "node",
      text: `${settings.name} runs, boot=${boot.slice(0, 8)}`,
      routine: false,
      code: null,
    });
  }

  /**
   * The node is stopped: it beats, votes, acknowledges and renews nothing any more. Where only a
   * person can help the daemon stays for a while and lets itself be read; then the next one tries.
   */
  #onFatal(code: ProblemCode, why: string): void {
    const { message } = new ProblemError(code, why);
    if (this.#running === null || !WAITS.includes(code)) return this.#onEnd(1, message);
    this.#failed = { code, why };
    this.#recorder.write({ stream: "config", text: message, routine: false, code: null });
    this.#failedFor = setTimeout(() => this.#onEnd(1, message), FAILED_MS);
  }

  async #halt(): Promise<void> {
    const running = this.#running;
    // While the node still answers: what programs have written is committed.
    await running?.mounting?.stop();
    // So that whoever reads the files finds all that this node knew.
    await running?.desk.flushed().catch(() => {});
    this.#running = null;
    if (running === null) return;
    this.#belonging.stops(running.runtime.spec);
    running.backups.stop();
    running.runtime.stop();
    running.member.stop();
    await running.tests.flushed();
    await running.ports.close();
  }

  /** Who can do something. */
  #member(): Running {
    if (this.#failed !== null) throw new ProblemError(this.#failed.code, this.#failed.why);
    return this.#reader();
  }

  /** Who can be read, even where it can do nothing any more. */
  #reader(): Running {
    if (this.#running !== null) return this.#running;
    throw this.#belonging.absence(this.#settings.name);
  }

  #mustBeFree(): void {
    const idle = this.#running === null && !this.#starting;
    if (idle && readIdentity(this.#settings.state) === null) return;
    throw new ProblemError("join.already-member", `"${this.#settings.state}" holds a membership`);
  }

  #mustKnow(disk: string): void {
    if (this.#settings.disks.includes(disk)) return;
    throw new ProblemError("settings.invalid", `"${disk}" is not among "disks" of the settings`);
  }
}
