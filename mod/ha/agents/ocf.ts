/**
 * The contract with an OCF agent: what is in its environment, and what its exit status means
 * (resource-agent API 1.1, "Parameter passing" and "Exit status codes").
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import type {
  AgentPlaces,
  FailureScope,
  OperationResult,
  ProcessHealth,
} from "../../host/ports.ts";
import type { ResourceId } from "../../base/id.ts";
import type { OcfAction } from "./action.ts";

/** Exit status codes. */
const SUCCESS = 0;
const NOT_RUNNING = 7;
const DEGRADED = 190;

/** The others: what each means, and where it is of use to try again. */
const FAILURES: ReadonlyMap<number, readonly [string, FailureScope]> = new Map([
  [1, ["failed", "once"]],
  [2, ["a parameter is wrong on this node", "node"]],
  [3, ["the agent has no such action", "node"]],
  [4, ["not permitted", "node"]],
  [5, ["not installed on this node", "node"]],
  [6, ["a parameter is wrong", "everywhere"]],
  [7, ["not running", "once"]],
  [8, ["it runs as promoted, which is not managed here", "everywhere"]],
  [9, ["it failed as promoted, which is not managed here", "everywhere"]],
  [191, ["it runs as promoted, which is not managed here", "everywhere"]],
]);

/** Begins the line on which an agent says why it failed: OCF_EXIT_REASON_PREFIX. */
const REASON_PREFIX = "ocf-exit-reason:";
const WORDS_MAX = 240;

/** Why an operation failed, and where else it may be tried. */
export interface Failure {
  readonly why: string;
  readonly scope: FailureScope;
}

/** What one operation of an agent is run with. */
export interface OcfCall {
  readonly id: ResourceId;
  readonly action: OcfAction;
  readonly node: string;
  readonly operation: "start" | "stop" | "monitor" | "meta-data";
  readonly timeoutMs: Millis;
  readonly intervalMs?: Millis;
}

/** The path of an agent. */
export function agentPath({ provider, type }: OcfAction, { ocf }: AgentPlaces): string {
  return `${ocf}/resource.d/${provider}/${type}`;
}

/** The environment of one operation. */
export function ocfEnvironment(call: OcfCall, places: AgentPlaces): Record<string, string> {
  const { id, action, node, operation, timeoutMs, intervalMs } = call;
  const environment: Record<string, string> = {
    PATH: places.path,
    LC_ALL: "C",
    OCF_ROOT: places.ocf,
    OCF_RA_VERSION_MAJOR: "1",
    OCF_RA_VERSION_MINOR: "1",
    OCF_RESOURCE_INSTANCE: id.slice(id.indexOf(":") + 1),
    OCF_RESOURCE_TYPE: action.type,
    OCF_RESOURCE_PROVIDER: action.provider,
    OCF_EXIT_REASON_PREFIX: REASON_PREFIX,
    OCF_OUTPUT_FORMAT: "text",
    HA_cluster_type: "corosync",
    PENTAD_NODE_NAME: node,
    OCF_RESKEY_crm_feature_set: "3.19.0",
    OCF_RESKEY_CRM_meta_timeout: String(timeoutMs),
    OCF_RESKEY_CRM_meta_name: operation,
    OCF_RESKEY_CRM_meta_on_node: node,
  };
  if (intervalMs !== undefined) environment.OCF_RESKEY_CRM_meta_interval = String(intervalMs);
  if (operation === "monitor" && action.checkLevel > 0) {
    environment.OCF_CHECK_LEVEL = String(action.checkLevel);
  }
  for (const [name, value] of Object.entries(action.parameters)) {
    environment[`OCF_RESKEY_${name}`] = value;
  }
  return environment;
}

/** Null where an operation other than a monitor succeeded. */
export function failureOf(operation: "start" | "stop", result: OperationResult): Failure | null {
  const { status, failure } = result;
  if (status === SUCCESS || (operation === "start" && status === DEGRADED)) return null;
  if (operation === "stop" && status === NOT_RUNNING) return null;
  if (failure?.absent) {
    return { why: `the agent is not installed: ${failure.why}`, scope: "node" };
  }
  if (status === null) return { why: withWords(failure?.why ?? "it ended", result), scope: "once" };
  const [meaning, scope] = FAILURES.get(status) ?? ["it is no status of OCF", "once" as const];
  return { why: withWords(`${operation} ended with ${status} (${meaning})`, result), scope };
}

/** How a resource is, by its monitor. */
export function healthOf(result: OperationResult): ProcessHealth {
  const { status } = result;
  if (status === SUCCESS || status === DEGRADED) return { state: "running" };
  if (status === NOT_RUNNING) return { state: "stopped" };
  const failed = failureOf("start", result);
  if (failed === null) return { state: "running" };
  const why = failed.why.replace(/^start ended/, "monitor ended");
  return { state: "failed", why, scope: failed.scope };
}

/** True where a stop was refused rather than tried: then only a monitor tells how it is. */
export function isRefusal({ status, failure }: OperationResult): boolean {
  return failure?.absent === true || (status !== null && status >= 2 && status <= 6);
}

/**
 * True where a monitor says for certain that nothing runs: not running; or, of what its agent refused
 * to start, not even installed.
 */
export function isCertainlyDown({ status, failure }: OperationResult, refused: boolean): boolean {
  return status === NOT_RUNNING || (refused && (status === 5 || failure?.absent === true));
}

/** With the agent's own reason, or else the last line that it printed. */
function withWords(why: string, { output }: OperationResult): string {
  const lines = output.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const reason = lines.findLast((line) => line.startsWith(REASON_PREFIX));
  const words = reason?.slice(REASON_PREFIX.length).trim() ?? lines.at(-1) ?? "";
  // deno-lint-ignore no-control-regex
  const clean = words.replace(/[\u0000-\u001f\u007f]/g, " ").slice(0, WORDS_MAX);
  return clean === "" ? why : `${why}: ${clean}`;
}
