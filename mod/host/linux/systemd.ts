/** systemd of this host, where it runs: its units, and what a service tells it. @module */
import { encodeText } from "../../base/bytes.ts";
import { Datagrams } from "./datagrams.ts";

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
  readonly #way: Datagrams;
  #status = "";

  /** `folder`: where the sending socket may lie; private to us. */
  constructor(folder: string, target: string | undefined) {
    // An abstract address begins with @ in the environment, with a zero byte in the kernel: unix(7).
    const to = target?.replace(/^@/, "\0") || null;
    this.#way = new Datagrams({ own: `${folder}/notify.sock`, to, waitingMax: WAITING_MAX });
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
    await this.#way.close();
  }

  #send(text: string): void {
    this.#way.send(encodeText(text));
  }
}
