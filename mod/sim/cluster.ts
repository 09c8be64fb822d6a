/**
 * A simulated cluster: hosts with real nodes on them (the runtime, drivers and cores of the daemon),
 * whose daemons are restarted when they die, as a service manager would.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { ClusterSpec, Member } from "../base/cluster.ts";
import { bootId, clusterId, NODE_ID_MAX, type NodeId, nodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import { toHex } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import { KEY_BYTES } from "../base/seal.ts";
import type { Millis } from "../base/time.ts";
import type { ConfigLimits } from "../config/mod.ts";
import { NodeRuntime } from "../runtime/mod.ts";
import { freshBlocks } from "../storage/mod.ts";
import type { Fact, Saying } from "../streams.ts";
import type { SimDisk } from "./disk.ts";
import type { SimHost } from "./host.ts";
import { draw, type Range, type WorldOptions } from "./options.ts";
import { SimSite } from "./site.ts";
import { World } from "./world.ts";

/** Path of the first shared disk on every host. */
export const SHARED_DISK = "/dev/shared";
/** Where the tree is mounted. */
export const TARGET = "/etc/pve";
const DISK_BYTES = 8 * 1024 * 1024;
/** How soon a daemon that died is started again. */
const RESTART_MS: Range = [50, 2000];

/** What a cluster is made of. */
export interface ClusterShape {
  readonly nodes: number;
  readonly witness: boolean;
  /** Shared disks; default one with a witness, else none. Those of a witness judge together. */
  readonly disks?: number;
  /** Each disk of a witness judges alone, whichever of them is it. */
  readonly apart?: boolean;
  /** Their targets have PREEMPT AND ABORT; default true. */
  readonly aborts?: boolean;
  readonly profile: ClusterSpec["profile"];
  /** Their names; nodeA, nodeB, … where there are none. */
  readonly names?: readonly string[];
}

/** What is heard of a cluster. */
export interface ClusterEvents {
  onFact(node: SimNode, fact: Fact): void;
  onSaying(node: SimNode, saying: Saying): void;
  /** A daemon began or ended. */
  onLife(node: SimNode, what: string): void;
}

/** One host and the node on it. */
export class SimNode {
  /** Of a spare host: the number that it was given last. */
  id: NodeId;
  /** The description with which it began; null while it is no member. */
  spec: ClusterSpec | null = null;
  /** The cluster's keys as its host keeps them; null: the one that the cluster was made with. */
  keys: KeyRing | null = null;
  readonly name: string;
  readonly host: SimHost;
  /** Null while no daemon lives, or it is still reading its database. */
  runtime: NodeRuntime | null = null;
  /** The runtime of the present life, ready or not. */
  life: NodeRuntime | null = null;

  constructor(id: NodeId, name: string, host: SimHost) {
    this.id = id;
    this.name = name;
    this.host = host;
  }
}

/** See the module's note. */
export class SimCluster {
  readonly world: World;
  readonly site: SimSite;
  /** The members that the cluster was made with; they remain. */
  readonly nodes: readonly SimNode[];
  /** Hosts that may join and leave. */
  readonly spares: readonly SimNode[];
  /** Both. */
  readonly all: readonly SimNode[];
  /** As the cluster was made. */
  readonly spec: ClusterSpec;
  /** Shared disks, by path and uuid. */
  readonly disks: readonly { readonly path: string; readonly uuid: string }[];
  readonly #events: ClusterEvents;
  readonly #key: Uint8Array;
  readonly #prng: Prng;
  readonly #mounts: boolean;

  constructor(
    seed: number,
    parts: {
      readonly shape: ClusterShape;
      readonly options: Partial<WorldOptions>;
      readonly spares?: number;
      /** The members have the tree mounted on {@link TARGET}; default false. */
      readonly mounts?: boolean;
      readonly events: ClusterEvents;
    },
  ) {
    const { shape, options, events } = parts;
    this.#events = events;
    this.world = new World(seed, options);
    this.site = new SimSite(this.world);
    this.#prng = this.world.prng("cluster");
    this.#key = this.#prng.bytes(KEY_BYTES);
    const uuid = toHex(this.#prng.bytes(16));
    this.spec = specOf(shape, toHex(this.#prng.bytes(16)), uuid);
    this.disks = Array.from({ length: shape.disks ?? (shape.witness ? 1 : 0) }, (_, at) => {
      if (at === 0) return { path: SHARED_DISK, uuid };
      return { path: `${SHARED_DISK}${at}`, uuid: toHex(this.world.prng(`disk ${at}`).bytes(16)) };
    });
    const together = shape.witness && this.disks.length > 1 && shape.apart !== true;
    const group = together ? this.disks.map((disk) => disk.uuid) : [];
    for (const disk of this.disks) this.#format(disk, group).aborts = shape.aborts ?? true;
    this.nodes = this.spec.members.map(({ id }, at) => {
      const node = this.#host(at, id);
      node.spec = this.spec;
      return node;
    });
    const { spares = 0, mounts = false } = parts;
    this.#mounts = mounts;
    this.spares = Array.from({ length: spares }, (_, at) =>
      // The number is a stand-in until it is given one.
      this.#host(shape.nodes + at, nodeId(NODE_ID_MAX - at)));
    this.all = [...this.nodes, ...this.spares];
  }

  #host(at: number, id: NodeId): SimNode {
    const name = this.spec.members[at]?.name ?? memberAt(at).name;
    const node = new SimNode(id, name, this.site.addHost(name, [hostName(at)]));
    node.host.onEnd = (how) => this.#onEnd(node, how);
    node.host.onUp = () => this.boot(node);
    return node;
  }

  /** A spare host was let in: it begins with an empty database. */
  admit(node: SimNode, id: NodeId, spec: ClusterSpec): void {
    this.dismiss(node);
    node.host.store.wipe();
    node.id = id;
    node.spec = spec;
    node.keys = this.#keysNow();
    node.host.powerOn();
  }

  /** The key that a member would give to who joins now; null: the first one. */
  #keysNow(): KeyRing | null {
    const runtime = this.nodes.find((each) => each.runtime !== null)?.runtime;
    return runtime ? { clusterKey: runtime.node.join.keys.clusterKey } : null;
  }

  /** A spare host is switched off, and is what it was before it was let in. */
  dismiss(node: SimNode): void {
    node.spec = null;
    node.host.powerCut(null);
  }

  /** The first spare host is an image of a node as it is now, at an address of its own. */
  clone(node: SimNode): void {
    const [spare] = this.spares;
    assert(spare !== undefined, "A clone needs a spare host");
    spare.host.powerCut(null);
    spare.id = node.id;
    spare.spec = node.spec;
    spare.keys = node.keys;
    spare.host.store.take(node.host.store);
    spare.host.powerOn();
  }

  /** The host stops in order, as its init does it, and comes back. */
  #reboot(node: SimNode, runtime: NodeRuntime): void {
    if (node.life !== runtime) return;
    runtime.onDrained(() => node.host.powerCut());
    runtime.request({ request: "ha.shutdown", tag: "host", how: "reboot" });
  }

  /** The node at a place. */
  node(at: number): SimNode {
    const node = this.all[at];
    assert(node !== undefined, `There is a node ${at}`);
    return node;
  }

  /** Begins a daemon's life, where none is. */
  boot(node: SimNode): void {
    if (node.host.alive || !node.host.powered) return;
    const { spec } = node;
    if (spec === null) return;
    const member = spec.members.find(({ id }) => id === node.id);
    assert(member !== undefined, "A simulated node is a member");
    const ports = node.host.boot();
    // An image knows its host's own addresses, and is a member under those of another.
    const { links, peer } = this.spares.includes(node) ? memberAt(this.all.indexOf(node)) : member;
    const runtime: NodeRuntime = new NodeRuntime(ports, {
      self: node.id,
      boot: bootId(toHex(ports.random.bytes(8))),
      ...(node.keys ?? { clusterKey: this.#key }),
      storeKeys: (keys, done) => {
        if (node.life !== runtime) return;
        node.keys = keys;
        done(true);
      },
      spec,
      disks: this.disks.map(({ path }) => path),
      bind: { links, peer },
      configLimits: limitsOf(this.world.options),
      onFact: (fact) => {
        if (node.life !== runtime) return;
        node.runtime = runtime;
        this.#events.onFact(node, fact);
        if (fact.fact === "ha.reboot") this.world.after(0, () => this.#reboot(node, runtime));
      },
      onSaying: (saying) => {
        if (node.life === runtime) this.#events.onSaying(node, saying);
      },
      onReady: () => {
        if (node.life !== runtime) return;
        node.runtime = runtime;
        if (this.#mounts) this.#mount(node, runtime);
      },
      onFatal: () => node.host.crashDaemon(),
    });
    node.life = runtime;
    this.#events.onLife(node, "boot");
  }

  bootAll(): void {
    for (const node of this.nodes) this.boot(node);
  }

  #mount(node: SimNode, runtime: NodeRuntime): void {
    const ask = {
      fuse: node.host.fusePort(),
      options: { target: TARGET, source: "pentad" },
      onLost: nothing,
    };
    runtime.mount(ask, (failure) => assert(failure === null, "A dead mount is taken over"));
  }

  #onEnd(node: SimNode, how: string): void {
    node.runtime = null;
    node.life = null;
    this.#events.onLife(node, how);
    if (!node.host.powered) return;
    this.world.after(draw(this.#prng, RESTART_MS), () => this.boot(node));
  }

  #format({ path, uuid }: { path: string; uuid: string }, group: readonly string[]): SimDisk {
    const disk = this.site.disks.make(path, DISK_BYTES);
    const first = this.spec.members[0];
    assert(first !== undefined, "A cluster has a first node");
    const { id: cluster, name: clusterName } = this.spec;
    const ask = { uuid, cluster, clusterName, self: first.id, wallSeconds: 0, group };
    for (const { offset, bytes } of freshBlocks(ask)) disk.write(offset, bytes);
    return disk;
  }
}

/** World time of an instant of a host's clock. */
export function worldTime(node: SimNode, at: Parameters<SimHost["clock"]["worldTime"]>[0]): Millis {
  return node.host.clock.worldTime(at);
}

function limitsOf(options: WorldOptions): ConfigLimits {
  return {
    tailBytes: options.logTailBytes,
    tailEntries: options.logTailEntries,
    tailBytesMax: options.logTailBytesMax,
    chunkBytes: options.snapshotChunkBytes,
  };
}

function hostName(at: number): string {
  return `10.0.0.${at + 1}`;
}

/** The member at a place, as it is made or lets itself in. */
export function memberAt(at: number): Member {
  return {
    id: nodeId(at + 1),
    name: `node${"ABCDEFGH".charAt(at)}`,
    role: "voter",
    votes: 1,
    links: [`${hostName(at)}:5405`],
    peer: `${hostName(at)}:5406`,
  };
}

function specOf(
  { nodes, witness, profile, names = [] }: ClusterShape,
  id: string,
  disk: string,
): ClusterSpec {
  const members = Array.from({ length: nodes }, (_, at) => {
    const member = memberAt(at);
    return { ...member, name: names[at] ?? member.name };
  });
  return {
    id: clusterId(id),
    name: "sim",
    profile,
    members,
    witness: witness ? { disk } : null,
  };
}

function nothing(): void {
  // Only a daemon's death ends a mount here, and that one hears of nothing.
}
