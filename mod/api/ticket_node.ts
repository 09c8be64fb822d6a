/** The part of a running node that is about tickets. @module */
import type { TicketState } from "../base/ticket_state.ts";

/** A ticket, whole: whoever has the text can join. */
export interface NewTicket {
  readonly ticket: string;
  /** As lists and events show it. */
  readonly id: string;
}

/** See `RunningNode`. Refusals are ProblemErrors. */
export interface TicketNode {
  /** A one-time ticket, valid for `minutes`. */
  make(minutes: number): Promise<NewTicket>;
  /** Those that this node made and that are valid; the texts themselves are not kept. */
  list(): readonly TicketState[];
  /** Ends a ticket; what it was. */
  revoke(id: string): Promise<TicketState>;
}
