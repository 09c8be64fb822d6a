/** Kind `ocf`: agents of the Open Cluster Framework, as they are. @module */
import type { ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import type { OperationResult, ProcessHealth, ProcessPort } from "../../host/ports.ts";
import type { OcfAction } from "./action.ts";
import { type Done, endHeld, holdFor, type KindDriver, type MonitorSpec } from "./kind_driver.ts";
import { once, type Starting, type StartSpec } from "./kind_driver.ts";
import type { Failure } from "./ocf.ts";
import { agentPath, failureOf, healthOf, isCertainlyDown, isRefusal } from "./ocf.ts";
import { type OcfCall, ocfEnvironment } from "./ocf.ts";
import { advisedTimeout, isPromotable, type OcfMetadata, parameterFaults } from "./ocf_metadata.ts";
import { parseMetadata } from "./ocf_metadata.ts";

/** Where neither the resource nor the agent says more: Pacemaker's default. */
const TIMEOUT_MS: Millis = 20_000;
const METADATA_TIMEOUT_MS: Millis = 30_000;

type Operate = (result: OperationResult) => void;

export class OcfDriver implements KindDriver<OcfAction> {
  readonly #processes: ProcessPort;
  /** Of resources that were started or watched in this life. */
  readonly #metadata = new Map<ResourceId, OcfMetadata>();
  /** Held, and their agents refused to start them: nothing of them can run. */
  readonly #refused = new Set<ResourceId>();

  constructor(processes: ProcessPort) {
    this.#processes = processes;
  }

  start(spec: Starting<OcfAction>, done: Done): void {
    this.#describe(spec, (metadata) => {
      if ("why" in metadata) return done(metadata);
      const timeoutMs = spec.timeoutMs ?? advisedTimeout(metadata, "start") ?? TIMEOUT_MS;
      const undo = [this.#undoOf(spec, advisedTimeout(metadata, "stop") ?? TIMEOUT_MS)];
      holdFor(this.#processes, { spec, undo }, (refused) => {
        if (refused !== null) return done(once(refused));
        this.#refused.delete(spec.id);
        this.#run({ ...spec, operation: "start", timeoutMs }, "start", (result) => {
          if (isRefusal(result)) this.#refused.add(spec.id);
          done(failureOf("start", result));
        });
      });
    });
  }

  stop(spec: StartSpec<OcfAction>, graceMs: Millis | null, done: Done): void {
    const { id } = spec;
    const advised = advisedTimeout(this.#metadata.get(id) ?? NOTHING, "stop");
    const timeoutMs = graceMs ?? advised ?? TIMEOUT_MS;
    const end = () => endHeld(this.#processes, id, done);
    this.#run({ ...spec, operation: "stop", timeoutMs }, "undo", (result) => {
      const failure = failureOf("stop", result);
      if (failure === null) return end();
      if (!isRefusal(result)) return done(failure);
      // An agent whose program is not installed refuses to stop what cannot run. One that was there
      // when it started something, and is gone now, may leave a mount behind.
      this.#run({ ...spec, operation: "monitor", timeoutMs }, "undo", (seen) => {
        if (isCertainlyDown(seen, this.#refused.has(id))) end();
        else done(failure);
      });
    });
  }

  monitor(spec: MonitorSpec<OcfAction>, done: (health: ProcessHealth) => void): void {
    const { id, action, intervalMs } = spec;
    const ask = (metadata: OcfMetadata) => {
      const advised = advisedTimeout(metadata, "monitor", action.checkLevel);
      const timeoutMs = spec.timeoutMs ?? advised ?? TIMEOUT_MS;
      const call = { ...spec, operation: "monitor", timeoutMs, intervalMs } as const;
      this.#run(call, "look", (result) => done(healthOf(result)));
    };
    const known = this.#metadata.get(id);
    if (known !== undefined) return ask(known);
    // Adopted: what it advises is not known in this life yet.
    this.#describe(spec, (metadata) => ask("why" in metadata ? NOTHING : metadata));
  }

  /** What the agent says of itself, if it can be managed with these parameters. */
  #describe(spec: StartSpec<OcfAction>, tell: (metadata: OcfMetadata | Failure) => void): void {
    const { id, action } = spec;
    const name = `ocf:${action.provider}:${action.type}`;
    const call = { ...spec, operation: "meta-data", timeoutMs: METADATA_TIMEOUT_MS } as const;
    this.#run(call, "look", (result) => {
      const { status, failure, output } = result;
      if (failure?.absent) {
        return tell({ why: `"${name}" is not installed: ${failure.why}`, scope: "node" });
      }
      if (status !== 0) {
        const why = failure?.why ?? `it ended with ${status}`;
        return tell({ why: `"${name}" does not describe itself: ${why}`, scope: "node" });
      }
      const metadata = parseMetadata(output);
      if (typeof metadata === "string") {
        return tell({ why: `"${name}" has broken meta-data: ${metadata}`, scope: "node" });
      }
      if (isPromotable(metadata)) {
        const why = `"${name}" can be promoted; such agents are not managed here`;
        return tell({ why, scope: "everywhere" });
      }
      const faults = parameterFaults(metadata, action.parameters, action.checkLevel);
      if (faults.length > 0) {
        return tell({ why: `"${name}": ${faults.join("; ")}`, scope: "everywhere" });
      }
      this.#metadata.set(id, metadata);
      tell(metadata);
    });
  }

  #undoOf(spec: StartSpec<OcfAction>, timeoutMs: Millis) {
    const call = { ...spec, operation: "stop", timeoutMs } as const;
    const { places } = this.#processes;
    return {
      undo: "command",
      command: [agentPath(spec.action, places), "stop"],
      environment: ocfEnvironment(call, places),
      timeoutMs,
    } as const;
  }

  #run(call: OcfCall, role: "start" | "look" | "undo", done: Operate): void {
    const { id, action, operation, timeoutMs } = call;
    const { places } = this.#processes;
    this.#processes.operate({
      id,
      command: [agentPath(action, places), operation],
      environment: ocfEnvironment(call, places),
      timeoutMs,
      role,
      output: operation === "meta-data" ? "stdout" : "all",
    }, done);
  }
}

const NOTHING: OcfMetadata = { name: "", parameters: [], operations: [] };
