/**
 * The FUSE port of a simulated host: one kernel a mount, and no device between.
 *
 * @module
 */
import type {
  FuseFailure,
  FuseHandlers,
  FuseMountOptions,
  FusePort,
  FuseSession,
} from "../host/ports.ts";
import { SimKernel } from "./fuse_kernel.ts";

/** One mount. */
interface Mounted {
  readonly kernel: SimKernel;
  readonly source: string;
  /** Its server lives. */
  living: boolean;
}

/** The mounts of one host: they outlive the daemon that served them, as dead ones. */
export class HostFuse {
  readonly #mounts = new Map<string, Mounted>();

  /** The kernel behind the mount at `target`, or null where there is none. */
  kernel(target: string): SimKernel | null {
    return this.#mounts.get(target)?.kernel ?? null;
  }

  /** Paths of all mounts, dead ones too. */
  targets(): string[] {
    return [...this.#mounts.keys()];
  }

  /** Somebody else's file system on `target`, which nobody may touch. */
  occupy(target: string, source: string): void {
    this.#mounts.set(target, { kernel: new SimKernel(nothing), source, living: true });
  }

  /** The daemon died: what it served is dead until it is taken over. */
  crash(): void {
    for (const mount of this.#mounts.values()) {
      mount.living = false;
      mount.kernel.abort();
    }
  }

  /** Mounts, or says why not. */
  mount(
    { target, source }: FuseMountOptions,
    send: (bytes: Uint8Array) => void,
  ): SimKernel | FuseFailure {
    const there = this.#mounts.get(target);
    if (there?.living) {
      return { failure: "occupied", detail: `"${target}" is mounted by "${there.source}"` };
    }
    const kernel = new SimKernel(send);
    this.#mounts.set(target, { kernel, source, living: true });
    return kernel;
  }

  /** Ends the mount of this kernel; false where it is not there any more. */
  unmount(kernel: SimKernel): boolean {
    for (const [target, mount] of this.#mounts) {
      if (mount.kernel === kernel) return this.#mounts.delete(target);
    }
    return false;
  }
}

/** How the daemon is called: at once in a unit test, over the world's events in the simulator. */
export type Deliver = (run: () => void) => void;

/** The FUSE port of one life of a daemon. */
export class SimFuse implements FusePort {
  readonly #host: HostFuse;
  readonly #deliver: Deliver;

  constructor(host: HostFuse, deliver: Deliver) {
    this.#host = host;
    this.#deliver = deliver;
  }

  mount(
    options: FuseMountOptions,
    handlers: FuseHandlers,
    done: (result: FuseSession | FuseFailure) => void,
  ): void {
    this.#deliver(() => {
      let open = true;
      const kernel = this.#host.mount(options, (bytes) =>
        this.#deliver(() => {
          if (open) handlers.onRequest(bytes);
        }));
      if (!(kernel instanceof SimKernel)) return done(kernel);
      const close = () => {
        if (!open) return;
        open = false;
        handlers.onClosed("unmounted");
      };
      done({
        reply(bytes) {
          if (open) kernel.write(bytes);
        },
        notify(bytes) {
          if (open) kernel.write(bytes);
        },
        unmount: () => {
          if (!this.#host.unmount(kernel)) return;
          kernel.abort();
          this.#deliver(close);
        },
      });
      kernel.start();
    });
  }
}

function nothing(): void {
  // Nobody serves it here.
}
