/**
 * The watchdog port over a kernel device, `/dev/watchdogN`.
 *
 * A device is armed by opening it and disarmed only by the magic close (never, where the driver is
 * built with nowayout). One whose timeout is longer than asked for is not used: the other nodes
 * count on the timeout.
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import { WatchdogFile, WDIOF_MAGICCLOSE, WDIOF_SETTIMEOUT } from "../ffi/watchdog.ts";
import type { Watchdog, WatchdogPort } from "../ports.ts";

/** What the port is made with. */
export interface DeviceWatchdogOptions {
  /** `/dev/watchdog0` */
  readonly path: string;
}

/** A watchdog device. See the module's note. */
export class DeviceWatchdogPort implements WatchdogPort {
  readonly #path: string;

  constructor({ path }: DeviceWatchdogOptions) {
    this.#path = path;
  }

  open(timeoutMs: Millis, done: (watchdog: Watchdog | null) => void): void {
    const watchdog = this.#open(timeoutMs);
    queueMicrotask(() => done(watchdog));
  }

  #open(timeoutMs: Millis): Watchdog | null {
    if (!isCharacterDevice(this.#path)) return null;
    const file = WatchdogFile.open(this.#path);
    if (file === null) return null;
    const info = file.info();
    const wanted = Math.floor(timeoutMs / 1000);
    const settable = info !== null && (info.options & WDIOF_SETTIMEOUT) !== 0 && wanted >= 1;
    const seconds = settable ? file.setTimeout(wanted) : null;
    const closable = info !== null && (info.options & WDIOF_MAGICCLOSE) !== 0;
    if (info === null || seconds === null || seconds < 1 || seconds * 1000 > timeoutMs) {
      file.magicClose();
      return null;
    }
    return new DeviceWatchdog(file, { identity: info.identity, closable });
  }
}

class DeviceWatchdog implements Watchdog {
  readonly identity: string;
  readonly #file: WatchdogFile;
  readonly #closable: boolean;
  #open = true;

  constructor(file: WatchdogFile, about: { identity: string; closable: boolean }) {
    this.#file = file;
    this.identity = about.identity;
    this.#closable = about.closable;
  }

  pet(): void {
    if (this.#open) this.#file.keepAlive();
  }

  disarm(): void {
    // Closing a device without magic close leaves it running with nobody to pet it.
    if (!this.#open || !this.#closable) return;
    this.#open = false;
    this.#file.magicClose();
  }
}

/** Opening any other file would write to it at the magic close. */
function isCharacterDevice(path: string): boolean {
  try {
    return Deno.statSync(path).isCharDevice === true;
  } catch {
    return false;
  }
}
