/**
 * What resources write to shared disks: each running one writes "I run, with token t" to each of
 * its disks again and again, the host's way. A token is higher the later a resource was started. A
 * lower one must not get through after a higher one did: this is the promise that storage proof
 * makes to resources that may still run on two nodes.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { Millis } from "../base/time.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster } from "./cluster.ts";

const WRITE_MS: Millis = 37;

/** See the module's note. */
export class Writers {
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  /** Disks of each resource, by path. */
  readonly #disks: ReadonlyMap<ResourceId, readonly string[]>;
  readonly #tokens = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  #tokensGiven = 0;
  /** Writes that got through, and that the disk refused to somebody who went on. */
  written = 0;
  refused = 0;

  constructor(
    cluster: SimCluster,
    checks: Checks,
    disks: ReadonlyMap<ResourceId, readonly string[]>,
  ) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#disks = disks;
    const { plant } = cluster.site;
    plant.onChange((id, host, runs) => {
      if (runs) this.#tokens.set(`${id} ${host}`, ++this.#tokensGiven);
      else this.#tokens.delete(`${id} ${host}`);
    });
    cluster.world.after(WRITE_MS, () => this.#write());
  }

  #write(): void {
    const { site, world } = this.#cluster;
    for (const [id, paths] of this.#disks) {
      for (const host of site.plant.running().get(id) ?? []) {
        for (const path of paths) this.#writeOne(id, host, path);
      }
    }
    world.after(WRITE_MS, () => this.#write());
  }

  #writeOne(id: ResourceId, host: number, path: string): void {
    const { disks } = this.#cluster.site;
    const disk = disks.disk(path);
    const token = this.#tokens.get(`${id} ${host}`) ?? 0;
    if (disk === null) return;
    if (!disks.mayWrite(host, disk)) {
      this.refused++;
      return;
    }
    this.written++;
    const place = `${id} ${path}`;
    const newest = this.#newest.get(place) ?? 0;
    this.#newest.set(place, Math.max(newest, token));
    if (token >= newest) return;
    const { name } = this.#cluster.node(host);
    const what = `${id} on ${name} wrote to ${path} with token ${token} after token ${newest}`;
    this.#checks.fail("an ejected writer writes no more", what);
  }
}
