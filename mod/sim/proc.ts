/** A simulated process, and what its command line means in the simulated world. @module */
import type { ResourceId } from "../base/id.ts";

/** A resource's processes; they live and die as one. */
export interface Proc {
  readonly id: ResourceId;
  /** Number of the daemon's life that started it. */
  readonly life: number;
  /** The daemon of now wants its end, or was told of it. */
  quiet: boolean;
  /** It does not heed SIGTERM. */
  deaf: boolean;
  /** SIGKILL is under way. */
  killed: boolean;
  /** Of a resource that is held: its owner's words. */
  readonly note: string | null;
  /** Why a monitor command fails. */
  sick: string | null;
  /** Run once it is gone. */
  readonly onGone: (() => void)[];
  /** A virtual machine that executes nothing, as one that waits for memory or has given it away. */
  halted: boolean;
  readonly migration: ProcMigration;
}

/** What a virtual machine's monitor tells of its migration. */
export interface ProcMigration {
  status: "none" | "active" | "completed" | "failed" | "cancelled";
  /** Where it waits for memory; 0 for nowhere. */
  port: number;
  /** How often a machine of that name had run when this one got its memory; null: it got none. */
  age: number | null;
  /** It was made to receive, and was not let run yet. */
  waits: boolean;
}

/** One that lasts, and does not heed SIGTERM: `deaf`. */
export function isDeafCommand([program]: readonly string[]): boolean {
  return program === "deaf";
}

/** A command that ends by itself soon, with an exit status other than 0: `false`. Others last. */
export function isFailingCommand(command: readonly string[]): boolean {
  const [program] = command;
  return program === "false" || program === "/bin/false";
}
