/** The port of mounts; see `ports.ts`. @module */
/** File systems whose requests this process answers (FUSE). */
export interface FusePort {
  /**
   * Mounts on a folder, which is made where it is missing. A mount of a pentad that died is taken
   * over; anything else that is there is left alone, and told in the failure. Requests may come as
   * soon as `done` has returned, and at once.
   */
  mount(
    options: FuseMountOptions,
    handlers: FuseHandlers,
    done: (result: FuseSession | FuseFailure) => void,
  ): void;
}

export interface FuseMountOptions {
  /** Absolute path of the mount point. */
  readonly target: string;
  /** What mount(8) shows as the device: `pentad`. */
  readonly source: string;
  /** Owner group of the mount; default 0. */
  readonly groupId?: number;
  /** Mounts over a folder with files in it, which are hidden until the unmount. Default false. */
  readonly allowNonEmpty?: boolean;
}

export interface FuseHandlers {
  /** One request as the kernel wrote it; the bytes are the receiver's own. */
  onRequest(bytes: Uint8Array): void;
  /** Exactly once: nothing is mounted any more, and nothing is called after it. */
  onClosed(why: string): void;
}

/**
 * Why a mount did not come to be. `occupied`: something else is mounted there, or there are files.
 * `hung`: what is there does not answer.
 */
export interface FuseFailure {
  readonly failure: "denied" | "absent" | "occupied" | "hung" | "io";
  readonly detail: string;
}

/** A file system that is mounted. */
export interface FuseSession {
  /** Answers a request. One that was aborted in the meantime is no error. */
  reply(bytes: Uint8Array): void;
  /**
   * Tells the kernel something unasked. Never waits: the kernel may hold a notice back until a
   * request on the same directory is answered. Notices may overtake each other, and where too many
   * wait the newest are dropped: what the kernel caches is then old until it expires.
   */
  notify(bytes: Uint8Array): void;
  /** Also where files are open there: those who have them get errors. `onClosed` tells the end. */
  unmount(): void;
}
