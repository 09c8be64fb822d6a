/**
 * How a node stops in order, and how it leaves the cluster. Before it leaves, what runs on it moves
 * away: once it is no member nobody hears from it any more, and what was decided to run there could
 * only be let go by a person's word.
 *
 * @module
 */
import type { MembershipNode } from "../api/membership_node.ts";
import { addCommand, COMMANDS_FILE } from "../api/ha_files.ts";
import { nameOf, voters } from "../base/cluster.ts";
import { ProblemError } from "../base/problem.ts";
import { timingOf } from "../base/timing.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import { forgetKeys } from "./forget_keys.ts";
import type { Member } from "./member.ts";
import { editText } from "./tree_text.ts";

/** How long resources may take to move: a stop that hangs takes a grace of its own. */
const MOVE_LIMIT_MS = 60_000;

/** How long an orderly stop waits for resources to stop, or to move away first. */
const SHUTDOWN_LIMIT_MS = 600_000;

/** Stops every resource here, gives the manager lock and the leadership up, leaves last words. */
function drain(runtime: NodeRuntime, how: ShutdownHow = "stop"): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new ProblemError("node.timeout", "resources do not stop")),
      SHUTDOWN_LIMIT_MS,
    );
    runtime.onDrained(() => {
      clearTimeout(timer);
      resolve();
    });
    runtime.request({ request: "ha.shutdown", tag: "api:shutdown", how });
  });
}

/**
 * What a daemon does before it ends. True where what runs here is to go on, for another daemon follows
 * at once: to the cluster that is a crash, which the next daemon is in time to end. Then nothing is
 * stopped and no last words are left, for they would not be true; the keeper ends what runs at the
 * guard that it was told last. Whoever leads gives that up before: nobody has to wait for an election.
 */
export async function goInOrder(node: Going, how: ShutdownHow): Promise<boolean> {
  const { runtime, membership } = node;
  if (how !== "restart" || isEmpty(runtime)) {
    await drain(runtime, how);
    return false;
  }
  if (runtime.node.config.view().leader !== runtime.self) return true;
  await membership.transferLead(null).catch((error) => {
    // Nobody can take it: then it goes with this daemon.
    if (!(error instanceof ProblemError)) throw error;
  });
  return true;
}

/** What of a node is asked when it goes. */
interface Going {
  readonly runtime: NodeRuntime;
  readonly membership: MembershipNode;
}

/** Gives the membership up; the runtime is to be ended after it. */
export async function leaveCluster(runtime: NodeRuntime, member: Member): Promise<void> {
  const { spec, self, node } = runtime;
  await firstHeard(runtime);
  const { removed } = node.config.view();
  const [first, second] = voters(spec);
  if (second === undefined && first?.id === self) {
    throw new ProblemError("join.last-member", `"${nameOf(spec, self)}" is the last voter`);
  }
  if (!removed) await evacuate(runtime, member);
  await drain(runtime);
  // Who was removed already has nobody to ask.
  if (removed) return;
  await forgetKeys({ runtime, member }, self);
  await member.changeSpec({ change: "remove", node: self });
}

/** Whoever has just begun has heard nobody yet: it waits for as long as a silence counts as none. */
async function firstHeard({ node, spec }: NodeRuntime): Promise<void> {
  const { deadMs, beatMs } = timingOf(spec.profile);
  const waits = () => !node.config.view().quorate && !node.config.view().removed;
  for (const end = performance.now() + deadMs; waits() && performance.now() < end;) {
    await pause(beatMs / 2);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Moves every resource away from this node, as far as anybody else can take it. */
async function evacuate(runtime: NodeRuntime, member: Member): Promise<void> {
  if (isEmpty(runtime)) return;
  // Alone, or where nobody else is fit, there is nowhere to move to: then they stop here.
  const { nodes } = runtime.node.ha.view();
  const fit = nodes.some(({ node, state, maintenance }) =>
    node !== runtime.self && state === "online" && !maintenance
  );
  if (!fit) return;
  const order = `maintenance ${nameOf(runtime.spec, runtime.self)} on`;
  const edit = (text: string) => addCommand(text, order);
  await editText({ runtime, member }, { path: COMMANDS_FILE, edit, reason: "leave" });
  const end = performance.now() + MOVE_LIMIT_MS;
  while (!isEmpty(runtime)) {
    if (performance.now() > end) {
      throw new ProblemError("node.timeout", "resources do not move away from this node");
    }
    await pause(timingOf(runtime.spec.profile).beatMs / 2);
  }
}

/** Nothing is decided to run here. What has failed everywhere moves nowhere. */
function isEmpty({ node, self }: NodeRuntime): boolean {
  const idle = ["stopped", "error"];
  return node.ha.view().resources.every((each) => each.node !== self || idle.includes(each.state));
}
