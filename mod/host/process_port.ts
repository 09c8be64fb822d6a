/** A resource's processes on this host, and what else it made there. @module */
import type { ResourceId } from "../base/id.ts";
import type { Instant, Millis } from "../base/time.ts";

/** How to run a resource that is one command. */
export interface ProcessSpec {
  readonly id: ResourceId;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string | null;
}

/** A command that runs to its end on behalf of a resource. */
export interface Operation {
  readonly id: ResourceId;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** After this, SIGTERM, and SIGKILL soon after. */
  readonly timeoutMs: Millis;
  /**
   * `start`: what it leaves running belongs to the resource; only after {@link ProcessPort.hold}.
   * `look`: it leaves nothing. `undo`: it leaves nothing, and no kill of resources ends it.
   */
  readonly role: "start" | "look" | "undo";
  /** `stdout` leaves the errors out: for what is to be parsed. */
  readonly output: "all" | "stdout";
}

/** How an operation ended. */
export interface OperationResult {
  /** Its exit status; null where it did not end by itself. */
  readonly status: number | null;
  /** Why there is no exit status. `absent`: there is no such program here. */
  readonly failure: null | { readonly absent: boolean; readonly why: string };
  /** The end of what it printed, at most {@link OPERATION_OUTPUT_MAX} characters. */
  readonly output: string;
}

/** What is kept of an operation's output. */
export const OPERATION_OUTPUT_MAX = 256 * 1024;

/** One step by which something that is no process is ended. Each can be done twice. */
export type Undo =
  /** Takes an address from an interface. */
  | { readonly undo: "address"; readonly interface: string; readonly address: string }
  /** Runs a command, which must end with 0. */
  | {
    readonly undo: "command";
    readonly command: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
    readonly timeoutMs: Millis;
  };

/** A resource that is more than its processes: what ends it, whoever has to. */
export interface Held {
  readonly id: ResourceId;
  readonly undo: readonly Undo[];
  /** The owner's own words on how it was started, kept as they are. At most 64 KiB. */
  readonly note: string;
}

/** Where agents and their helpers lie on this host. */
export interface AgentPlaces {
  /** OCF_ROOT. */
  readonly ocf: string;
  /** PATH of what is run for agents: our stand-ins first. */
  readonly path: string;
}

/**
 * A resource's processes, known by a token in their environment and a control group, and the list of
 * what else was made for it. All of it outlives the daemon, but not the keeper's deadline.
 */
export interface ProcessPort {
  readonly places: AgentPlaces;
  /** Starts it in a session of its own, or says why not. */
  start(spec: ProcessSpec, done: (failure: string | null) => void): void;
  /** SIGTERM, then SIGKILL after `graceMs`; done when every process of it is gone, or says why not. */
  stop(id: ResourceId, graceMs: Millis, done: (failure: string | null) => void): void;
  /** Is it running? Runs `command` too where there is one (exit status 0 = healthy). */
  monitor(
    ask: {
      readonly id: ResourceId;
      readonly command: readonly string[] | null;
      readonly timeoutMs: Millis;
    },
    done: (result: ProcessHealth) => void,
  ): void;
  /** Runs a command to its end. Never retries. */
  operate(operation: Operation, done: (result: OperationResult) => void): void;
  /**
   * Makes known how a resource is undone, before anything of it is made; refused without the guard.
   * From now on it counts as running, until {@link free} or a kill of everything.
   */
  hold(held: Held, done: (failure: string | null) => void): void;
  /** Asked right before something is made that is no process: why it must not be, or null. */
  refusal(id: ResourceId): string | null;
  /** It was made. Not needed after an operation of role `start`. */
  made(id: ResourceId): void;
  /** The note of what is held; null where nothing is. */
  note(id: ResourceId): string | null;
  /** Does what {@link hold} said; done when all of it succeeded. It is held on. */
  undo(id: ResourceId, done: (failure: string | null) => void): void;
  /** It is undone: there is nothing left to hold. */
  free(id: ResourceId): void;
  /** Kills and undoes everything of every resource at once; done when all is gone. */
  killAll(done: (failure: string | null) => void): void;
  /** Resources that run or are held here now, whoever started them. */
  list(done: (running: readonly ResourceId[]) => void): void;
  /** Called whenever a resource's main process ends by itself. */
  onExit(listener: (id: ResourceId, how: string) => void): void;
  /** Tells the keeper, a process of its own, when to kill all resources unless told a later time. */
  guardUntil(until: Instant): void;
}

/** Where else a failed operation may be tried: here again, on other nodes only, or nowhere. */
export type FailureScope = "once" | "node" | "everywhere";

export type ProcessHealth =
  /** `why`: what is to be told of it all the same. */
  | { readonly state: "running"; readonly why?: string }
  | { readonly state: "stopped" }
  | { readonly state: "failed"; readonly why: string; readonly scope?: FailureScope };
