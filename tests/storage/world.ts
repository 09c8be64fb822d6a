/**
 * A shared disk and the cores on it, in virtual time: calls take random time, the disk is atomic.
 *
 * @module
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../mod/base/bytes.ts";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import type { PastTest } from "../../mod/base/disk_test.ts";
import { bootId, clusterId, type NodeId, nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { reason } from "../../mod/base/reason.ts";
import { EPOCH, instant, NEVER } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import {
  allows,
  FRESH,
  type LunState,
  preempt,
  register,
  report,
  reserve,
  unregister,
} from "../../mod/host/linux/lun_state.ts";
import type { DiskFailure } from "../../mod/host/ports.ts";
import { StorageCore } from "../../mod/storage/core.ts";
import type { DiskCall, DiskResult, StorageEvent } from "../../mod/storage/events.ts";
import { freshBlocks } from "../../mod/storage/format.ts";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { AREA_BYTES, encodeRegister } from "../../mod/storage/layout.ts";
import { parseKey } from "../../mod/storage/reservation.ts";
import type { Fact, MemberState, Request, StorageFact, Vitals } from "../../mod/streams.ts";

export const CLUSTER = clusterId("c0ffee00112233445566778899aabbcc");
export const UUID = "00112233445566778899aabbccddeeff";
export const TIMING = timingOf("fast");

/** A pair of voters with a witness disk. */
export function pairSpec(): ClusterSpec {
  const member = (id: number, name: string) => ({
    id: nodeId(id),
    name,
    role: "voter" as const,
    votes: 1,
    links: [`127.0.0.${id}:5405`],
    peer: `127.0.0.${id}:5406`,
  });
  return {
    id: CLUSTER,
    name: "pair",
    profile: "fast",
    members: [member(1, "nodeA"), member(2, "nodeB")],
    witness: { disk: UUID },
  };
}

interface Life {
  readonly boot: string;
  readonly seed: number;
  readonly disks: readonly SharedDisk[];
  readonly tests: readonly PastTest[];
}

/** One shared disk. */
interface SharedDisk {
  readonly uuid: string;
  readonly data: Uint8Array;
  state: LunState;
}

/** Uuids of the disks of a world, the first of which the cluster names; in rising order. */
export const UUIDS = [UUID, "1".repeat(32), "2".repeat(32)];

/** A host: one core, one nexus per opening. */
export class Host {
  readonly id: NodeId;
  readonly core: StorageCore;
  readonly facts: StorageFact[] = [];
  readonly said: string[] = [];
  /** Codes of all reasons that it gave. */
  readonly codes = new Set<string>();
  readonly nexuses: string[];
  /** No call gets to any disk. */
  cut = false;
  /** Disks that no call gets to. */
  readonly cutDisks = new Set<number>();
  dead = false;

  constructor(id: number, now: number, life: Life) {
    this.id = nodeId(id);
    const disks = life.disks.map((_, at) => `/lun${at === 0 ? "" : at}`);
    const options = { self: this.id, boot: bootId(life.boot), spec: pairSpec(), disks };
    this.nexuses = disks.map(() => "");
    const { seed, tests } = life;
    this.core = new StorageCore({ ...options, seed, tests }, instant(now));
  }

  /** Facts of one kind, in order. */
  told<F extends StorageFact["fact"]>(fact: F): Extract<StorageFact, { fact: F }>[] {
    return this.facts.filter((each): each is Extract<StorageFact, { fact: F }> =>
      each.fact === fact
    );
  }

  get nexus(): string {
    return this.nexuses[0] ?? "";
  }

  get held(): boolean {
    return this.core.view().witnessHeld;
  }
}

/** The world. */
export class World {
  readonly prng: Prng;
  readonly hosts: Host[] = [];
  readonly disks: readonly SharedDisk[];
  /** No disk knows COMPARE AND WRITE. */
  plain = false;
  /** Every target has PREEMPT AND ABORT. */
  aborts = true;
  /** No target refuses the writes of who is not registered. */
  open = false;
  now = 1000;
  #queue: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  #nexus = 0;

  /** `disks` of more than one judge together, but for `data` of them, which only hold data. */
  constructor(
    seed: number,
    { set = [1, 2], disks = 1, data = 0 }: {
      readonly set?: readonly number[];
      readonly disks?: number;
      readonly data?: number;
    } = {},
  ) {
    this.prng = new Prng(seed);
    const judges = UUIDS.slice(0, disks - data);
    this.disks = UUIDS.slice(0, disks).map((uuid, at) => {
      const group = judges.length > 1 && at < judges.length ? judges : [];
      const disk = { uuid, data: new Uint8Array(AREA_BYTES), state: FRESH };
      const input = { uuid, cluster: CLUSTER, clusterName: "pair", self: nodeId(1), group };
      for (const { offset, bytes } of freshBlocks({ ...input, wallSeconds: 0 })) {
        disk.data.set(bytes, offset);
      }
      if (set.length !== 1) bothMayCommit(disk);
      return disk;
    });
  }

  /** The first disk, of which most stories tell. */
  get data(): Uint8Array {
    return this.disk(0).data;
  }

  get state(): LunState {
    return this.disk(0).state;
  }

  set state(state: LunState) {
    this.disk(0).state = state;
  }

  disk(at: number): SharedDisk {
    const disk = this.disks[at];
    assert.ok(disk !== undefined);
    return disk;
  }

  /** `clear`: stream 3 found that nothing runs there. */
  boot(
    id: number,
    boot = `${id}`.repeat(16),
    { clear = true, tests = [] }: {
      readonly clear?: boolean;
      readonly tests?: readonly PastTest[];
    } = {},
  ): Host {
    const life = { boot, seed: this.prng.u32(), disks: this.disks, tests };
    const host = new Host(id, this.now, life);
    this.hosts.push(host);
    this.feed(host, { kind: "tick" });
    if (clear) this.fact(host, { fact: "ha.clear" });
    return host;
  }

  fact(host: Host, fact: Fact): void {
    this.feed(host, { kind: "fact", fact });
  }

  request(host: Host, request: Request): void {
    this.feed(host, { kind: "request", request });
  }

  /** What stream 1 would say of a peer. */
  member(host: Host, node: number, state: MemberState, diskLocks = 0): void {
    const vitals = vitalsOf(diskLocks);
    const health = { node: nodeId(node), state, boot: null, lastHeard: EPOCH, vouched: EPOCH };
    const because = reason("heartbeat.started", {});
    this.fact(host, { fact: "heartbeat.member", health: { ...health, vitals }, because });
  }

  /** Stream 1 knows a peer's life, and nothing of it now. */
  life(host: Host, node: number, boot: string): void {
    const health = {
      node: nodeId(node),
      state: "unknown" as const,
      boot: bootId(boot),
      vitals: null,
    };
    const because = reason("heartbeat.started", {});
    const never = { lastHeard: EPOCH, vouched: EPOCH };
    this.fact(host, { fact: "heartbeat.member", health: { ...health, ...never }, because });
  }

  /** What stream 3 says of this node itself. */
  vitals(host: Host, diskLocks: number, resources = 0): void {
    this.fact(host, { fact: "ha.vitals", vitals: { ...vitalsOf(diskLocks), resources } });
  }

  /** A majority heard what this node sent just now. */
  heard(host: Host): void {
    this.fact(host, { fact: "heartbeat.proof", provenAt: instant(this.now) });
  }

  empty(host: Host, boot: string): void {
    this.fact(host, { fact: "ha.empty", boot: bootId(boot) });
  }

  guard(host: Host, state: "held" | "lapsed"): void {
    const because = reason("ha.guard-held", { ms: 0 });
    this.fact(host, { fact: "ha.guard", state, until: instant(this.now + 100), because });
  }

  /** Runs everything that happens within `ms`. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.#queue.reduce((a, b) => (b.at - a.at || b.order - a.order) < 0 ? b : a, {
        at: NEVER as number,
        order: Infinity,
        run: () => {},
      });
      const live = this.hosts.filter(({ dead }) => !dead);
      const due = live.reduce((at, host) => Math.min(at, host.core.deadline()), NEVER as number);
      const at = Math.max(this.now, Math.min(next.at, due));
      if (at > end) break;
      this.now = at;
      if (next.at <= at) {
        this.#queue = this.#queue.filter((each) => each !== next);
        next.run();
      } else {
        const host = live.find(({ core }) => core.deadline() <= at);
        assert.ok(host !== undefined);
        this.feed(host, { kind: "tick" });
        assert.ok(host.core.deadline() > at, "a tick does what was due");
      }
    }
    this.now = end;
  }

  feed(host: Host, event: StorageEvent): void {
    if (host.dead) return;
    for (const effect of host.core.step(event, instant(this.now))) {
      if (effect.kind === "tell") {
        host.facts.push(effect.fact as StorageFact);
        if ("because" in effect.fact) host.codes.add(effect.fact.because.code);
      } else if (effect.kind === "say") {
        host.said.push(effect.saying.text);
        if (effect.saying.because !== null) host.codes.add(effect.saying.because.code);
      } else if (effect.kind === "disk") this.#call(host, effect);
    }
  }

  #call(host: Host, { disk: at, tag, call }: { disk: number; tag: number; call: DiskCall }): void {
    const answer = (result: DiskResult) => this.feed(host, { kind: "disk", disk: at, tag, result });
    if (host.cut || host.cutDisks.has(at)) {
      const failure = { failure: "hung", detail: "no answer in time" } as const;
      return this.#later(TIMING.diskCallMs, () => answer({ result: "failed", failure }));
    }
    if (call.call === "open") host.nexuses[at] = `${++this.#nexus}`.padStart(16, "0");
    const nexus = host.nexuses[at] ?? "";
    this.#later(this.prng.between(1, 20), () => {
      const result = this.#execute(this.disk(at), nexus, call);
      this.#later(this.prng.between(1, 20), () => answer(result));
    });
  }

  #execute(disk: SharedDisk, nexus: string, call: DiskCall): DiskResult {
    const { data, state } = disk;
    switch (call.call) {
      case "open":
        return { result: "opened", kind: "file", sizeBytes: AREA_BYTES };
      case "read":
        return { result: "bytes", bytes: data.slice(call.offset, call.offset + call.length) };
      case "write":
        if (!this.open && !allows(state, nexus, "write")) return CONFLICT;
        data.set(call.bytes, call.offset);
        return { result: "done" };
      case "compare-and-write": {
        if (this.plain) return failed("unsupported");
        if (!allows(state, nexus, "write")) return CONFLICT;
        const there = data.subarray(call.offset, call.offset + call.expect.length);
        if (!equalBytes(there, call.expect)) return failed("differs");
        data.set(call.bytes, call.offset);
        return { result: "done" };
      }
      case "register":
        return change(disk, register(state, nexus, call.key));
      case "unregister":
        return change(disk, unregister(state, nexus, call.key));
      case "reserve":
        return change(disk, reserve(state, nexus, call));
      case "preempt":
        if (call.abort && !this.aborts) return failed("unsupported");
        return change(disk, preempt(state, nexus, call));
      case "try-write":
        return allows(state, nexus, "write") || this.open ? { result: "done" } : CONFLICT;
      case "traits":
        return { result: "traits", persists: true };
      case "reservations":
        return { result: "reservations", state: report(state) };
    }
  }

  #later(ms: number, run: () => void): void {
    this.#queue.push({ at: this.now + ms, order: this.#order++, run });
  }
}

function bothMayCommit({ data, uuid }: SharedDisk): void {
  const both = { version: 2, term: 1, vote: null, subterm: 0, set: [nodeId(1), nodeId(2)] };
  data.set(encodeRegister({ ...both, lastTerm: 1, lastIndex: 1 }, uuid), BLOCK_BYTES);
}

function change(disk: SharedDisk, next: ReturnType<typeof register>): DiskResult {
  if ("failure" in next) return { result: "failed", failure: next };
  disk.state = next;
  return { result: "done" };
}

function failed(failure: DiskFailure["failure"]): DiskResult {
  return { result: "failed", failure: { failure, detail: failure } };
}

const CONFLICT: DiskResult = {
  result: "failed",
  failure: { failure: "conflict", detail: "not registered" },
};

function vitalsOf(diskLocks: number): Vitals {
  return {
    load: 0,
    memory: 0,
    ioDelay: 0,
    armed: true,
    guardMarginMs: 0,
    diskLocks,
    resources: 0,
  };
}

/** By then a node that came to its disks has them. */
export const SETTLE = 10 * TIMING.beatMs;

/** The nodes that are registered on a disk. */
export function nodesOf(world: World, disk = 0): number[] {
  return world.disk(disk).state.registrations.map(({ key }) => Number(parseKey(key)?.node)).sort();
}

/** Boots both nodes; each has its disks, and knows the other as online. */
export function bothUp(world: World): { world: World; a: Host; b: Host } {
  const a = world.boot(1);
  const b = world.boot(2);
  world.run(SETTLE);
  world.member(a, 2, "online");
  world.member(b, 1, "online");
  return { world, a, b };
}
