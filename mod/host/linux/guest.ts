/** Virtual machines of a Linux host. @module */
import type { ResourceId } from "../../base/id.ts";
import type { GuestPort } from "../guest_port.ts";
import type { TcpConnection, TcpEvents } from "../ports.ts";
import { joinRequest } from "./netlink_wire.ts";
import { connectUnix } from "./tcp.ts";
import { askKernel, linkOf } from "./virtual_address.ts";

const KVM = "/dev/kvm";

/** See `GuestPort`. The sockets lie in the run directory, private to root. */
export class LinuxGuestPort implements GuestPort {
  readonly #folder: string;

  constructor(runDirectory: string) {
    this.#folder = runDirectory;
  }

  kvm(): boolean {
    try {
      Deno.openSync(KVM, { read: true, write: true }).close();
      return true;
    } catch {
      return false;
    }
  }

  processor(): string {
    const [first = ""] = Deno.readTextFileSync("/proc/cpuinfo").split("\n\n");
    const kinds = /^(vendor_id|cpu family|model|model name|flags)\s*:/;
    return first.split("\n").filter((line) => kinds.test(line)).join("\n");
  }

  socketsOf(id: ResourceId): string {
    return `${this.#folder}/${id.replace(":", "-")}`;
  }

  connect(path: string, events: TcpEvents): TcpConnection {
    return connectUnix(path, events);
  }

  keepKey(id: ResourceId, text: string): string {
    const folder = `${this.socketsOf(id)}.keys`;
    try {
      this.forgetKey(id);
      Deno.mkdirSync(folder, { mode: 0o700 });
      const file = `${folder}/keys.psk`;
      Deno.writeTextFileSync(file, text, { mode: 0o600, createNew: true });
      return Deno.realPathSync(folder);
    } catch (error) {
      this.forgetKey(id);
      return `the key of the migration cannot be kept: ${String(error)}`;
    }
  }

  forgetKey(id: ResourceId): void {
    try {
      Deno.removeSync(`${this.socketsOf(id)}.keys`, { recursive: true });
    } catch {
      // There is none.
    }
  }

  bridgeFault(bridge: string): string | null {
    const link = linkOf(bridge);
    if (typeof link === "string") return `there is no bridge "${bridge}" here`;
    if (link.kind === "bridge") return null;
    return `"${bridge}" is no bridge of the kernel's${link.kind === "" ? "" : `: ${link.kind}`}`;
  }

  attach(tap: string, bridge: string): string | null {
    const fault = this.bridgeFault(bridge);
    if (fault !== null) return fault;
    const [port, master] = [linkOf(tap), linkOf(bridge)];
    if (typeof port === "string") return port;
    if (typeof master === "string") return master;
    const code = askKernel((seq) => joinRequest({ index: port.index, master: master.index }, seq));
    return code === 0 ? null : `cannot join "${tap}" to "${bridge}": errno ${code}`;
  }
}
