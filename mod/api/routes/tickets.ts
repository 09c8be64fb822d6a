/** `/v1/join/tickets`: what lets machines in. @module */
import * as z from "zod";
import { ProblemError } from "../../base/problem.ts";
import type { TicketState } from "../../base/ticket_state.ts";
import { json, type Route, route } from "../route.ts";

const TICKETS = "/v1/join/tickets";
/** A ticket is worth the cluster key for as long as it is valid. */
const TICKET_MINUTES_MAX = 24 * 60;
const TICKET_MINUTES_DEFAULT = 30;
/** A few digits could mean another ticket than the one that was meant. */
const TICKET_ID = /^[0-9a-f]{8,32}$/;

const TICKET = z.strictObject({
  id: z.string(),
  state: z.enum(["open", "pending", "used"]),
  node: z.string().nullable().meta({ description: "The machine that uses it" }),
  left_s: z.number(),
});

export const ticketRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: TICKETS,
    summary: "Makes a ticket for one join",
    body: z.strictObject({
      minutes: z.int().min(1).max(TICKET_MINUTES_MAX).default(TICKET_MINUTES_DEFAULT),
    }),
    answer: {
      status: 201,
      content: z.strictObject({
        schema: z.literal("pentad.ticket/1"),
        ticket: z.string(),
        id: z.string(),
        minutes: z.int(),
      }),
    },
    problems: ["join.not-a-member", "config.no-quorum"],
    async handle({ node, body: { minutes } }) {
      const made = await node.tickets.make(minutes);
      const headers = { "Cache-Control": "no-store" };
      return json({ schema: "pentad.ticket/1", ...made, minutes }, 201, headers);
    },
  }),
  route({
    method: "GET",
    path: TICKETS,
    summary: "The valid tickets that this node made; never the texts that let somebody in",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.tickets/1"),
        tickets: z.array(TICKET),
      }),
    },
    problems: ["join.not-a-member"],
    handle: ({ node }) =>
      json({ schema: "pentad.tickets/1", tickets: node.tickets.list().map(printed) }),
  }),
  route({
    method: "DELETE",
    path: `${TICKETS}/{id}`,
    summary: "Ends a ticket before its time; who is a member by it stays one",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.ticket-revoked/1"), ticket: TICKET }),
    },
    problems: ["join.not-a-member", "join.no-such-ticket"],
    async handle({ node, parameters: { id = "" } }) {
      if (!TICKET_ID.test(id)) {
        throw new ProblemError("join.no-such-ticket", `"${id}" is not 8 hex digits or more`);
      }
      const ticket = printed(await node.tickets.revoke(id));
      return json({ schema: "pentad.ticket-revoked/1", ticket });
    },
  }),
  route({
    method: "POST",
    path: "/v1/join/renew-key",
    summary: "Renews the cluster's key, one stage at each call, until it is done",
    body: z.strictObject({ how: z.enum(["start", "go-on", "cancel"]) }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.renew-key/1"),
        stage: z.enum(["offer", "use", "done"]),
        id: z.string(),
        waiting: z.array(z.string()).meta({
          description: "Members that have yet to do their part",
        }),
      }),
    },
    problems: [
      ...["join.not-a-member", "join.key-in-use", "config.no-quorum"] as const,
      ...["config.version-mismatch", "config.unknown-outcome"] as const,
    ],
    async handle({ node, body }) {
      return json({ schema: "pentad.renew-key/1", ...await node.renewKey(body) });
    },
  }),
];

function printed({ leftMs, ...rest }: TicketState) {
  return { ...rest, left_s: Math.round(leftMs / 1000) };
}
