/** Tickets of a running member: the questions of the API, as requests to stream 5. @module */
import type { NewTicket, TicketNode } from "../api/ticket_node.ts";
import { assert } from "../base/assert.ts";
import { ProblemError } from "../base/problem.ts";
import { parseTicket } from "../join/mod.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { TicketState } from "../base/ticket_state.ts";
import type { Member } from "./member.ts";

/** Bytes of a ticket's secret: 16 of id, 32 of key. */
const INVITE_BYTES = 48;

/** Asks a running member. */
export class Tickets implements TicketNode {
  readonly #runtime: NodeRuntime;
  readonly #member: Member;

  constructor(runtime: NodeRuntime, member: Member) {
    this.#runtime = runtime;
    this.#member = member;
  }

  async make(minutes: number): Promise<NewTicket> {
    const secret = crypto.getRandomValues(new Uint8Array(INVITE_BYTES));
    const fact = await this.#member.ask((tag) => ({
      request: "join.invite",
      tag,
      secret,
      validMs: minutes * 60_000,
    }));
    assert(fact.fact === "join.ticket", "A ticket answers an invitation");
    const { ticket } = fact;
    const id = parseTicket(ticket)?.id.slice(0, 8);
    assert(id !== undefined, "What was made is a ticket");
    return { ticket, id };
  }

  list(): readonly TicketState[] {
    return this.#runtime.node.join.tickets(this.#runtime.now());
  }

  async revoke(id: string): Promise<TicketState> {
    const fact = await this.#member.ask((tag) => ({ request: "join.revoke", tag, id }));
    assert(fact.fact === "join.revoked", "What was revoked answers a revocation");
    const [ticket] = fact.tickets;
    if (ticket !== undefined) return ticket;
    throw new ProblemError("join.no-such-ticket", `none that this node made begins with "${id}"`);
  }
}
