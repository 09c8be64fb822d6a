/** `/v1/ha/arm` and `/v1/ha/disarm`: maintenance of the whole cluster. @module */
import { ProblemError } from "../../base/problem.ts";
import { addCommand, COMMANDS_FILE } from "../ha_files.ts";
import { type Call, DONE, done, NOTHING, type Route, route } from "../route.ts";
import { updateFile } from "../transact.ts";

/** States in which something is on its way. */
const MOVING: readonly string[] = [
  ...["fence", "recovery", "relocate", "request_start", "request_stop"],
];
/** What was proven dead is not waited for; a node of which that is not decided is. */
const AT_REST: readonly string[] = ["online", "maintenance", "down"];

export const haModeRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/v1/ha/disarm",
    summary: "From now on nothing is started, moved, fenced or restarted; watchdogs are released",
    body: NOTHING,
    answer: { status: 202, content: DONE },
    problems: ["ha.not-settled", "config.no-quorum", "join.not-a-member"],
    async handle(call) {
      const { nodes, resources } = call.node.status();
      const node = nodes.find(({ state }) => !AT_REST.includes(state));
      if (node !== undefined) {
        throw new ProblemError("ha.not-settled", `"${node.name}" is ${node.state}`);
      }
      const moving = resources.find(({ state }) => MOVING.includes(state));
      if (moving !== undefined) {
        throw new ProblemError("ha.not-settled", `"${moving.id}" is in ${moving.state}`);
      }
      await order(call, "disarm");
      return done(202);
    },
  }),
  route({
    method: "POST",
    path: "/v1/ha/arm",
    summary:
      "Ends what disarm began: guards and watchdogs come back, and the manager decides again",
    body: NOTHING,
    answer: { status: 202, content: DONE },
    problems: ["config.no-quorum", "join.not-a-member"],
    async handle(call) {
      await order(call, "arm");
      return done(202);
    },
  }),
];

/** Refuses an order that a disarmed cluster would drop. */
export function mustBeArmed({ node }: Call<unknown, unknown>): void {
  if (node.status().ha.mode !== "disarmed") return;
  throw new ProblemError("ha.disarmed", "nothing is decided before it is armed");
}

async function order(call: Call<unknown, unknown>, line: string): Promise<void> {
  await updateFile(call, COMMANDS_FILE, (text) => addCommand(text, line));
}
