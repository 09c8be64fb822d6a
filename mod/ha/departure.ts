/**
 * This node stops in order: first it has its resources frozen or moved, by an order to the manager,
 * where the policy says so; then it stops what is left, and goes.
 *
 * Whatever does not come about in its time is not waited for: a shutdown never hangs on the cluster.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import type { HaContext } from "./context.ts";
import type { ShutdownPolicy } from "./datacenter.ts";
import type { HaFiles } from "./files.ts";
import { type Clerk, orderOf } from "./transactions.ts";

/** What is done with the resources of a node that stops. */
export type Parting = "failover" | "freeze" | "migrate";

/** For so long nothing may change before what is left is stopped after all. */
export const STUCK_MS: Millis = 45_000;

/** What a policy makes of one kind of stop. */
export function partingOf(policy: ShutdownPolicy, how: ShutdownHow): Parting {
  if (how === "restart") return "freeze";
  if (how === "stop") return "failover";
  if (policy === "conditional") return how === "reboot" ? "freeze" : "failover";
  return policy;
}

/** See the module's note. */
export class Departure {
  readonly #context: HaContext;
  readonly #files: HaFiles;
  readonly #clerk: Clerk;
  #phase: "none" | "asking" | "moving" | "draining" = "none";
  #parting: Parting = "failover";
  #until: Instant = NEVER;
  #askAt: Instant = NEVER;
  #left = "";
  #rebooted = false;

  constructor(context: HaContext, files: HaFiles, clerk: Clerk) {
    this.#context = context;
    this.#files = files;
    this.#clerk = clerk;
  }

  /** This node is to stop, sooner or later: nothing more is to come here. */
  get begun(): boolean {
    return this.#phase !== "none";
  }

  /** Everything here is to stop now. */
  get draining(): boolean {
    return this.#phase === "draining";
  }

  /** Asked a second time it waits for nothing more. */
  begin(how: ShutdownHow): void {
    const { now, timing, name, self } = this.#see();
    if (this.#phase !== "none") return void (this.#phase = "draining");
    this.#parting = partingOf(this.#files.datacenter.shutdownPolicy, how);
    this.#context.say(
      `${name} stops`,
      reason("ha.parting", { node: name, parting: this.#parting }),
    );
    const entry = this.#files.status.nodes.get(self);
    const disarmed = this.#files.mode === "disarmed";
    if (this.#parting === "failover" || entry?.state !== "online" || disarmed) {
      this.#phase = "draining";
      return;
    }
    this.#phase = "asking";
    this.#until = after(now, timing.deadMs + timing.electionMinMs);
    this.#askAt = now;
  }

  /** Called at each step; `sends`: a machine is on its way from here, which takes its time. */
  tend(isEmpty: boolean, sends: boolean): void {
    const { now, self, name } = this.#see();
    const asked = this.#files.status.nodes.get(self)?.shutdown;
    const mine = asked?.reboot === true && asked.boot === this.#context.boot;
    if (mine && !this.#rebooted && this.#phase === "none" && isEmpty && this.#leftOn(self) === "") {
      this.#rebooted = true;
      const because = reason("ha.reboot", { node: name });
      this.#context.say(`the host of ${name} begins anew`, because);
      this.#context.tell({ fact: "ha.reboot", because });
    }
    if (this.#phase === "asking") {
      const known = this.#files.status.nodes.get(self)?.shutdown;
      if (known?.boot === this.#context.boot) {
        this.#phase = known.how === "migrate" ? "moving" : "draining";
        this.#until = after(now, STUCK_MS);
      } else if (now >= this.#until) this.#phase = "draining";
      else if (now >= this.#askAt) this.#ask();
    }
    if (this.#phase !== "moving") return;
    const left = this.#leftOn(self);
    if (left !== this.#left || sends) this.#until = after(now, STUCK_MS);
    this.#left = left;
    if ((left === "" && isEmpty) || now >= this.#until) this.#phase = "draining";
  }

  deadline(): Instant {
    if (this.#phase === "asking") return this.#askAt < this.#until ? this.#askAt : this.#until;
    return this.#phase === "moving" ? this.#until : NEVER;
  }

  #ask(): void {
    const { now, timing, name } = this.#see();
    // Another order may have come in between; then this one is refused, and written again.
    this.#askAt = after(now, timing.haRoundMs);
    const line = `shutdown ${name} ${this.#parting} ${this.#context.boot}`;
    const transaction = orderOf(this.#clerk, this.#files, line);
    this.#context.ask({ request: "config.propose", tag: "ha:parting", transaction });
  }

  /** What is decided to be here still, or is to move away. */
  #leftOn(self: NodeId): string {
    return [...this.#files.status.services]
      .filter(([, { node, state }]) => node === self && !AT_REST.has(state))
      .map(([id, { state }]) => `${id}=${state}`).join();
  }

  #see() {
    const { now, timing, self } = this.#context;
    return { now, timing, self, name: this.#context.name(self) };
  }
}

/** Nothing of it is to be moved. */
const AT_REST: ReadonlySet<string> = new Set(["stopped", "error", "recovery"]);
