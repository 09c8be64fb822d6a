/** Processes and load ↔ events of stream 3: translation and nothing else. @module */
import type { LoadPort, ProcessPort } from "../host/ports.ts";
import { unreachable } from "../base/assert.ts";
import type { HaEffect, HaEvent } from "./events.ts";

const KINDS = ["sample", "start", "stop", "monitor", "list", "kill-all", "guard-until"] as const;
type Kind = typeof KINDS[number];
export type ActionEffect = Extract<HaEffect, { readonly kind: Kind }>;

/** One per node. */
export class ActionDriver {
  readonly #processes: ProcessPort;
  readonly #load: LoadPort;
  readonly #feed: (event: HaEvent) => void;

  constructor(processes: ProcessPort, load: LoadPort, feed: (event: HaEvent) => void) {
    this.#processes = processes;
    this.#load = load;
    this.#feed = feed;
    processes.onExit((id, how) => feed({ kind: "exited", id, how }));
  }

  perform(effect: ActionEffect): void {
    const feed = this.#feed;
    switch (effect.kind) {
      case "sample":
        return this.#load.sample((load) => feed({ kind: "sampled", ...load }));
      case "start":
        return this.#processes.start(effect.spec, (failure) => this.#done(effect.tag, failure));
      case "stop": {
        const { id, graceMs, tag } = effect;
        return this.#processes.stop(id, graceMs, (failure) => this.#done(tag, failure));
      }
      case "monitor": {
        const { id, command, timeoutMs, tag } = effect;
        return this.#processes.monitor(
          { id, command, timeoutMs },
          (health) => feed({ kind: "monitored", tag, health }),
        );
      }
      case "list":
        return this.#processes.list((running) => feed({ kind: "listed", running }));
      case "kill-all":
        return this.#processes.killAll((failure) => this.#done(effect.tag, failure));
      case "guard-until":
        return this.#processes.guardUntil(effect.until);
      default:
        return unreachable(effect);
    }
  }

  #done(tag: number, failure: string | null): void {
    this.#feed({ kind: "done", tag, failure });
  }
}
