/** The world of a Linux host, as one member of a cluster sees it. @module */
import type { Settings } from "../base/settings.ts";
import type { Ports, WatchdogPort } from "../host/ports.ts";
import { linuxClock } from "../host/linux/clock.ts";
import { linuxDatabase } from "../host/linux/database.ts";
import { HISTORY_LIMITS, type HistoryLimits } from "../host/linux/database_history.ts";
import { DiskProcessPort } from "../host/linux/disk_process.ts";
import { Keeper } from "../host/linux/keeper.ts";
import { LinuxGuestPort } from "../host/linux/guest.ts";
import { LinuxLoadPort } from "../host/linux/load.ts";
import { LinuxProcessPort } from "../host/linux/process.ts";
import { linuxRandom } from "../host/linux/random.ts";
import { linuxTcp } from "../host/linux/tcp.ts";
import { linuxUdp } from "../host/linux/udp.ts";
import { LinuxAddressPort } from "../host/linux/virtual_address.ts";
import { DeviceWatchdogPort } from "../host/linux/watchdog_device.ts";
import { ProcessWatchdogPort } from "../host/linux/watchdog_process.ts";

/** The first watchdog of a host: watchdog(8), Documentation/watchdog of the kernel. */
const WATCHDOG_DEVICE = "/dev/watchdog";

const MEGABYTE = 1024 * 1024;
const DAY_SECONDS = 24 * 60 * 60;

/** Ports of this host, and their end. */
export interface HostPorts extends Ports {
  /** Lets go of everything; resources go on under the keeper. Resolves when all is let go. */
  close(): Promise<void>;
}

/** Opens what a member needs of its host. */
export function linuxPorts(settings: Settings, selfCommand: readonly string[]): HostPorts {
  const keeper = new Keeper({ selfCommand, runDirectory: settings.run });
  const process = new LinuxProcessPort(keeper);
  const disk = new DiskProcessPort({ selfCommand });
  // It was made before the identity was written: where there is none, it is lost.
  const options = { limits: historyLimits(settings), mustExist: true };
  const database = linuxDatabase(settings.state, options);
  return {
    clock: linuxClock(),
    random: linuxRandom(),
    udp: linuxUdp(),
    tcp: linuxTcp(),
    load: new LinuxLoadPort(),
    watchdog: watchdogOf(settings, keeper),
    database,
    disk,
    process,
    address: new LinuxAddressPort(),
    guest: new LinuxGuestPort(settings.run),
    close: async () => {
      process.close();
      keeper.close();
      await Promise.all([disk.close(), database.settled()]);
    },
  };
}

/** What the settings say of how much history is kept. */
export function historyLimits({ history }: Settings): HistoryLimits {
  const { megabytes, days } = history;
  return {
    ...HISTORY_LIMITS,
    ...{ bytes: megabytes * MEGABYTE, seconds: days * DAY_SECONDS },
  };
}

function watchdogOf({ watchdog }: Settings, keeper: Keeper): WatchdogPort {
  switch (watchdog) {
    case "auto":
      return new DeviceWatchdogPort({ path: WATCHDOG_DEVICE });
    case "process":
      return new ProcessWatchdogPort(keeper);
    case "none":
      return { open: (_timeoutMs, done) => queueMicrotask(() => done(null)) };
  }
}
