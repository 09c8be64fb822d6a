/** From a definition to a machine that runs: the steps that a start and a migration share. @module */
import { crc32 } from "../../base/checksum.ts";
import { encodeText } from "../../base/bytes.ts";
import type { ResourceId } from "../../base/id.ts";
import { after, type Instant, type Millis } from "../../base/time.ts";
import type { ProcessPort } from "../../host/ports.ts";
import { KIND_TIMEOUTS, type VmAction } from "./action.ts";
import { type Done, holdFor, once, printNote, type Starting } from "./kind_driver.ts";
import type { Failure } from "./ocf.ts";
import { statusIn } from "./qmp.ts";
import { type QmpCommand, type QmpPorts, type QmpResult, talk } from "./qmp_talk.ts";
import { monitorPath, QEMU, tapName, vmCommand } from "./vm_command.ts";
import { readVmConfig, type VmConfig, type VmReading } from "./vm_config.ts";
import { definitionFailure, healthOfMachine, remarksOf } from "./vm.ts";

/** Between two looks at what is waited for. */
const LOOK_MS: Millis = 100;
/** How long the monitor may take for an answer where nobody waits longer. */
export const ANSWER_MS: Millis = 5000;
/**
 * Frames by which switches learn where a machine's cards are now: QEMU sends them (RARP), for each
 * card and through its own port; a guest with virtio announces its addresses, too.
 */
const ANNOUNCE: QmpCommand = {
  execute: "announce-self",
  arguments: { initial: 50, max: 550, rounds: 5, step: 100 },
};

/** What the driver works on. */
export interface VmPorts extends QmpPorts {
  readonly process: ProcessPort;
}

/** A start under way. */
export interface Start {
  readonly id: ResourceId;
  readonly vmid: number;
  readonly config: VmConfig;
  readonly end: Instant;
}

/** What is added to a machine that receives another one's memory. */
export interface Receiving {
  readonly words: readonly string[];
  readonly note: Pick<VmAction, "received">;
}

/** See the module's note. */
export class QemuStart {
  readonly #ports: VmPorts;

  constructor(ports: VmPorts) {
    this.#ports = ports;
  }

  /** What would be started, or why it cannot be here. */
  begin(
    spec: Starting<VmAction>,
  ): Failure | { readonly start: Start; readonly reading: VmReading } {
    const { id, action: { vmid, file } } = spec;
    const reading = readVmConfig(file?.text ?? "");
    const { config } = reading;
    const fault = definitionFailure(reading) ?? this.#bridgeFailure(config);
    if (fault !== null) return fault;
    const limitMs = spec.timeoutMs ?? KIND_TIMEOUTS.vm.start ?? ANSWER_MS;
    const end = after(this.#ports.clock.now(), limitMs);
    return { start: { id, vmid, config, end }, reading };
  }

  /**
   * Two machines with the same number are made of the same words and, with the processor's help, by
   * hosts with the same processor: QEMU compares neither what it could not give, nor what it gave.
   */
  buildOf({ vmid, config }: Start): number {
    const { guest } = this.#ports;
    const kvm = guest.kvm();
    const words = vmCommand(config, { vmid, kvm, sockets: "" });
    const processor = kvm && config.kvm ? guest.processor() : "";
    return crc32(encodeText(JSON.stringify([words, processor])));
  }

  /** Makes the machine, halted, and joins its cards to their bridges. */
  launch(
    spec: Starting<VmAction>,
    { start, reading }: { readonly start: Start; readonly reading: VmReading },
    receiving: Receiving | null,
    done: Done,
  ): void {
    const { process: processes, guest } = this.#ports;
    const { id, vmid, config } = start;
    const environment = { PATH: processes.places.path };
    const look = { id, command: [QEMU, "--version"], environment, timeoutMs: ANSWER_MS } as const;
    processes.operate({ ...look, role: "look", output: "all" }, ({ failure }) => {
      if (failure !== null) {
        const why = failure.absent ? `${QEMU} is not installed here` : failure.why;
        return done({ why, scope: "node" });
      }
      // The definition is where it was; what was started is known by its number.
      const known = { file: null, by: "qemu", remarks: remarksOf(reading) } as const;
      const action: VmAction = {
        ...{ ...spec.action, ...known },
        ...{ build: this.buildOf(start), ...receiving?.note },
      };
      const note = printNote({ ...spec, action });
      holdFor(processes, { spec, undo: [], note }, (refused) => {
        if (refused !== null) return done(once(refused));
        const sockets = guest.socketsOf(id);
        const words = vmCommand(config, { vmid, kvm: guest.kvm(), sockets });
        const command = [...words, ...receiving?.words ?? []];
        processes.start({ id, command, environment, directory: null }, (why) => {
          if (why !== null) return done(once(why));
          processes.made(id);
          this.#awaitMonitor(start, done);
        });
      });
    });
  }

  /** It is let run. */
  letRun(start: Start, done: Done): void {
    const { id, config: { nets } } = start;
    const commands: QmpCommand[] = nets.filter(({ linkDown }) => linkDown).map(({ at }) => ({
      execute: "set_link",
      arguments: { name: `net${at}`, up: false },
    }));
    commands.push({ execute: "cont" });
    if (nets.some(({ bridge }) => bridge !== null)) commands.push(ANNOUNCE);
    this.talk(id, commands, (result) => {
      if ("why" in result) return done(once(result.why));
      this.#awaitRunning(start, done);
    });
  }

  later(then: () => void): void {
    const { clock } = this.#ports;
    clock.timer(then).set(after(clock.now(), LOOK_MS));
  }

  talk(
    id: ResourceId,
    commands: readonly QmpCommand[],
    done: (result: QmpResult) => void,
    limitMs: Millis = ANSWER_MS,
  ): void {
    const path = monitorPath(this.#ports.guest.socketsOf(id));
    talk(this.#ports, { path, commands, limitMs }, done);
  }

  #bridgeFailure({ nets }: VmConfig): Failure | null {
    for (const { at, bridge } of nets) {
      const why = bridge === null ? null : this.#ports.guest.bridgeFault(bridge);
      if (why !== null) return { why: `net${at}: ${why}`, scope: "node" };
    }
    return null;
  }

  /** Its process has begun: it will listen, or end. */
  #awaitMonitor(start: Start, done: Done): void {
    const { id, end } = start;
    this.talk(id, [], (result) => {
      if ("answers" in result) return this.#join(start, done);
      if (!result.absent) return done(once(result.why));
      this.#unlessEnded(id, done, () => {
        if (this.#ports.clock.now() >= end) return done(once(result.why));
        this.later(() => this.#awaitMonitor(start, done));
      });
    });
  }

  /** Its cards exist. */
  #join({ vmid, config: { nets } }: Start, done: Done): void {
    for (const net of nets) {
      if (net.bridge === null) continue;
      const why = this.#ports.guest.attach(tapName(vmid, net), net.bridge);
      if (why !== null) return done(once(`net${net.at}: ${why}`));
    }
    done(null);
  }

  #awaitRunning(start: Start, done: Done): void {
    const { id, end } = start;
    this.talk(id, [{ execute: "query-status" }], (result) => {
      const status = "answers" in result ? statusIn(result.answers[0]) : null;
      if (status === "running") return done(null);
      const health = healthOfMachine(status);
      if (status !== null && health.state === "failed") return done(once(health.why));
      this.#unlessEnded(id, done, () => {
        const why = "why" in result ? result.why : `it does not run: it is "${status ?? "?"}"`;
        if (this.#ports.clock.now() >= end) return done(once(why));
        this.later(() => this.#awaitRunning(start, done));
      });
    });
  }

  #unlessEnded(id: ResourceId, done: Done, then: () => void): void {
    this.#ports.process.monitor({ id, command: null, timeoutMs: ANSWER_MS }, ({ state }) => {
      if (state === "running") return then();
      done(once("QEMU ended before the machine ran; its words are in the resource's output"));
    });
  }
}
