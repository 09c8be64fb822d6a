/** The simulated world keeps the promises of `host/ports.ts`, as the Linux ports do. @module */
import type { DatabasePort, DiskPort, Ports, ProcessPort } from "../../mod/host/ports.ts";
import { type SimHost, SimSite, World, type WorldOptions } from "../../mod/sim/mod.ts";
import { databaseSuite, type DatabaseWorld } from "../contract/database_suite.ts";
import { diskSuite, type DiskWorld } from "../contract/disk_suite.ts";
import { processSuite, type ProcessWorld } from "../contract/process_suite.ts";

/** Events later than this are not run for an answer's sake: the end of a long guard, say. */
const HORIZON_MS = 60_000;
/** Turns without an event after which an answer will never come. */
const IDLE_TURNS_MAX = 10_000;

/** Runs the world's events until `answer` is there. */
async function settle<T>(world: World, answer: Promise<T>): Promise<T> {
  let settled = false;
  const end = () => settled = true;
  answer.then(end, end);
  for (let idle = 0; idle < IDLE_TURNS_MAX; idle++) {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    if (settled) return await answer;
    if (world.next() > world.now + HORIZON_MS) continue;
    world.step();
    idle = 0;
  }
  throw new Error("The world stands still and there is no answer");
}

function makeSite(seed: number, options: Partial<WorldOptions>): SimSite {
  const site = new SimSite(new World(seed, options));
  site.addHost("a", ["10.0.0.1"]);
  site.addHost("b", ["10.0.0.2"]);
  return site;
}

function hostOf(site: SimSite, index: number): SimHost {
  const host = site.hosts[index];
  if (host === undefined) throw new Error(`There is no host ${index}`);
  return host;
}

class SimDiskWorld implements DiskWorld {
  readonly #site: SimSite;
  readonly #ports: readonly Ports[];

  constructor(seed: number, options: Partial<WorldOptions> = {}) {
    this.#site = makeSite(seed, options);
    this.#ports = this.#site.hosts.map((host) => host.boot());
  }

  port(host: 0 | 1): DiskPort {
    const ports = this.#ports[host];
    if (ports === undefined) throw new Error(`There is no host ${host}`);
    return ports.disk;
  }

  makeDisk(sizeBytes: number): string {
    return this.#site.disks.make("/dev/shared", sizeBytes).path;
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return settle(this.#site.world, answer);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class SimProcessWorld implements ProcessWorld {
  readonly lasting = ["sleep", "1000"];
  readonly failing = ["false"];
  readonly #site: SimSite;
  readonly #host: SimHost;
  #ports: Ports;

  constructor(seed: number, options: Partial<WorldOptions>) {
    this.#site = makeSite(seed, { processStartFails: 0, ...options });
    this.#host = hostOf(this.#site, 0);
    this.#ports = this.#host.boot();
  }

  port(): ProcessPort {
    return this.#ports.process;
  }

  crash(): Promise<void> {
    this.#host.crashDaemon();
    this.#ports = this.#host.boot();
    return Promise.resolve();
  }

  now() {
    return this.#ports.clock.now();
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return settle(this.#site.world, answer);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class SimDatabaseWorld implements DatabaseWorld {
  readonly #site: SimSite;
  readonly #host: SimHost;
  #ports: Ports;

  constructor(seed: number) {
    this.#site = makeSite(seed, {});
    this.#host = hostOf(this.#site, 0);
    this.#ports = this.#host.boot();
  }

  port(): DatabasePort {
    return this.#ports.database;
  }

  crash(): Promise<void> {
    this.#host.crashDaemon();
    this.#ports = this.#host.boot();
    return Promise.resolve();
  }

  hurt(how: "damaged" | "gone"): void {
    this.#host.store.damage("a bit turned over", { kind: how });
  }

  keep(): () => void {
    return this.#host.store.copy();
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return settle(this.#site.world, answer);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

databaseSuite("SimDatabase", () => new SimDatabaseWorld(1));
diskSuite("SimDisks", () => new SimDiskWorld(1));
diskSuite("SimDisks with every call slow", () => new SimDiskWorld(2, { diskSlow: 1 }));
processSuite("SimProcesses", () => new SimProcessWorld(1, {}));
processSuite(
  "SimProcesses that heed no SIGTERM",
  () => new SimProcessWorld(2, { processStopHangs: 1 }),
);
