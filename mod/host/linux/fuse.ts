/**
 * The FUSE port: /dev/fuse spoken directly, without libfuse or fusermount. Needs root.
 *
 * @module
 */
import { EACCES, ENODEV, ENOENT, EPERM } from "../ffi/file.ts";
import { FuseDevice, MS_NOATIME, MS_NODEV, MS_NOSUID } from "../ffi/fuse_device.ts";
import type {
  FuseFailure,
  FuseHandlers,
  FuseMountOptions,
  FusePort,
  FuseSession,
} from "../ports.ts";
import { LinuxFuseSession } from "./fuse_session.ts";
import { prepareTarget, TYPE } from "./fuse_target.ts";
import { mountAt, readMounts } from "./mountinfo.ts";

/** The largest request: one MiB of data (config/fuse/protocol.ts) and its headers, with room. */
const BUFFER_BYTES = 1024 * 1024 + 4096;

/** What the port is made with. */
export interface LinuxFuseOptions {
  /** `/dev/fuse` */
  readonly device: string;
}

/** See the module's note. */
export class LinuxFusePort implements FusePort {
  readonly #device: string;

  constructor({ device }: LinuxFuseOptions) {
    this.#device = device;
  }

  mount(
    options: FuseMountOptions,
    handlers: FuseHandlers,
    done: (result: FuseSession | FuseFailure) => void,
  ): void {
    void this.#mount(options, handlers).then(async (result) => {
      done(result);
      if (result instanceof LinuxFuseSession) await result.run();
    });
  }

  async #mount(
    options: FuseMountOptions,
    handlers: FuseHandlers,
  ): Promise<LinuxFuseSession | FuseFailure> {
    const device = FuseDevice.open(this.#device, BUFFER_BYTES);
    if (typeof device === "number") return openFailure(this.#device, device);
    const target = await prepareTarget(options);
    if (typeof target !== "string") {
      device.close();
      return target;
    }
    const code = device.mount({
      source: options.source,
      target,
      type: TYPE,
      flags: MS_NOSUID | MS_NODEV | MS_NOATIME,
      // default_permissions: the kernel checks modes, and never asks with ACCESS.
      data: `rootmode=40000,user_id=0,group_id=${options.groupId ?? 0},` +
        "allow_other,default_permissions",
    });
    const mount = code === 0 ? mountAt(readMounts(), target) : null;
    if (mount !== null) {
      return new LinuxFuseSession({ device, mount, handlers, now: () => performance.now() });
    }
    device.close();
    return code === 0
      ? { failure: "io", detail: `"${target}" was unmounted at once` }
      : mountFailure(target, code);
  }
}

function openFailure(path: string, code: number): FuseFailure {
  if (code === ENOENT || code === ENODEV) {
    return {
      failure: "absent",
      detail: `This host has no "${path}": its kernel lacks FUSE, or \`modprobe fuse\` is missing`,
    };
  }
  const why = code === EACCES || code === EPERM
    ? "only root may, and a container only where it is allowed to"
    : `errno ${code}`;
  return { failure: code === EACCES ? "denied" : "io", detail: `Cannot open "${path}": ${why}` };
}

function mountFailure(target: string, code: number): FuseFailure {
  if (code === EPERM || code === EACCES) {
    return {
      failure: "denied",
      detail: `Cannot mount on "${target}": only root (CAP_SYS_ADMIN) may mount`,
    };
  }
  if (code === ENODEV) {
    return { failure: "absent", detail: "This kernel has no FUSE file system" };
  }
  return { failure: "io", detail: `Cannot mount on "${target}": errno ${code}` };
}
