/** How many beats a second one core opens, checks and digests: the whole of stream 1 but the socket. */
import type { ClusterSpec } from "../mod/base/cluster.ts";
import { bootId, clusterId, nodeId } from "../mod/base/id.ts";
import { after, instant } from "../mod/base/time.ts";
import { HeartbeatCore } from "../mod/heartbeat/mod.ts";

const ROUNDS = 10_000;
const CLUSTER_KEY = new Uint8Array(32).fill(7);

/** A cluster of `count` voters on one link each. */
function specOf(count: number): ClusterSpec {
  return {
    id: clusterId("ab".repeat(16)),
    name: "bench",
    profile: "fast",
    members: Array.from({ length: count }, (_, at) => ({
      ...{ id: nodeId(at + 1), name: `node${at + 1}`, role: "voter" as const, votes: 1 },
      ...{ links: [`127.0.0.${at + 1}:5405`], peer: `127.0.0.${at + 1}:5406` },
    })),
    witness: null,
  };
}

function coreOf(spec: ClusterSpec, id: number): HeartbeatCore {
  const boot = bootId(id.toString(16).padStart(16, "0"));
  const options = { self: nodeId(id), boot, clusterKey: CLUSTER_KEY, spec, profile: spec.profile };
  return new HeartbeatCore(options, instant(0));
}

/** Beats a second. */
export function benchBeats(members = 3): number {
  const spec = specOf(members);
  const speaker = coreOf(spec, 1);
  const listener = coreOf(spec, 2);
  const packets = Array.from({ length: ROUNDS }, (_, at) => {
    const now = after(instant(0), at * 200);
    const sent = speaker.step({ kind: "tick" }, now).find((each) =>
      each.kind === "datagram" && each.to === "127.0.0.2:5405"
    );
    if (sent?.kind !== "datagram") throw new Error("Each tick sends a beat");
    return { now, bytes: sent.bytes };
  });
  const started = performance.now();
  for (const { now, bytes } of packets) {
    listener.step({ kind: "datagram", link: 0, bytes }, now);
  }
  const seconds = (performance.now() - started) / 1000;
  const { received, refused } = listener.view();
  if (received !== ROUNDS) throw new Error(`Refused: ${JSON.stringify(refused)}`);
  return ROUNDS / seconds;
}
