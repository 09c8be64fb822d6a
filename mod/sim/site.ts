/** All of a simulated cluster's surroundings, over one world. @module */
import { SimDisks } from "./disk.ts";
import { SimHost, type Surroundings } from "./host.ts";
import { SimNetwork } from "./network.ts";
import { SimPlant } from "./plant.ts";
import { TcpWorld } from "./tcp.ts";
import { UdpSockets } from "./udp.ts";
import type { World } from "./world.ts";

/** Network, disks, resources, and the hosts between them. */
export class SimSite implements Surroundings {
  readonly world: World;
  readonly network: SimNetwork;
  readonly udp: UdpSockets;
  readonly tcp: TcpWorld;
  readonly disks: SimDisks;
  readonly plant: SimPlant;
  readonly hosts: SimHost[] = [];

  constructor(world: World) {
    this.world = world;
    this.network = new SimNetwork(world);
    this.udp = new UdpSockets(this.network);
    this.tcp = new TcpWorld(this.network);
    this.disks = new SimDisks(world);
    this.plant = new SimPlant(world);
  }

  /** Adds a host, powered and without a daemon. `links` holds its address on each link. */
  addHost(name: string, links: readonly string[]): SimHost {
    const host = new SimHost(this, { index: this.hosts.length, name, links });
    this.hosts.push(host);
    return host;
  }
}
