/** A running member and all that serves the API beside it. @module */
import type { ChangeAsk } from "../api/running_node.ts";
import type { Settings } from "../base/settings.ts";
import { DATABASE_NAME } from "../host/linux/database.ts";
import { LinuxFusePort } from "../host/linux/fuse.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { ArchivePool } from "./archive_pool.ts";
import { Backups } from "./backups.ts";
import type { DiskTests } from "./disk_tests.ts";
import { HistoryDesk } from "./history_desk.ts";
import { rebootHost } from "./host_reboot.ts";
import { Member } from "./member.ts";
import { KeyRenewal } from "./key_renewal.ts";
import { Tickets } from "./tickets.ts";
import { Membership } from "./membership.ts";
import { Mounting } from "./mounting.ts";
import { historyLimits, type HostPorts } from "./ports.ts";
import type { Recorder } from "./recorder.ts";
import { SharedDisks } from "./shared_disks.ts";
import type { Identity } from "./state.ts";

/** fuse(4) */
const FUSE_DEVICE = "/dev/fuse";

/** A member that runs. */
export interface Running {
  readonly runtime: NodeRuntime;
  readonly member: Member;
  readonly membership: Membership;
  readonly tickets: Tickets;
  readonly disks: SharedDisks;
  readonly tests: DiskTests;
  readonly renewal: KeyRenewal;
  readonly desk: HistoryDesk;
  readonly backups: Backups;
  readonly ports: HostPorts;
  /** Null where the settings say `off`. */
  mounting: Mounting | null;
}

/** What {@link surround} begins with. */
export interface RunningParts extends Pick<Running, "runtime" | "ports" | "tests"> {
  readonly identity: Identity;
  readonly settings: Settings;
  readonly pool: ArchivePool;
  readonly recorder: Recorder;
}

/** What serves the API beside a runtime. */
export function surround(parts: RunningParts): Running {
  const { runtime, ports, identity, settings, pool, recorder, tests } = parts;
  const database = `${settings.state}/${DATABASE_NAME}`;
  const say = (text: string) => recorder.write({ stream: "ha", text, routine: false, code: null });
  const onReboot = async () => {
    const why = await rebootHost();
    if (why !== null) say(`the host does not begin anew: ${why}; reboot it by hand`);
  };
  const member = new Member(runtime, onReboot);
  const change = (ask: ChangeAsk) => member.change(ask);
  const limits = historyLimits(settings);
  const desk = new HistoryDesk({ runtime, pool, database, limits, change });
  const flushed = () => desk.flushed();
  const identityNow = () => ({ ...identity, ...runtime.node.join.keys });
  const backups = new Backups({
    ...{ settings, database, identity: identityNow, pool, recorder, flushed },
  });
  const renewal = new KeyRenewal(runtime, member);
  const membership = new Membership(runtime, member, settings);
  const tickets = new Tickets(runtime, member);
  const disks = new SharedDisks(runtime, member, tests);
  return {
    ...{ runtime, member, membership, tickets, disks, tests, renewal, desk, backups, ports },
    mounting: null,
  };
}

/** What keeps the tree mounted, where it is to be. */
export function mountingOf(
  { mount: target }: Settings,
  runtime: NodeRuntime,
  recorder: Recorder,
): Mounting | null {
  if (target === "off") return null;
  const say = (text: string) =>
    recorder.write({ stream: "config", text, routine: false, code: null });
  return new Mounting({ runtime, fuse: new LinuxFusePort({ device: FUSE_DEVICE }), target, say });
}
