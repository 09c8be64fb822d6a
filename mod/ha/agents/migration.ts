/** What the two ends of a live migration are told. @module */
import type { ResourceId } from "../../base/id.ts";

/** Where a machine is awaited. */
export interface Arrival {
  readonly port: number;
  /** What its command line is made of, as one number: two that differ are two machines. */
  readonly build: number;
}

/** With what a machine is made that waits for another one's memory. */
export interface MigrationGround {
  readonly live: number;
  /** Name of the node that it comes from, whose folder has its definition still. */
  readonly from: string;
  /** The address of this node at which it is awaited. */
  readonly host: string;
  /** This life. */
  readonly boot: string;
}

/** Where the memory goes. */
export interface MigrationTarget extends Arrival {
  readonly host: string;
  /** The life that awaits it. */
  readonly boot: string;
}

/** What the key of one migration is derived from, the same at both ends and of no other one. */
export function migrationName(id: ResourceId, live: number, boot: string): string {
  return `${id} ${live} ${boot}`;
}
