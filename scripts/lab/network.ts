/**
 * The lab's network: a namespace with one bridge for each net, and a tap for each host's interface.
 * This machine is 10.77.NIC.254 in there, and nothing leads out.
 *
 * @module
 */
import { must, ran } from "./shell.ts";

/** See the module's note. */
export class LabNetwork {
  readonly name: string;
  readonly nics: number;

  constructor(name: string, nics: number) {
    this.name = name;
    this.nics = nics;
  }

  /** What stands before a command so that it runs in the lab's network. */
  get prefix(): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`, "--"];
  }

  /** A host's address in a net. */
  address(host: string, nic: number): string {
    return `10.77.${nic}.${host.slice(1)}`;
  }

  async build(): Promise<void> {
    await must("ip", "netns", "add", this.name);
    await this.#must("ip", "link", "set", "lo", "up");
    for (let nic = 0; nic < this.nics; nic++) {
      await this.#must("ip", "link", "add", `br${nic}`, "type", "bridge");
      await this.#must("ip", "link", "set", `br${nic}`, "up");
      await this.#must("ip", "addr", "add", `10.77.${nic}.254/24`, "dev", `br${nic}`);
    }
    await this.#must(
      "nft",
      "add table bridge lab; add chain bridge lab cut { type filter hook forward priority 0; }",
    );
  }

  /** A host's sockets in the wall. */
  async addHost(host: string): Promise<void> {
    for (let nic = 0; nic < this.nics; nic++) {
      await this.#must("ip", "tuntap", "add", `${host}.${nic}`, "mode", "tap");
      await this.plug(host, nic);
    }
  }

  /** Drops what `from` sends to `to` in one net, that way only; "any" is every host. */
  async block(from: string, to: string, nic = 1): Promise<void> {
    const source = from === "any" ? "" : `iifname ${from}.${nic} `;
    const target = to === "any" ? "" : `oifname ${to}.${nic} `;
    if (source + target === "") throw new Error("One of both must be a host");
    await this.#must("nft", `add rule bridge lab cut ${source}${target}drop`);
  }

  /** Lifts every block. */
  async unblock(): Promise<void> {
    await this.#must("nft", "flush chain bridge lab cut");
  }

  /** Takes a host's cable out, both ways. */
  async unplug(host: string, nic = 1): Promise<void> {
    await this.#must("ip", "link", "set", `${host}.${nic}`, "nomaster");
  }

  async plug(host: string, nic = 1): Promise<void> {
    await this.#must("ip", "link", "set", `${host}.${nic}`, "master", `br${nic}`, "up");
  }

  async close(): Promise<void> {
    await ran(["ip", "netns", "del", this.name]);
  }

  async #must(...command: readonly string[]): Promise<void> {
    await must(...this.prefix, ...command);
  }
}
