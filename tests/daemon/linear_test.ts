/**
 * What clients of real daemons saw, checked against what a single register a file could have shown
 * (tests/linear): while daemons are killed, stopped and cut off from each other.
 */
import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";
import {
  checkFiles,
  type FileInput,
  type FileOperation,
  type FileOutput,
} from "../linear/files.ts";

const FILES = 6;
const CLIENTS = 6;
/** PENTAD_FAULTS asks for more. */
const FAULTS = Number(Deno.env.get("PENTAD_FAULTS") ?? 8);
/** Operations between two faults, so that each fault meets traffic. */
const OPERATIONS_A_FAULT = 40;
const REQUEST_MS = 3000;

/** Knows what a client knows: the version of each value that it has seen. */
class Client {
  readonly #cluster: LocalCluster;
  readonly #prng: Prng;
  readonly #name: string;
  readonly #known = new Map<string, { value: string; tag: string } | null>();
  readonly history: FileOperation[] = [];
  #count = 0;

  constructor(cluster: LocalCluster, prng: Prng, name: string) {
    this.#cluster = cluster;
    this.#prng = prng;
    this.#name = name;
  }

  /** One operation on one file through one node, whatever becomes of it. */
  async act(): Promise<void> {
    const path = `file${this.#prng.between(0, FILES - 1)}`;
    const node = this.#prng.pick(this.#cluster.nodes) as LocalNode;
    const input = this.#choose(path);
    const called = performance.now();
    const output = await this.#ask(node, path, input);
    // One that surely did nothing is no part of the history.
    if (output === "nothing") return await pause(20);
    const returned = output === null ? Infinity : performance.now();
    this.history.push({ path, input, output, called, returned });
  }

  #choose(path: string): FileInput {
    const known = this.#known.get(path);
    if (known === undefined || this.#prng.chance(0.4)) return { op: "read" };
    const value = `${this.#name}.${++this.#count}`;
    if (known === null) return { op: "swap", expect: null, value };
    if (this.#prng.chance(0.3)) return { op: "remove", expect: known.value };
    return { op: "swap", expect: known.value, value };
  }

  async #ask(
    node: LocalNode,
    path: string,
    input: FileInput,
  ): Promise<FileOutput | null | "nothing"> {
    try {
      return await this.#send(node, path, input);
    } catch {
      // The connection broke: a change may have been made all the same; a read shows nothing.
      this.#known.delete(path);
      return input.op === "read" ? "nothing" : null;
    }
  }

  async #send(
    node: LocalNode,
    path: string,
    input: FileInput,
  ): Promise<FileOutput | null | "nothing"> {
    const signal = AbortSignal.timeout(REQUEST_MS);
    if (input.op === "read") {
      const response = await node.api("GET", `/v1/config/${path}?read=quorum`, { signal });
      const tag = response.headers.get("ETag");
      const text = await response.text();
      if (response.status !== 200 && response.status !== 404) return "nothing";
      const value = response.status === 404 ? null : text;
      this.#known.set(path, value === null || tag === null ? null : { value, tag });
      return { value };
    }
    const known = this.#known.get(path) ?? null;
    const headers = known === null ? { "If-None-Match": "*" } : { "If-Match": known.tag };
    const [method, body] = input.op === "remove" ? ["DELETE"] : ["PUT", valueOf(input)];
    const init = { headers, signal, ...(body === undefined ? {} : { body }) };
    const response = await node.api(method as string, `/v1/config/${path}`, init);
    const tag = response.headers.get("ETag");
    const { code } = response.ok ? { code: "" } : await response.json();
    this.#known.delete(path);
    if (response.ok) {
      if (input.op !== "remove" && tag !== null) {
        this.#known.set(path, { value: valueOf(input), tag });
      }
      return { done: true };
    }
    if (REFUSED.includes(code)) return { done: false };
    return NOTHING_DONE.includes(code) ? "nothing" : null;
  }
}

/** The condition did not hold where the transaction was applied. */
const REFUSED = ["config.version-mismatch", "config.exists", "config.not-found"];
/** Nothing was even proposed. */
const NOTHING_DONE = ["config.no-quorum", "api.busy", "node.starting", "node.stopped"];

function valueOf(input: FileInput): string {
  return "value" in input ? input.value : "";
}

/** How nodes are cut off: by packet filters where they can be had, else by their cables. */
interface Network {
  readonly namespaces: Namespaces | null;
  readonly cluster: LocalCluster;
}

async function cut({ namespaces, cluster }: Network, prng: Prng, at: number): Promise<string> {
  if (namespaces === null) {
    cluster.node(at).cable.cut();
    return "cut";
  }
  if (prng.chance(0.5)) {
    await namespaces.isolate(at);
    return "isolate";
  }
  // One way only: it is heard and does not hear.
  for (let from = 0; from < cluster.nodes.length; from++) {
    if (from !== at) await namespaces.deafen(at, from);
  }
  return "deafen";
}

async function mend({ namespaces, cluster }: Network, at: number): Promise<void> {
  if (namespaces === null) cluster.node(at).cable.mend();
  else await namespaces.heal();
}

/** One fault, mended before it returns. */
async function strike(
  network: Network,
  prng: Prng,
  meanwhile: () => Promise<void>,
): Promise<string> {
  const at = prng.between(0, network.cluster.nodes.length - 1);
  const node = network.cluster.node(at);
  const kind = prng.pick(["kill", "stop", "cut"]);
  let told = kind;
  if (kind === "kill") {
    await node.crash();
    await meanwhile();
    await node.start();
  } else if (kind === "stop") {
    Deno.kill(node.pid, "SIGSTOP");
    await meanwhile();
    Deno.kill(node.pid, "SIGCONT");
  } else {
    told = await cut(network, prng, at);
    await meanwhile();
    await mend(network, at);
  }
  return `${told} ${node.name}`;
}

Deno.test("what clients see of three daemons under kill, stop and cut is linearizable", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const prng = new Prng(seed);
  const missing = await namespacesMissing();
  if (missing !== null) console.log(`skipped: nftables in namespaces (${missing}); cables instead`);
  const names = ["nodeA", "nodeB", "nodeC"];
  const namespaces = missing === null ? await Namespaces.make(names.length) : null;
  const network = namespaces === null ? {} : { network: namespaces };
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none", ...network });
  try {
    await cluster.form();
    const clients = Array.from(
      { length: CLIENTS },
      (_, at) => new Client(cluster, prng.split(), `c${at}`),
    );
    let busy = true;
    let acts = 0;
    const work = clients.map(async (client) => {
      while (busy) {
        await client.act();
        acts++;
      }
    });
    const some = async () => {
      const until = acts + OPERATIONS_A_FAULT;
      while (acts < until) await pause(5);
    };
    const faults: string[] = [];
    for (let at = 0; at < FAULTS; at++) {
      faults.push(await strike({ namespaces, cluster }, prng, some));
      await some();
    }
    busy = false;
    await Promise.all(work);
    const history = clients.flatMap((client) => client.history);
    const about = `seed ${seed}, ${history.length} operations, ${faults.join(", ")}`;
    const decided = history.filter(({ output }) => output !== null).length;
    assert.ok(decided > FAULTS * OPERATIONS_A_FAULT / 2, `too little happened: ${about}`);
    assert.deepEqual(checkFiles(history), [], about);
  } finally {
    await cluster.close();
    await namespaces?.close();
  }
});
