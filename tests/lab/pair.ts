/**
 * Two nodes of pentad on hosts with kernels of their own, a LUN of a real target between them, and
 * two resources that write to it: 0 comes back by storage proof, 1 by death alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { timingOf } from "../../mod/base/timing.ts";
import { Lab } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/shell.ts";
import { LabNode, LUN } from "./lab_node.ts";
import { assertAlone, DISK_BYTES, newest } from "./records.ts";

/** The profile of the pair: in `fast` a beat is 200 ms, less than a loaded host may take for a turn. */
export const TIMING = timingOf("standard");
/** A node that begins loads its keeper and its disk process: half a minute, on a slow machine. */
const BEGIN_SECONDS = 120;
/** 256 MiB are too few for a daemon with its database, archive, keeper and disk process. */
const MEMORY = "512M";
const WRITER = new URL("./writer.sh", import.meta.url).pathname;
/** The resources, by their area. */
export const WRITERS = ["exec:by-storage", "exec:by-death"] as const;

/** See the module's note. */
export class Pair {
  readonly lab: Lab;
  readonly nodes: readonly [LabNode, LabNode];

  private constructor(lab: Lab) {
    this.lab = lab;
    this.nodes = [new LabNode(lab, 1), new LabNode(lab, 2)];
  }

  /** Boots it, makes a cluster of it, and starts the writers. */
  static async make(): Promise<Pair> {
    const lab = await Lab.make({ hosts: 3, memory: MEMORY });
    const pair = new Pair(lab);
    try {
      await Deno.copyFile(WRITER, `${lab.share}/writer.sh`);
      await pair.startTarget();
      for (const node of pair.nodes) await node.install();
      await Promise.all(pair.nodes.map((node) => node.start()));
      const [a, b] = pair.nodes;
      for (const node of pair.nodes) await node.until("the daemon answers", () => true, 120);
      await a.ask(
        "POST",
        "/v1/init",
        { name: "lab", profile: "standard", disk: LUN },
        BEGIN_SECONDS,
      );
      const { ticket } = await a.ask("POST", "/v1/join/tickets", {});
      await b.ask("POST", "/v1/join", { ticket, disk: LUN }, BEGIN_SECONDS);
      await pair.whole();
      for (const [area, id] of WRITERS.entries()) {
        const command = `/lab/writer.sh ${LUN} ${area}`;
        const recover_on = area === 0 ? "storage" : "death";
        await a.ask("POST", "/v1/ha/resources", { id, command, recover_on });
      }
      await pair.settled();
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  /** The array, as after a power cut of it: what it exports is there, no registration is. */
  async startTarget(): Promise<void> {
    await this.lab.host(3).must(`/lab/target.sh lio ${DISK_BYTES}`);
  }

  /** Mends everything, and waits until nothing more is to happen: both online, both writers write. */
  async settled(): Promise<void> {
    await this.heal();
    for (const node of this.nodes) {
      await node.host.thaw();
      if (node.host.pid() === null) await node.boot();
    }
    await this.whole();
    for (const area of WRITERS.keys()) await this.writes(area);
  }

  /** Waits until both are members that hear each other, are registered, and owe nothing. */
  async whole(): Promise<void> {
    for (const node of this.nodes) {
      await node.until(
        "the pair is whole",
        ({ config, quorate, nodes, streams, guard, armed }) =>
          config.writable && quorate && guard.state === "held" && armed && nodes.length === 2 &&
          nodes.every(({ state, role }) => state === "online" && role === "voter") &&
          streams.find(({ name }) => name === "storage")?.state === "ok",
        120,
      );
    }
  }

  /** Waits until the writer of an area goes on; who it is. */
  async writes(area: number, seconds = 90): Promise<string> {
    const from = Date.now();
    await until(`a writer of area ${area} goes on`, seconds, () => {
      return (newest(this.lab, area)?.begin ?? 0) > from;
    });
    return newest(this.lab, area)?.host ?? "";
  }

  /** Both writers on one node: it, and the other. */
  async gathered(): Promise<{ readonly owner: LabNode; readonly other: LabNode }> {
    const [a, b] = this.nodes;
    const owner = await this.writes(1) === a.name ? a : b;
    if (await this.writes(0) !== owner.name) {
      await owner.ask("POST", `/v1/ha/resources/${WRITERS[0]}/migrate`, { node: owner.name });
      await until("the writers are together", 90, async () => await this.writes(0) === owner.name);
    }
    return { owner, other: owner === a ? b : a };
  }

  /** Cuts the nodes from each other; both still reach the array. */
  async cutNetwork(): Promise<void> {
    const [a, b] = this.nodes;
    await this.lab.network.block(a.name, b.name);
    await this.lab.network.block(b.name, a.name);
  }

  async heal(): Promise<void> {
    await this.lab.network.unblock();
    for (const { name } of this.lab.hosts) await this.lab.network.plug(name);
  }

  /** Throws where two writers were at work in one area at once; what was looked at, in words. */
  async assertAlone(): Promise<string> {
    const seen: string[] = [];
    for (const [area, id] of WRITERS.entries()) {
      const { tenures, records } = await assertAlone(this.lab, area);
      assert.ok(tenures > 0);
      seen.push(`${id} ${records} records of ${tenures} tenures, each after the one before`);
    }
    return seen.join("; ");
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.hangUp();
    await this.lab.close();
  }
}
