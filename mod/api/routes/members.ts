/** `/v1/config-members` and its kin: who is a member, who leads, and one that goes on alone. @module */
import * as z from "zod";
import { parseAddress } from "../../base/address.ts";
import { LINKS_MAX } from "../../base/cluster.ts";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import { DONE, done, json, NOTHING, type Route, route } from "../route.ts";
import { MEMBER } from "../schemas.ts";

const PREFIX = "/v1/config-members";
const REASON_CHARACTERS_MAX = 200;

const REPORT = z.strictObject({
  lastIndex: z.int(),
  lastTerm: z.int(),
  applied: z.int(),
  others: z.array(z.strictObject({ node: z.int(), name: z.string(), answers: z.boolean() })),
  register: z.looseObject({ term: z.int(), set: z.array(z.int()) }).nullable(),
  warnings: z.array(z.string()),
});

const ADDRESS = z.string().refine(
  (text) => parseAddress(text) !== null,
  "must be HOST:PORT, IPv6 as [ADDRESS]:PORT",
);
const ADDRESSES = z.strictObject({ links: z.array(z.string()), peer: z.string() });

export const memberRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: PREFIX,
    summary: "The members, who leads, and how far each is; a new one comes by a ticket",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.members/1"),
        leader: z.string().nullable(),
        members: z.array(MEMBER),
      }),
    },
    problems: ["join.not-a-member"],
    handle: ({ node }) => json({ schema: "pentad.members/1", ...node.membership.members() }),
  }),
  route({
    method: "POST",
    path: `${PREFIX}/{name}/promote`,
    summary: "Gives a learner its vote now; by itself it gets it as soon as it keeps up",
    body: NOTHING,
    answer: { status: 200, content: DONE },
    problems: [
      ...["ha.no-such-node", "config.learner-behind", "config.membership-busy"] as const,
      ...["config.unsafe-membership", "config.no-quorum"] as const,
    ],
    async handle({ node, parameters }) {
      await node.membership.promote(parameters.name ?? "");
      return done();
    },
  }),
  route({
    method: "DELETE",
    path: `${PREFIX}/{name}`,
    summary: "Removes a member that runs nothing; a leader hands over first",
    answer: { status: 200, content: DONE },
    problems: [
      ...["ha.no-such-node", "config.member-in-use", "config.last-voter"] as const,
      ...["config.membership-busy", "config.unsafe-membership"] as const,
      ...["config.no-quorum", "config.unknown-outcome"] as const,
    ],
    async handle({ node, parameters }) {
      await node.membership.removeMember(parameters.name ?? "");
      return done();
    },
  }),
  route({
    method: "POST",
    path: `${PREFIX}/{name}/rename`,
    summary: "Gives a member another name, where nothing refers to it by the old one",
    body: z.strictObject({ name: z.string().refine(isNodeName, "must be a DNS label") }),
    answer: { status: 200, content: DONE },
    problems: [
      ...["ha.no-such-node", "config.rename-refused", "config.membership-busy"] as const,
      ...["config.no-quorum", "config.unknown-outcome"] as const,
    ],
    async handle({ node, parameters, body }) {
      await node.membership.rename(parameters.name ?? "", body.name);
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/v1/config-readdress",
    summary: "Tells the cluster where a member is; null: this node, by its settings",
    body: z.strictObject({
      member: z.strictObject({
        name: z.string(),
        links: z.array(ADDRESS).min(1).max(LINKS_MAX),
        peer: ADDRESS,
        accept_risk: z.literal("cut-off").nullable().default(null),
      }).nullable().default(null),
    }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.readdress/1"),
        node: z.string(),
        before: ADDRESSES,
        after: ADDRESSES,
      }),
    },
    problems: [
      ...["ha.no-such-node", "config.readdress-refused", "config.membership-busy"] as const,
      ...["config.no-quorum", "config.unknown-outcome"] as const,
    ],
    async handle({ node, body: { member } }) {
      const ask = member && { ...member, acceptCutOff: member.accept_risk !== null };
      return json({ schema: "pentad.readdress/1", ...await node.membership.readdress(ask) });
    },
  }),
  route({
    method: "POST",
    path: "/v1/config-leader",
    summary: "Hands the leadership to a node, or with null to the best voter",
    body: z.strictObject({ node: z.string().nullable().default(null) }),
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.leader/1"), leader: z.string() }),
    },
    problems: ["ha.no-such-node", "config.cannot-transfer", "config.no-quorum"],
    async handle({ node, body }) {
      const leader = await node.membership.transferLead(body.node);
      return json({ schema: "pentad.leader/1", leader });
    },
  }),
  route({
    method: "POST",
    path: "/v1/config-force-single",
    summary: "This node goes on alone, whatever that loses; without consent, what it would cost",
    body: z.strictObject({
      accept_risk: z.literal("data-loss").nullable().default(null),
      reason: z.string().max(REASON_CHARACTERS_MAX).regex(/^[^\p{Cc}]*$/u).default(""),
    }),
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.force-single/1"),
        done: z.boolean(),
        report: REPORT,
      }),
    },
    problems: ["api.socket-only", "config.force-refused", "join.not-a-member", "node.timeout"],
    async handle({ node, author, body: { accept_risk: risk, reason } }) {
      // Whoever reaches the socket is root, or in the group that root chose.
      if (author !== "root") {
        throw new ProblemError(
          "api.socket-only",
          "going on alone is for who stands at the machine",
        );
      }
      const answer = await node.membership.forceSingle({ commit: risk !== null, author, reason });
      return json({ schema: "pentad.force-single/1", ...answer });
    },
  }),
];
