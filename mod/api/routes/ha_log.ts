/** `/v1/ha/resources/{id}/log`: what became of a resource, and why. @module */
import * as z from "zod";
import { isResourceId, type ResourceId } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import type { EventLine } from "../../node/view.ts";
import { type Call, json, type Route, route } from "../route.ts";
import { EVENT, STORY_LINE } from "../schemas.ts";

/** Transactions of one story. */
const STORY_MAX = 1000;
const STORY_DEFAULT = 50;
/** Newest lines of this node's own conversation that are told with it. */
const HERE_MAX = 100;

const QUERY = z.strictObject({
  limit: z.string().regex(/^[1-9]\d{0,3}$/, "must be a number from 1").transform(Number)
    .pipe(z.int().max(STORY_MAX)).default(STORY_DEFAULT)
    .meta({ description: "So many of the newest transactions that touched the resource" }),
});

export const haLogRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/ha/resources/{id}/log",
    summary: "What became of a resource, and why: decisions, orders, and what led to them",
    query: QUERY,
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.story/1"),
        id: z.string(),
        lines: z.array(STORY_LINE),
        more: z.boolean().meta({ description: "There is an older part" }),
        since: z.int().meta({ description: "What was before this index is not kept" }),
        here: z.array(EVENT).meta({ description: "What this node said of it in its present life" }),
      }),
    },
    problems: ["ha.no-such-resource", "config.no-history", "join.not-a-member", "api.busy"],
    async handle(call) {
      const id = idOf(call.parameters.id ?? "");
      const story = await call.node.resourceLog({ id, limit: call.query.limit });
      const here = saidHere(call, id);
      if (story.lines.length === 0 && here.length === 0) {
        throw new ProblemError("ha.no-such-resource", `nothing is kept of "${id}"`);
      }
      return json({ schema: "pentad.story/1", ...story, here });
    },
  }),
];

function idOf(text: string): ResourceId {
  if (isResourceId(text)) return text;
  throw new ProblemError("ha.no-such-resource", `"${text.slice(0, 80)}" is not kind:name`);
}

/** Lines of stream 3 that name it; none where there are only files. */
function saidHere({ node }: Call<unknown, unknown>, id: ResourceId): EventLine[] {
  const name = id.slice(id.indexOf(":") + 1).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const kind = id.slice(0, id.indexOf(":"));
  // As an id, or as the conversation says it; not as the beginning of another.
  const named = new RegExp(`(^|[^\\w-])${kind}[:-]${name}(?![\\w-]|\\.\\w)`);
  try {
    return node.eventsAfter(0).lines.filter(({ stream, text }) =>
      stream === "ha" && named.test(text)
    ).slice(-HERE_MAX);
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === "node.offline") return [];
    throw error;
  }
}
