/** Virtual machines of this host: their monitors, and the bridges that they are joined to. @module */
import type { ResourceId } from "../base/id.ts";
import type { TcpConnection, TcpEvents } from "./tcp_port.ts";

/** Each call but `connect` answers at once. */
export interface GuestPort {
  /** The processor's help can be used: `/dev/kvm` opens for reading and writing. */
  kvm(): boolean;
  /** What kind of processor a guest sees that is given this host's: equal texts, equal kinds. */
  processor(): string;
  /** Begins the paths of a machine's sockets, which only root can reach. */
  socketsOf(id: ResourceId): string;
  /** Connects to a Unix socket; `onClose` alone is told where nobody listens. */
  connect(path: string, events: TcpEvents): TcpConnection;
  /**
   * Keeps the key of a migration where only root and QEMU read it: the absolute path of the folder
   * that has it as `keys.psk`, or in a clause why there is none.
   */
  keepKey(id: ResourceId, text: string): string;
  /** It was read, or is not needed any more. */
  forgetKey(id: ResourceId): void;
  /** Why nothing can be joined to this bridge, or null. */
  bridgeFault(bridge: string): string | null;
  /** Joins an interface to a bridge and switches it on; null, or why not. */
  attach(tap: string, bridge: string): string | null;
}
