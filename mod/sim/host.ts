/**
 * One simulated host: what it is made of, the daemon that lives on it, and the ways both can die.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import type { Ports } from "../host/ports.ts";
import { SimAddresses } from "./agent.ts";
import { HostClock, SimClock } from "./clock.ts";
import { DatabaseStore } from "./database.ts";
import { SimDatabase } from "./database_port.ts";
import type { SimDisks } from "./disk.ts";
import { SimDiskPort } from "./disk_port.ts";
import { HostFuse, SimFuse } from "./fuse.ts";
import { SimGuests } from "./guest.ts";
import { HostKeeper } from "./keeper.ts";
import { Life } from "./life.ts";
import { HostLoad, SimLoad } from "./load.ts";
import type { SimNetwork } from "./network.ts";
import { draw, type Range } from "./options.ts";
import type { HostProcesses, SimPlant } from "./plant.ts";
import { SimProcesses } from "./process.ts";
import { SimTcp, type TcpWorld } from "./tcp.ts";
import { SimUdp, type UdpSockets } from "./udp.ts";
import { HostWatchdog, SimWatchdog } from "./watchdog.ts";
import { Happening, type World } from "./world.ts";

/** From a program's call to the daemon that reads it. */
const FUSE_MS: Range = [0.02, 0.2];

/** Why a daemon or its host ended. */
export type HostEnd = "crash" | "power" | "watchdog";

/** What a host shares with the others: a `SimSite` is one. */
export interface Surroundings {
  readonly world: World;
  readonly network: SimNetwork;
  readonly udp: UdpSockets;
  readonly tcp: TcpWorld;
  readonly disks: SimDisks;
  readonly plant: SimPlant;
}

/** See the module's note. */
export class SimHost {
  readonly index: number;
  readonly name: string;
  readonly clock: HostClock;
  readonly store: DatabaseStore;
  readonly watchdog: HostWatchdog;
  readonly keeper: HostKeeper;
  readonly processes: HostProcesses;
  /** What is mounted here. */
  readonly fuse = new HostFuse();
  /** The daemon ended (and with `power` and `watchdog` the host). Called after the fact. */
  onEnd: (how: HostEnd) => void = nothing;
  /** The host runs again after a reset: the caller boots a daemon. */
  onUp: () => void = nothing;
  readonly #site: Surroundings;
  readonly #prng: Prng;
  readonly load: HostLoad;
  readonly #resume = new Happening(() => this.#life?.resume());
  readonly #reboot = new Happening(() => this.powerOn());
  #life: Life | null = null;
  #lives = 0;
  #powered = false;

  constructor(
    site: Surroundings,
    parts: { index: number; name: string; links: readonly string[] },
  ) {
    const { world } = site;
    const { index, name } = parts;
    this.#site = site;
    this.index = index;
    this.name = name;
    this.#prng = world.prng(`host ${name}`);
    this.clock = new HostClock(world, name);
    this.store = new DatabaseStore(world, name);
    this.load = new HostLoad(world, name);
    this.processes = site.plant.addHost(index, name);
    const { clock, processes } = this;
    this.keeper = new HostKeeper(world, { name, clock, processes });
    const reset = () => this.#reset();
    this.watchdog = new HostWatchdog(world, { name, clock, reset });
    site.network.addHost(index, parts.links);
    this.#power();
  }

  /** The host's system runs. */
  get powered(): boolean {
    return this.#powered;
  }

  /** A daemon lives (it may be stopped). */
  get alive(): boolean {
    return this.#life?.alive ?? false;
  }

  get paused(): boolean {
    return this.#life?.paused ?? false;
  }

  /** Begins a new life of the daemon. Turns the host on where it is off. */
  boot(): Ports {
    assert(!this.alive, `Host "${this.name}" runs one daemon at a time`);
    if (!this.#powered) this.#power();
    const life = new Life(++this.#lives);
    this.#life = life;
    const { world, disks, tcp, udp } = this.#site;
    world.note("boot", this.index);
    const prng = world.prng(`daemon ${this.name} ${life.number}`);
    const { clock, keeper, processes } = this;
    const random = prng.split();
    life.onEnd(() => this.fuse.crash());
    return {
      clock: new SimClock(world, { host: clock, life, prng: prng.split() }),
      random: { bytes: (length) => random.bytes(length) },
      udp: new SimUdp(udp, this.index, life),
      tcp: new SimTcp(tcp, this.index, life),
      database: new SimDatabase(this.store, life),
      disk: new SimDiskPort(disks, this.index, life),
      watchdog: new SimWatchdog(this.watchdog, life),
      process: new SimProcesses(world, { life, clock, keeper, processes, prng: prng.split() }),
      address: new SimAddresses(world, processes, life),
      guest: new SimGuests(world, { processes, plant: this.#site.plant, life }),
      load: new SimLoad(world, this.load, life),
    };
  }

  /** The FUSE port of the daemon that lives; a request takes its time to be read. */
  fusePort(): SimFuse {
    const life = this.#life;
    assert(life !== null && life.alive, `On host "${this.name}" a daemon lives`);
    const { world } = this.#site;
    return new SimFuse(this.fuse, (run) => {
      world.after(draw(this.#prng, FUSE_MS), () => life.deliver(run));
    });
  }

  /** How many daemons have lived here. */
  get lives(): number {
    return this.#lives;
  }

  /** Only the daemon dies. Its keeper, its resources and its watchdog go on. */
  crashDaemon(): void {
    if (this.#endLife()) this.onEnd("crash");
  }

  /**
   * Everything dies at once; what was durable stays. The host is on again after `rebootMs` (drawn
   * where absent), or with null only when it is turned on.
   */
  powerCut(rebootMs: Millis | null = this.#drawReboot()): void {
    if (this.#off(rebootMs)) this.onEnd("power");
  }

  /** Turns the host on; the caller is told to boot a daemon. */
  powerOn(): void {
    if (this.#powered) return;
    this.#power();
    this.onUp();
  }

  /** SIGSTOP, and SIGCONT after `ms`. A longer pause that is under way stays. */
  pauseDaemon(ms: Millis): void {
    if (!this.alive) return;
    const { world } = this.#site;
    const until = world.now + ms;
    this.#life?.pause();
    if (!this.#resume.scheduled || this.#resume.at < until) world.move(this.#resume, until);
  }

  /** The host hangs: daemon and keeper stand still, what they started runs on. */
  hang(ms: Millis): void {
    this.pauseDaemon(ms);
    this.keeper.hang(ms);
  }

  /** The daemon dies at its `calls`-th call of a port from now, which is not done any more. */
  crashDaemonAfter(calls: number): void {
    this.#life?.endAfter(calls, () => this.crashDaemon());
  }

  /** The power goes at the daemon's `calls`-th call of a port from now. */
  powerCutAfter(calls: number, rebootMs: Millis | null = this.#drawReboot()): void {
    this.#life?.endAfter(calls, () => this.powerCut(rebootMs));
  }

  #reset(): void {
    if (this.#off(this.#drawReboot())) this.onEnd("watchdog");
  }

  #off(rebootMs: Millis | null): boolean {
    if (!this.#powered) return false;
    const { world, disks, tcp } = this.#site;
    this.#powered = false;
    world.note("off", this.index);
    // Before the daemon's life ends, or its system would say good-bye in its name.
    tcp.powerOff(this.index);
    disks.powerOff(this.index);
    this.watchdog.powerOff();
    this.#endLife();
    this.processes.powerOff();
    this.keeper.powerOff();
    world.move(this.#reboot, rebootMs === null ? Infinity : world.now + rebootMs);
    return true;
  }

  #power(): void {
    const { world, tcp } = this.#site;
    world.cancel(this.#reboot);
    this.#powered = true;
    this.clock.restart();
    tcp.powerOn(this.index);
  }

  #endLife(): boolean {
    const life = this.#life;
    if (life === null || !life.alive) return false;
    this.#site.world.cancel(this.#resume);
    life.end();
    this.#site.world.note("end", this.index);
    return true;
  }

  #drawReboot(): Millis {
    return draw(this.#prng, this.#site.world.options.rebootMs);
  }
}

function nothing(): void {
  // Nobody listens.
}
