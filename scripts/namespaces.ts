/**
 * A network of namespaces on this host: one for each node, joined by a bridge in one of its own, so
 * that a cut is a packet filter's (nftables), as on real hosts. Needs root, `ip`, `nsenter` and `nft`.
 *
 * @module
 */

/** What {@link Namespaces} needs and this host lacks, in words; null for nothing. */
export async function namespacesMissing(): Promise<string | null> {
  if (Deno.uid() !== 0) return "not root";
  for (const [program, ...args] of [["ip", "-V"], ["nsenter", "-V"], ["nft", "-v"]]) {
    if (program === undefined || !await runs(program, args)) return `no ${program}`;
  }
  const probe = `pentad-probe-${Deno.pid}`;
  if (!await runs("ip", ["netns", "add", probe])) return "no network namespaces";
  const filters = await runs("ip", ["netns", "exec", probe, "nft", "add", "table", "inet", "x"]);
  await runs("ip", ["netns", "del", probe]);
  return filters ? null : "the kernel has no nftables";
}

async function runs(program: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: [...args], stdin: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (success) return;
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Namespaces for so many nodes. Always close it. */
export class Namespaces {
  readonly #mark = `pt${Math.floor(Math.random() * 0xffffff).toString(16)}`;
  readonly #net = `10.${Math.floor(Math.random() * 200) + 20}.${Math.floor(Math.random() * 255)}`;
  readonly #count: number;

  private constructor(count: number) {
    this.#count = count;
  }

  static async make(count: number): Promise<Namespaces> {
    const network = new Namespaces(count);
    try {
      await network.#build();
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** Address of a node, by place. */
  address(at: number): string {
    return `${this.#net}.${at + 1}`;
  }

  /** What stands before a command so that it runs on that node. */
  prefix(at: number): readonly string[] {
    return ["nsenter", `--net=/run/netns/${this.#name(at)}`];
  }

  /** From now on `at` gets nothing from `from`. */
  async deafen(at: number, from: number): Promise<void> {
    await this.#nft(at, `add rule inet pentad in ip saddr ${this.address(from)} drop`);
  }

  /** Nothing passes between that node and any other. */
  async isolate(at: number): Promise<void> {
    await this.#nft(at, "add rule inet pentad in iifname eth0 drop");
    await this.#nft(at, "add rule inet pentad out oifname eth0 drop");
  }

  /** Everything passes again. */
  async heal(): Promise<void> {
    for (let at = 0; at < this.#count; at++) await this.#nft(at, "flush table inet pentad");
  }

  /** Takes everything away; the nodes' processes must have ended. */
  async close(): Promise<void> {
    for (let at = 0; at < this.#count; at++) await runs("ip", ["netns", "del", this.#name(at)]);
    await runs("ip", ["netns", "del", this.#name("sw")]);
  }

  #name(at: number | "sw"): string {
    return `${this.#mark}-${at}`;
  }

  async #build(): Promise<void> {
    const hub = this.#name("sw");
    await must("ip", "netns", "add", hub);
    const inHub = (...args: string[]) => must("ip", "-n", hub, ...args);
    await inHub("link", "add", "br0", "type", "bridge");
    await inHub("link", "set", "br0", "up");
    for (let at = 0; at < this.#count; at++) {
      const own = this.#name(at);
      await must("ip", "netns", "add", own);
      const pair = ["type", "veth", "peer", "name", `p${at}`, "netns", hub];
      await must("ip", "link", "add", "eth0", "netns", own, ...pair);
      await inHub("link", "set", `p${at}`, "master", "br0", "up");
      await must("ip", "-n", own, "addr", "add", `${this.address(at)}/24`, "dev", "eth0");
      for (const link of ["eth0", "lo"]) await must("ip", "-n", own, "link", "set", link, "up");
      await this.#nft(at, "add table inet pentad");
      for (const [chain, hook] of [["in", "input"], ["out", "output"]]) {
        const type = `{ type filter hook ${hook} priority 0; }`;
        await this.#nft(at, `add chain inet pentad ${chain} ${type}`);
      }
    }
  }

  async #nft(at: number, command: string): Promise<void> {
    const [program = "", ...rest] = this.prefix(at);
    await must(program, ...rest, "nft", command);
  }
}
