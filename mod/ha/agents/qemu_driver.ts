/** Kind `vm` on a host without Proxmox VE: QEMU itself, driven through its monitor. @module */
import type { ResourceId } from "../../base/id.ts";
import { after, type Instant, type Millis } from "../../base/time.ts";
import type { ProcessHealth, ProcessPort } from "../../host/ports.ts";
import { KIND_TIMEOUTS, type VmAction } from "./action.ts";
import { type Done, endHeld, holdFor, type KindDriver, type MonitorSpec } from "./kind_driver.ts";
import { once, printNote, type Starting, type StartSpec } from "./kind_driver.ts";
import type { Failure } from "./ocf.ts";
import { statusIn } from "./qmp.ts";
import { type QmpCommand, type QmpPorts, type QmpResult, talk } from "./qmp_talk.ts";
import { monitorPath, QEMU, tapName, vmCommand } from "./vm_command.ts";
import { readVmConfig, type VmConfig } from "./vm_config.ts";
import { definitionFailure, healthOfMachine, remarksOf } from "./vm.ts";

/** Between two looks at what is waited for. */
const LOOK_MS: Millis = 100;
/** How long the monitor may take for an answer where nobody waits longer. */
const ANSWER_MS: Millis = 5000;
/** How long a machine may take to end once QEMU was told to. */
const QUIT_MS: Millis = 5000;
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
interface Start {
  readonly id: ResourceId;
  readonly vmid: number;
  readonly config: VmConfig;
  readonly end: Instant;
}

export class QemuDriver implements KindDriver<VmAction> {
  readonly #ports: VmPorts;

  constructor(ports: VmPorts) {
    this.#ports = ports;
  }

  start(spec: Starting<VmAction>, done: Done): void {
    const { process: processes, guest, clock } = this.#ports;
    const { id, action: { vmid, file } } = spec;
    const reading = readVmConfig(file?.text ?? "");
    const fault = definitionFailure(reading) ?? this.#bridgeFailure(reading.config);
    if (fault !== null) return done(fault);
    const limitMs = spec.timeoutMs ?? KIND_TIMEOUTS.vm.start ?? ANSWER_MS;
    const start = { id, vmid, config: reading.config, end: after(clock.now(), limitMs) };
    const environment = { PATH: processes.places.path };
    const look = { id, command: [QEMU, "--version"], environment, timeoutMs: ANSWER_MS } as const;
    processes.operate({ ...look, role: "look", output: "all" }, ({ failure }) => {
      if (failure !== null) {
        const why = failure.absent ? `${QEMU} is not installed here` : failure.why;
        return done({ why, scope: "node" });
      }
      // The definition is where it was; what was started is known by its number.
      const remarks = remarksOf(reading);
      const action: VmAction = { ...spec.action, file: null, by: "qemu", remarks };
      const note = printNote({ ...spec, action });
      holdFor(processes, { spec, undo: [], note }, (refused) => {
        if (refused !== null) return done(once(refused));
        const sockets = guest.socketsOf(id);
        const command = vmCommand(reading.config, { vmid, kvm: guest.kvm(), sockets });
        processes.start({ id, command, environment, directory: null }, (why) => {
          if (why !== null) return done(once(why));
          processes.made(id);
          this.#awaitMonitor(start, done);
        });
      });
    });
  }

  stop({ id }: StartSpec<VmAction>, graceMs: Millis | null, done: Done): void {
    const { clock } = this.#ports;
    const limitMs = graceMs ?? KIND_TIMEOUTS.vm.stop ?? ANSWER_MS;
    const end = after(clock.now(), limitMs);
    const finish = () => endHeld(this.#ports.process, id, done);
    const quit = () =>
      this.#talk(id, [{ execute: "quit" }], () => {
        this.#awaitEnd(id, after(clock.now(), QUIT_MS), finish);
      });
    this.#talk(id, [{ execute: "query-status" }], (result) => {
      // Whoever cannot be asked cannot be told either.
      if ("why" in result) return finish();
      if (limitMs === 0 || statusIn(result.answers[0]) !== "running") return quit();
      this.#talk(id, [{ execute: "system_powerdown" }], () => {
        this.#awaitEnd(id, end, (ended) => ended ? finish() : quit());
      });
    });
  }

  monitor(spec: MonitorSpec<VmAction>, done: (health: ProcessHealth) => void): void {
    const { id, action: { remarks } } = spec;
    const limitMs = spec.timeoutMs ?? KIND_TIMEOUTS.vm.monitor ?? ANSWER_MS;
    this.#ports.process.monitor({ id, command: null, timeoutMs: limitMs }, (health) => {
      if (health.state !== "running") return done(health);
      this.#talk(id, [{ execute: "query-status" }], (result) => {
        if ("why" in result) return done({ state: "failed", why: result.why });
        done(healthOfMachine(statusIn(result.answers[0]), remarks));
      }, limitMs);
    });
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
    this.#talk(id, [], (result) => {
      if ("answers" in result) return this.#join(start, done);
      if (!result.absent) return done(once(result.why));
      this.#unlessEnded(id, done, () => {
        if (this.#ports.clock.now() >= end) return done(once(result.why));
        this.#later(() => this.#awaitMonitor(start, done));
      });
    });
  }

  /** Its cards exist: they are joined to their bridges, and it is let run. */
  #join(start: Start, done: Done): void {
    const { id, vmid, config: { nets } } = start;
    for (const net of nets) {
      if (net.bridge === null) continue;
      const why = this.#ports.guest.attach(tapName(vmid, net), net.bridge);
      if (why !== null) return done(once(`net${net.at}: ${why}`));
    }
    const commands: QmpCommand[] = nets.filter(({ linkDown }) => linkDown).map(({ at }) => ({
      execute: "set_link",
      arguments: { name: `net${at}`, up: false },
    }));
    commands.push({ execute: "cont" });
    if (nets.some(({ bridge }) => bridge !== null)) commands.push(ANNOUNCE);
    this.#talk(id, commands, (result) => {
      if ("why" in result) return done(once(result.why));
      this.#awaitRunning(start, done);
    });
  }

  #awaitRunning(start: Start, done: Done): void {
    const { id, end } = start;
    this.#talk(id, [{ execute: "query-status" }], (result) => {
      const status = "answers" in result ? statusIn(result.answers[0]) : null;
      if (status === "running") return done(null);
      const health = healthOfMachine(status);
      if (status !== null && health.state === "failed") return done(once(health.why));
      this.#unlessEnded(id, done, () => {
        const why = "why" in result ? result.why : `it does not run: it is "${status ?? "?"}"`;
        if (this.#ports.clock.now() >= end) return done(once(why));
        this.#later(() => this.#awaitRunning(start, done));
      });
    });
  }

  #unlessEnded(id: ResourceId, done: Done, then: () => void): void {
    this.#ports.process.monitor({ id, command: null, timeoutMs: ANSWER_MS }, ({ state }) => {
      if (state === "running") return then();
      done(once("QEMU ended before the machine ran; its words are in the resource's output"));
    });
  }

  /** Told whether it ended in time. */
  #awaitEnd(id: ResourceId, end: Instant, tell: (ended: boolean) => void): void {
    const { process: processes, clock } = this.#ports;
    processes.monitor({ id, command: null, timeoutMs: ANSWER_MS }, ({ state }) => {
      if (state === "stopped") return tell(true);
      if (clock.now() >= end) return tell(false);
      this.#later(() => this.#awaitEnd(id, end, tell));
    });
  }

  #later(then: () => void): void {
    const { clock } = this.#ports;
    clock.timer(then).set(after(clock.now(), LOOK_MS));
  }

  #talk(
    id: ResourceId,
    commands: readonly QmpCommand[],
    done: (result: QmpResult) => void,
    limitMs: Millis = ANSWER_MS,
  ): void {
    const path = monitorPath(this.#ports.guest.socketsOf(id));
    talk(this.#ports, { path, commands, limitMs }, done);
  }
}
