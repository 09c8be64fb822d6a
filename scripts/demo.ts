/**
 * `deno task demo`: two nodes on this machine live through one death and one cut network.
 *
 * Everything is real: two daemons as processes of their own, UDP and TCP on loopback, SQLite files,
 * a web server as the resource. Two things stand in for hardware, and say so: a file for the LUN
 * (its reservations are kept beside it under a file lock), and a process for the watchdog.
 *
 * Flags: `--profile fast|standard`, `--keep` (leave it running and say how to look).
 *
 * @module
 */
import type { EventLine, StatusDocument } from "../mod/node/view.ts";
import { timingOf } from "../mod/base/timing.ts";
import { LocalCluster, type LocalNode, pause } from "./local_cluster.ts";
import { pentad } from "./pentad_command.ts";

const profile = Deno.args.includes("standard") ? "standard" : "fast";
const timing = timingOf(profile);
/** How long anything that takes one recovery may take here, on a busy machine. */
const PATIENCE_MS = 3 * (timing.deadMs + timing.fenceWaitMs) + 20_000;
const WEB = "exec:web";

const cluster = new LocalCluster({ names: ["nodeA", "nodeB"], disk: true, watchdog: "process" });
const quiet = new AbortController();
const takeovers: EventLine[] = [];
const shared = `${cluster.folder}/shared`;
const address = `${new URL(`http://${webHost()}`).host}`;
let failures = 0;

function webHost(): string {
  return `127.${10 + Math.floor(Math.random() * 240)}.${Math.floor(Math.random() * 256)}.1:8080`;
}

function title(text: string): void {
  console.log(`\n── ${text} ${"─".repeat(Math.max(0, 92 - text.length))}`);
}

function check(what: string, ok: boolean): void {
  console.log(`   ${ok ? "✓" : "✗"} ${what}`);
  if (!ok) failures++;
}

/** Prints a node's conversation; what is said with every beat only while `routine` is on. */
let routine = false;
function listen(node: LocalNode): void {
  node.follow(
    (line) => {
      if (line.text.startsWith("takeover:")) takeovers.push(line);
      if (line.routine && !routine) return;
      console.log(
        `   ${line.at.slice(11, 23)} ${line.node} │ ${line.stream.padEnd(9)} ${line.text}`,
      );
    },
    quiet.signal,
    "?routine=true",
  );
}

async function command(node: LocalNode, ...args: string[]): Promise<string> {
  console.log(
    `   ${node.name}# pentad ${
      args.map((a) => a.length > 60 ? `${a.slice(0, 57)}…` : a).join(" ")
    }`,
  );
  return await node.run(...args);
}

interface Answer {
  readonly node: string;
  readonly token: string;
  readonly visits: number;
}

async function visit(): Promise<Answer | null> {
  try {
    const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1000) });
    return await response.json() as Answer;
  } catch {
    return null;
  }
}

async function visitUntil(wanted: (answer: Answer) => boolean): Promise<Answer> {
  const end = performance.now() + PATIENCE_MS;
  for (let answer = await visit();; answer = await visit()) {
    if (answer !== null && wanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`The web server did not answer as it should`);
    await pause(20);
  }
}

/** The server writes into the shared folder while it lives: no two may overlap. */
function overlaps(): string[] {
  const spans = new Map<string, { node: string; first: number; last: number }>();
  for (const line of Deno.readTextFileSync(`${shared}/journal`).trim().split("\n")) {
    const [time, node, token] = line.split(" ");
    if (!time || !node || !token) continue;
    const span = spans.get(token) ?? { node, first: Number(time), last: 0 };
    spans.set(token, { ...span, last: Number(time) });
  }
  const ordered = [...spans.values()].sort((a, b) => a.first - b.first);
  return ordered.flatMap((span, at) => {
    const next = ordered[at + 1];
    return next && next.first <= span.last ? [`${span.node} and ${next.node} ran at once`] : [];
  });
}

/** The winner tells the times once the resource is reported to run: soon after it answers. */
async function phases(winner: LocalNode): Promise<void> {
  const told = () => takeovers.filter((line) => line.node === winner.name).at(-1)?.text ?? "";
  const form = /detect=(\S+) fence=(\S+) claim=(\S+) start=(\S+)/;
  const end = performance.now() + PATIENCE_MS;
  while (!form.test(told()) && performance.now() < end) await pause(20);
  const found = form.exec(told());
  check(`phases: ${found ? found[0].replaceAll(",", "") : "not told"}`, found !== null);
}

async function form(): Promise<void> {
  title("two machines become a cluster: init, ticket, join");
  const [a, b] = [cluster.node(0), cluster.node(1)];
  await Promise.all([a.start(), b.start()]);
  listen(a);
  listen(b);
  await command(a, "init", "demo", "--profile", profile, "--disk", a.disk);
  const ticket = await command(a, "join", "ticket", "new");
  await command(b, "join", "--ticket", ticket, "--disk", b.disk);
  const both = (status: StatusDocument) =>
    status.quorate && status.config.writable &&
    status.nodes.filter((n) => n.role === "voter" && n.state === "online").length === 2;
  await a.until("both vote", both, PATIENCE_MS);
  await b.until("both vote", both, PATIENCE_MS);
  const { votes } = await b.until("votes", () => true);
  check(`quorate with ${votes.present} of ${votes.expected} votes, ${votes.needed} needed`, true);
}

async function serve(): Promise<void> {
  title("a web server becomes a resource, and the five streams talk");
  Deno.mkdirSync(shared);
  const server = new URL("demo_server.ts", import.meta.url).pathname;
  const run = `${Deno.execPath()} run -A --quiet --no-check`;
  const text = `${run} ${server} ${address} ${shared}`;
  await command(cluster.node(0), "ha", "add", WEB, "--command", text);
  const first = await visitUntil(() => true);
  check(`http://${address}/ answers from ${first.node}, visit ${first.visits}`, true);
  routine = true;
  await pause(4 * timing.beatMs);
  routine = false;
}

async function kill(): Promise<void> {
  const before = await visitUntil(() => true);
  const dead = nodeNamed(before.node);
  const survivor = otherThan(dead);
  title(`SIGKILL to every process of ${dead.name}, which runs the web server`);
  const cut = performance.now();
  await dead.powerCut();
  const frozen = await survivor.until(
    "it sees the silence",
    (status) => !status.quorate,
    PATIENCE_MS,
  )
    .then(() => true, () => false);
  check(`${survivor.name} freezes: no quorum, config read-only`, frozen);
  await survivor.until("it wins the disk", (s) => s.quorate && s.config.writable, PATIENCE_MS);
  check(`${survivor.name} holds the disk's witness vote and goes on alone`, true);
  const after = await visitUntil((answer) => answer.node === survivor.name);
  const seconds = ((performance.now() - cut) / 1000).toFixed(1);
  check(
    `the web server answers from ${after.node} after ${seconds} s, visit ${after.visits}`,
    true,
  );
  check("no visit was forgotten", after.visits > before.visits);
  await phases(survivor);
}

async function heal(node: LocalNode): Promise<void> {
  title(`${node.name} comes back`);
  if (node.pids().length === 0) await node.start();
  listen(node);
  const other = otherThan(node);
  const whole = (status: StatusDocument) =>
    status.quorate && status.config.writable && status.nodes.every((n) => n.state === "online");
  await node.until("it is back", whole, PATIENCE_MS);
  const mine = await other.until("both are online", whole, PATIENCE_MS);
  const theirs = await node.until(
    "it caught up",
    (status) => status.config.index >= mine.config.index,
    PATIENCE_MS,
  );
  const again = await other.until("same index", (s) => s.config.index >= theirs.config.index);
  const equal = again.config.index !== theirs.config.index ||
    again.config.crc32 === theirs.config.crc32;
  check(`both hold index ${theirs.config.index} with crc32 ${theirs.config.crc32}`, equal);
}

async function cutNetwork(): Promise<void> {
  title("the network between both is cut; the disk pulse lives");
  const before = await visitUntil(() => true);
  cluster.cut();
  for (const node of cluster.nodes) {
    await node.until(
      "the peer is isolated",
      (status) => status.nodes.some((member) => member.state === "isolated"),
      PATIENCE_MS,
    );
  }
  const moved = takeovers.length;
  await pause(2 * (timing.deadMs + timing.fenceWaitMs));
  const refused = await cluster.node(0).cli("config", "set", "demo.txt", "x");
  const said = refused.code === 4 ? "" : `: ${refused.stderr.trim()}`;
  check(`writing the config is refused with exit code ${refused.code}${said}`, refused.code === 4);
  const answer = await visit();
  check(`${before.node} still serves, the same process`, answer?.token === before.token);
  check("nothing moved", takeovers.length === moved);
}

async function cutDisk(): Promise<LocalNode> {
  const before = await visitUntil(() => true);
  const loser = nodeNamed(before.node);
  const winner = otherThan(loser);
  title(`${loser.name} loses its path to the disk as well`);
  loser.pullDisk();
  await winner.until("it wins", (s) => s.quorate && s.config.writable, PATIENCE_MS);
  check(`${winner.name} won the judgement on the disk`, true);
  const after = await visitUntil((answer) => answer.node === winner.name);
  check(`the web server answers from ${after.node}, visit ${after.visits}`, true);
  const lost = await loser.status();
  const down = lost === null || lost.guard.state === "lapsed";
  check(
    `${loser.name} fenced itself: ${lost === null ? "reset by its watchdog" : "guard lapsed"}`,
    down,
  );
  await phases(winner);
  await loser.powerCut();
  cluster.mend();
  loser.plugDisk(cluster.lun ?? "");
  return loser;
}

function nodeNamed(name: string): LocalNode {
  const node = cluster.nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`Nobody is called "${name}"`);
  return node;
}

function otherThan(node: LocalNode): LocalNode {
  return cluster.node(node === cluster.node(0) ? 1 : 0);
}

async function main(): Promise<void> {
  const started = performance.now();
  await form();
  await serve();
  const victim = nodeNamed((await visitUntil(() => true)).node);
  await kill();
  await heal(victim);
  await cutNetwork();
  await heal(await cutDisk());
  title("the end");
  check("at no time did two web servers run", overlaps().length === 0);
  console.log(
    `   ${((performance.now() - started) / 1000).toFixed(0)} s in all, profile ${profile}`,
  );
}

async function keep(): Promise<void> {
  console.log(`\nLeft running. To look:`);
  for (const node of cluster.nodes) {
    console.log(`  ${pentad().join(" ")} --socket ${node.socket} status`);
  }
  console.log(`  curl http://${address}/\nCtrl-C ends it and removes everything.`);
  await new Promise<void>((resolve) => Deno.addSignalListener("SIGINT", () => resolve()));
}

Deno.addSignalListener("SIGTERM", () => {
  cluster.close().finally(() => Deno.exit(143));
});
try {
  await main();
  if (Deno.args.includes("--keep")) await keep();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  failures++;
} finally {
  quiet.abort();
  await cluster.close();
}
console.log(failures === 0 ? "\nAll of it really happened." : `\n${failures} checks failed.`);
Deno.exit(failures === 0 ? 0 : 1);
