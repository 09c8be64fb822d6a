/**
 * The change counters of `.version`, which every daemon of Proxmox VE polls: a counter that rose
 * means "read it again". Ours are log indexes, so they are the same on every node.
 *
 * @module
 */
import { guestOf } from "../guests.ts";
import type { RowsView } from "../rows.ts";
import type { Change } from "../../streams.ts";

/** The paths that have a counter of their own. */
export const OBSERVED: readonly string[] = [
  ...["corosync.conf", "corosync.conf.new", "storage.cfg", "user.cfg", "domains.cfg"],
  ...["notifications.cfg", "priv/notifications.cfg", "priv/shadow.cfg", "priv/acme/plugins.cfg"],
  ...["priv/tfa.cfg", "priv/token.cfg", "priv/ipam.db", "priv/macs.db", "datacenter.cfg"],
  ...["vzdump.cron", "vzdump.conf", "jobs.cfg", "ha/crm_commands", "ha/manager_status"],
  ...["ha/resources.cfg", "ha/rules.cfg", "ha/groups.cfg", "ha/fence.cfg", "status.cfg"],
  ...["replication.cfg", "ceph.conf", "sdn/vnets.cfg", "sdn/zones.cfg", "sdn/controllers.cfg"],
  ...["sdn/subnets.cfg", "sdn/ipams.cfg", "sdn/mac-cache.json", "sdn/pve-ipam-state.json"],
  ...["sdn/dns.cfg", "sdn/fabrics.cfg", "sdn/.running-config", "virtual-guest/cpu-models.conf"],
  ...["virtual-guest/profiles.cfg", "firewall/cluster.fw", "mapping/directory.cfg"],
  ...["mapping/pci.cfg", "mapping/usb.cfg"],
];

/** See the module's note. */
export class Versions {
  readonly #counters = new Map<string, number>(OBSERVED.map((path) => [path, 0]));
  #guests = 0;

  /** What is there at start; what was removed before is 0, as the start itself is a change. */
  constructor(rows: RowsView) {
    for (const path of OBSERVED) this.#counters.set(path, rows.find(path)?.version ?? 0);
    for (const [ino] of rows.guests.all()) {
      this.#guests = Math.max(this.#guests, rows.row(ino)?.version ?? 0);
    }
  }

  /** The tree was replaced by that of this log index: what is gone from it changed there at the latest. */
  replaced(rows: RowsView, index: number): void {
    for (const [path, before] of this.#counters) {
      this.#counters.set(path, rows.find(path)?.version ?? (before === 0 ? 0 : index));
    }
    this.#guests = index;
  }

  /** A path changed. */
  note({ path, version }: Change): void {
    if (this.#counters.has(path)) this.#counters.set(path, version);
    if (guestOf(path) !== null) this.#guests = version;
  }

  /** Where any guest's file changed last. */
  get guests(): number {
    return this.#guests;
  }

  /** All counters by path. */
  paths(): Record<string, number> {
    return Object.fromEntries(this.#counters);
  }
}
