/** `/v1/status`, and the two questions of load balancers and supervisors. @module */
import * as z from "zod";
import { ProblemError } from "../../base/problem.ts";
import { json, type Route, route } from "../route.ts";
import { STATUS } from "../schemas.ts";

export const statusRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/status",
    summary: "Everything on one screen; asks only this node, so it answers without quorum",
    answer: { status: 200, content: STATUS },
    handle: ({ node }) => json(node.status()),
  }),
  route({
    method: "GET",
    path: "/livez",
    summary: "This daemon answers",
    answer: { status: 200, content: "text/plain" },
    handle: ({ node }) => {
      node.status();
      return new Response("ok\n");
    },
  }),
  route({
    method: "GET",
    path: "/readyz",
    summary: "This node is a member of a quorate cluster and follows or is a leader",
    answer: { status: 200, content: "text/plain" },
    problems: ["join.not-a-member", "config.no-quorum"],
    handle: ({ node }) => {
      const { cluster, quorate, votes, leader } = node.status();
      if (cluster === null) throw new ProblemError("join.not-a-member", "there is no cluster here");
      const { present, expected, needed } = votes;
      if (!quorate) {
        const why = `${present} of ${expected} votes are present, ${needed} needed`;
        throw new ProblemError("config.no-quorum", why);
      }
      if (leader === null) throw new ProblemError("config.no-quorum", "no leader is known");
      return new Response("ok\n");
    },
  }),
  route({
    method: "GET",
    path: "/v1/nodes",
    summary: "The members as this node sees them",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.nodes/1"),
        nodes: STATUS.shape.nodes,
      }),
    },
    handle: ({ node }) => json({ schema: "pentad.nodes/1", nodes: node.status().nodes }),
  }),
];
