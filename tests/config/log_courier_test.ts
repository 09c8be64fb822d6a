/** `.clusterlog` of all nodes: what is kept, and how it gets there. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type BootId, bootId, type NodeId, nodeId } from "../../mod/base/id.ts";
import { EPOCH, instant } from "../../mod/base/time.ts";
import { ClusterLog, type LogEntry } from "../../mod/config/fuse/cluster_log.ts";
import { LOG_KEPT_MAX, LOG_SHOWN_MAX } from "../../mod/config/fuse/limits.ts";
import {
  LOG_AGAIN_MS,
  LOG_GAP_MS,
  LOG_RETRY_MS,
  LogCourier,
} from "../../mod/config/log_courier.ts";
import { messageFault } from "../../mod/config/faults.ts";
import { decodeMessage, encodeMessage, type MessageOf } from "../../mod/config/wire.ts";

function entry(node: string, uid: number, time: number): LogEntry {
  const who = { tag: "pentad", pid: 0, user: "root@pam" };
  return { node, uid, time, pri: 6, ...who, msg: `${node} ${uid}` };
}

const ENTRIES = fc.array(
  fc.record({ node: fc.constantFrom("a", "b"), uid: fc.nat(30), time: fc.nat(9) })
    .map(({ node, uid, time }) => entry(node, uid, time)),
  { maxLength: 60 },
);

Deno.test("ClusterLog: in whatever order and however often entries come, each is there once", () => {
  fc.assert(fc.property(ENTRIES, ENTRIES, (some, others) => {
    const [one, two] = [new ClusterLog(), new ClusterLog()];
    one.merge("c", some);
    one.merge("c", others);
    two.merge("c", [...others, ...some, ...others]);
    assert.deepEqual(one.newest(), two.newest());
    const keys = one.newest().map(({ node, uid, time }) => `${time} ${node} ${uid}`);
    assert.equal(new Set(keys).size, keys.length);
    assert.deepEqual(one.shown().length, keys.length);
  }));
});

Deno.test("ClusterLog: the oldest make room, and a node counts on from what others remember of it", () => {
  const log = new ClusterLog();
  for (let at = 1; at <= LOG_KEPT_MAX + 5; at++) log.add("a", { time: at, pri: 6, msg: "x" });
  assert.equal(log.newest().length, LOG_SHOWN_MAX);
  assert.equal(log.newest({ node: "a", after: LOG_KEPT_MAX + 3 }).length, 2);
  assert.equal(log.newest({ node: "b", after: 0 }).length, 0);
  log.merge("a", [entry("b", 1, 1)]);
  assert.ok(!log.newest().some(({ node }) => node === "b"), "it is older than all that are kept");
  const again = new ClusterLog();
  again.merge("a", log.newest());
  again.add("a", { time: 999, pri: 6, msg: "back" });
  assert.equal(again.newest().at(-1)?.uid, LOG_KEPT_MAX + 6);
});

/** Two nodes and what is on its way between them. */
class Pair {
  readonly ends = [1, 2].map((id) => new End(this, id));
  readonly frames: {
    to: NodeId;
    from: NodeId;
    message: MessageOf<"log-ask"> | MessageOf<"log">;
  }[] = [];
  members = [1, 2];
  now = 0;

  get kinds(): readonly string[] {
    return this.frames.map(({ to, message }) => `${to} ${message.kind}`);
  }

  /** Time passes, both take their turn, and what they sent arrives or is lost. */
  pass(ms: number, lost = false): void {
    this.now += ms;
    for (const { courier } of this.ends) courier.turn(instant(this.now));
    for (const { to, from, message } of this.frames.splice(0)) {
      if (lost) continue;
      const decoded = decodeMessage(encodeMessage(message));
      assert.ok(decoded !== null && messageFault(decoded) === null);
      const { courier } = this.ends[to - 1] as End;
      if (decoded.kind === "log") courier.onEntries(from, decoded.entries);
      else courier.onAsk(from);
    }
  }
}

class End {
  readonly log = new ClusterLog();
  readonly courier: LogCourier;

  constructor(pair: Pair, id: number) {
    this.courier = new LogCourier({
      self: nodeId(id),
      name: (node) => `n${node}`,
      isMember: (node) => pair.members.includes(node),
      log: this.log,
      send: (to, message) => pair.frames.push({ to, from: nodeId(id), message }),
    });
  }

  hears(id: number, boot: BootId | null, state: "online" | "down" = "online"): void {
    const never = { lastHeard: EPOCH, vouched: EPOCH, vitals: null };
    this.courier.onMember({ node: nodeId(id), state, boot, ...never });
  }

  texts(): readonly string[] {
    return this.log.newest().map(({ msg }) => msg);
  }
}

const BOOT = bootId("0".repeat(16));

function say(log: ClusterLog, node: string, msg: string): void {
  log.add(node, { time: 1, pri: 6, msg });
}

Deno.test("LogCourier: a node without a mount asks nobody, and nobody sends unasked", () => {
  const pair = new Pair();
  const [one, two] = pair.ends as [End, End];
  one.hears(2, BOOT);
  two.hears(1, BOOT);
  say(two.log, "n2", "hello");
  pair.pass(LOG_AGAIN_MS);
  pair.pass(LOG_AGAIN_MS);
  assert.deepEqual([one.texts(), two.texts()], [[], ["hello"]]);
});

Deno.test("LogCourier: who asks gets what was said, and soon what is said later, a gap between", () => {
  const pair = new Pair();
  const [one, two] = pair.ends as [End, End];
  say(two.log, "n2", "first");
  one.courier.reads = true;
  one.hears(2, BOOT);
  pair.pass(1);
  pair.pass(1);
  assert.deepEqual(one.texts(), ["first"]);
  say(two.log, "n2", "second");
  say(two.log, "n2", "third");
  pair.pass(1);
  assert.deepEqual(one.texts(), ["first"], "not a frame for each");
  pair.pass(LOG_GAP_MS);
  assert.deepEqual(one.texts(), ["first", "second", "third"]);
  two.courier.turn(instant(pair.now + LOG_GAP_MS));
  assert.deepEqual(pair.kinds, [], "nothing new, nothing sent");
});

Deno.test("LogCourier: what was lost comes with the next answer; a new life is asked at once", () => {
  const pair = new Pair();
  const [one, two] = pair.ends as [End, End];
  one.courier.reads = true;
  one.hears(2, BOOT);
  pair.pass(1, true);
  pair.pass(LOG_RETRY_MS - 1);
  one.courier.turn(instant(pair.now));
  assert.deepEqual(pair.kinds, [], "the asking is lost, and not repeated before its time");
  pair.pass(1);
  pair.pass(1);
  say(two.log, "n2", "lost");
  pair.pass(LOG_GAP_MS, true);
  say(two.log, "n2", "heard");
  pair.pass(LOG_GAP_MS);
  assert.deepEqual(one.texts(), ["heard"]);
  pair.pass(LOG_AGAIN_MS);
  pair.pass(1);
  assert.deepEqual(one.texts(), ["lost", "heard"]);
  one.hears(2, bootId("1".repeat(16)));
  one.courier.turn(instant(pair.now));
  assert.deepEqual(pair.kinds, ["2 log-ask"]);
});

Deno.test("LogCourier: who is silent, or no member any more, is neither asked nor answered", () => {
  const pair = new Pair();
  const [one, two] = pair.ends as [End, End];
  one.courier.reads = true;
  one.hears(2, BOOT);
  pair.pass(1);
  one.hears(2, BOOT, "down");
  pair.members = [2];
  say(two.log, "n2", "secret");
  pair.pass(LOG_AGAIN_MS);
  pair.pass(LOG_AGAIN_MS);
  assert.deepEqual(one.texts(), []);
});

Deno.test("messageFault() refuses entries of the cluster log that are none", () => {
  const whole = entry("n1", 1, 1);
  const fault = (odd: Partial<LogEntry>) =>
    messageFault({ kind: "log", entries: [{ ...whole, ...odd }] });
  assert.equal(fault({}), null);
  for (const odd of [{ node: "a b" }, { node: "" }, { pri: 8 }, { uid: 2 ** 50 }]) {
    assert.notEqual(fault(odd), null);
  }
});
