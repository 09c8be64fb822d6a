/** systemd of this host, where it runs: its units, and what a service tells it. @module */
import { encodeText } from "../../base/bytes.ts";

/** sd_booted(3): the folder is there exactly where systemd is the init. */
const BOOTED = "/run/systemd/system";

/** Runs `systemctl`; what it said, and whether it succeeded. */
export async function systemctl(
  ...args: readonly string[]
): Promise<{ readonly success: boolean; readonly said: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command("systemctl", {
      args: [...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { success, said: `${decoder.decode(stdout)}${decoder.decode(stderr)}`.trim() };
  } catch (error) {
    return { success: false, said: error instanceof Error ? error.message : String(error) };
  }
}

/** True where systemd runs this host. */
export function systemdRuns(): boolean {
  try {
    return Deno.statSync(BOOTED).isDirectory;
  } catch {
    return false;
  }
}

/** Words that wait for a service manager that does not read; more are dropped. */
const WAITING_MAX = 16;

/**
 * The way from a service to systemd: sd_notify(3). Datagrams to the socket that the environment names;
 * all calls do nothing where it names none.
 */
export class ServiceNotifier {
  readonly #socket: Deno.DatagramConn | null;
  readonly #to: Deno.UnixAddr | null;
  readonly #own: string;
  #status = "";
  #sent: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** `folder`: where the sending socket may lie; private to us. */
  constructor(folder: string, target: string | undefined) {
    this.#own = `${folder}/notify.sock`;
    // An abstract address begins with @ in the environment, with a zero byte in the kernel: unix(7).
    const path = target?.replace(/^@/, "\0") ?? "";
    this.#to = path === "" ? null : { transport: "unixpacket", path };
    this.#socket = this.#to === null ? null : open(this.#own);
  }

  /** The API answers. */
  ready(): void {
    this.#send("READY=1");
  }

  /** The loop ran: WatchdogSec begins anew. */
  alive(): void {
    this.#send("WATCHDOG=1");
  }

  /** One line for people; sent only where it changed. */
  status(line: string): void {
    if (line === this.#status) return;
    this.#status = line;
    this.#send(`STATUS=${line.replaceAll("\n", " ")}`);
  }

  /** An orderly stop has begun, and takes at most so long. */
  stopping(limitMs: number): void {
    this.#send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${limitMs * 1000}`);
  }

  /** What was said is sent; nothing is said any more. */
  async close(): Promise<void> {
    await this.#sent;
    if (this.#socket === null) return;
    this.#socket.close();
    Deno.removeSync(this.#own);
  }

  #send(text: string): void {
    const [socket, to] = [this.#socket, this.#to];
    if (socket === null || to === null || this.#waiting >= WAITING_MAX) return;
    this.#waiting++;
    // One at a time: the runtime refuses a second send on a socket that is sending.
    this.#sent = this.#sent.then(() => socket.send(encodeText(text), to))
      // A service manager that does not listen is no reason to stop a cluster's node.
      .then(() => {}, () => {})
      .finally(() => void this.#waiting--);
  }
}

function open(path: string): Deno.DatagramConn | null {
  try {
    Deno.removeSync(path);
  } catch {
    // None was left.
  }
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path });
  } catch {
    return null;
  }
}
