/** What simulated agents answer, and where simulated addresses are. @module */
import type {
  AddressPort,
  AddressSpec,
  Operation,
  OperationResult,
  ProbeResult,
} from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { HostProcesses } from "./plant.ts";
import type { Proc } from "./proc.ts";
import type { World } from "./world.ts";

const PROBE_MS = 300;
const METADATA = `<resource-agent name="Dummy"><parameters/><actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s"/></actions></resource-agent>`;
const UNIT = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=disabled\n";
/** An agent of this name finds its parameters wrong, one of the other cannot stop what is there. */
const WRONG = "/Wrong";
const STUCK = "/Stuck";
const CONFIGURED = 6;

/** How an operation ends; `proc` is what is held by its resource, `fails` whether a start does. */
export function answerOf(
  { command, role }: Operation,
  { proc, fails }: { readonly proc: Proc | null; readonly fails: boolean },
): OperationResult {
  const [program = "", action = ""] = command;
  const ended = (status: number, output = "") => ({ status, failure: null, output });
  if (program === "qm") {
    return { status: null, failure: { absent: true, why: "there is none" }, output: "" };
  }
  if (program === "systemctl" && role === "look") return ended(0, UNIT);
  if (action === "meta-data") return ended(0, METADATA);
  if (role === "start") return ended(program.endsWith(WRONG) ? CONFIGURED : fails ? 1 : 0);
  if (action === "stop" && program.endsWith(STUCK) && proc !== null) return ended(1, "it is busy");
  if (action !== "monitor") return ended(0);
  return proc === null ? ended(7) : ended(proc.sick === null ? 0 : 1, proc.sick ?? "");
}

/** A host's addresses: one is there while the resource is held that has it. */
export class SimAddresses implements AddressPort {
  readonly #world: World;
  readonly #processes: HostProcesses;
  readonly #life: Life;

  constructor(world: World, processes: HostProcesses, life: Life) {
    this.#world = world;
    this.#processes = processes;
    this.#life = life;
  }

  find(): { interface: string; prefix: number } {
    return { interface: "eth0", prefix: 24 };
  }

  look({ address }: AddressSpec): true | { present: boolean; why: string } {
    const mark = `"address":"${address}"`;
    const held = this.#processes.all().some(({ note }) => note?.includes(mark) === true);
    return held || { present: false, why: `"eth0" has no ${address}` };
  }

  probe(_spec: AddressSpec, done: (result: ProbeResult) => void): void {
    if (!this.#life.act()) return;
    this.#world.after(PROBE_MS, () => this.#life.deliver(() => done({ holder: null })));
  }

  add(): string | null {
    return this.#life.act() ? null : "It is dead";
  }

  remove(): string | null {
    return null;
  }

  announce(): void {
    this.#life.act();
  }
}
