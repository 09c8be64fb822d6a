/** One conversation with QEMU's monitor: commands one after the other, with one deadline for all. @module */
import { after, type Millis, NEVER } from "../../base/time.ts";
import type { ClockPort, GuestPort, TcpConnection, TimerHandle } from "../../host/ports.ts";
import { printQmp, QMP_STRAY_MAX, QmpReader } from "./qmp.ts";

/** A command, and what it is given. */
export interface QmpCommand {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** The answers in the order of the commands; or why there are not all of them. */
export type QmpResult =
  | { readonly answers: readonly unknown[] }
  /** `absent`: nobody listens there. */
  | { readonly why: string; readonly absent: boolean };

/** What it works on. */
export interface QmpPorts {
  readonly guest: GuestPort;
  readonly clock: ClockPort;
}

/**
 * Says the commands one by one, each after the answer to the one before; ends at the first that is
 * refused, or `limitMs` after it began. `done` is called once.
 */
export function talk(
  ports: QmpPorts,
  ask: {
    readonly path: string;
    readonly commands: readonly QmpCommand[];
    readonly limitMs: Millis;
  },
  done: (result: QmpResult) => void,
): void {
  new Talk(ports, ask.commands, done).begin(ask.path, ask.limitMs);
}

class Talk {
  readonly #ports: QmpPorts;
  readonly #commands: readonly QmpCommand[];
  readonly #done: (result: QmpResult) => void;
  readonly #reader = new QmpReader();
  readonly #answers: unknown[] = [];
  readonly #timer: TimerHandle;
  #connection: TcpConnection | null = null;
  #greeted = false;
  /** Of the command under way: its number. The first one opens the conversation. */
  #asked = 0;
  #strays = 0;
  #over = false;

  constructor(
    ports: QmpPorts,
    commands: readonly QmpCommand[],
    done: (result: QmpResult) => void,
  ) {
    this.#ports = ports;
    this.#commands = [{ execute: "qmp_capabilities" }, ...commands];
    this.#done = done;
    this.#timer = ports.clock.timer(() => this.#fail("its monitor does not answer", false));
  }

  begin(path: string, limitMs: Millis): void {
    const { guest, clock } = this.#ports;
    this.#timer.set(after(clock.now(), limitMs));
    this.#connection = guest.connect(path, {
      onData: (bytes) => this.#onData(bytes),
      onClose: () =>
        this.#fail(
          this.#greeted ? "its monitor hung up" : "its monitor does not listen",
          !this.#greeted,
        ),
    });
  }

  #onData(bytes: Uint8Array): void {
    const messages = this.#over ? [] : this.#reader.read(bytes);
    if (typeof messages === "string") return this.#fail(messages, false);
    for (const message of messages) {
      if (this.#over) return;
      if (message.is === "greeting" && !this.#greeted) {
        this.#greeted = true;
        this.#next();
      } else if (message.is === "answer" && message.id === this.#asked) {
        this.#answers.push(message.value);
        this.#next();
      } else if (message.is === "error" && message.id === this.#asked) {
        const { execute } = this.#commands[this.#asked - 1] ?? { execute: "?" };
        this.#fail(`its monitor refuses ${execute}: ${message.why}`, false);
      } else if (++this.#strays > QMP_STRAY_MAX) {
        this.#fail("its monitor talks of everything but what it is asked", false);
      }
    }
  }

  #next(): void {
    const command = this.#commands[this.#asked++];
    if (command === undefined) return this.#end({ answers: this.#answers.slice(1) });
    const { execute, ...more } = command;
    this.#connection?.write(printQmp(execute, { id: this.#asked, ...more }));
  }

  #fail(why: string, absent: boolean): void {
    this.#end({ why, absent });
  }

  #end(result: QmpResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer.set(NEVER);
    this.#connection?.close();
    this.#done(result);
  }
}
