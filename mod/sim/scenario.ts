/**
 * Stories of a cluster as text: what happens when, and below a line of dashes the log that came of
 * it. `tests/scenarios/*.txt`.
 *
 * ```text
 * # The owner loses its power; the other takes over after the proof of its death.
 * cluster nodes=2 witness
 * at 5 resource exec:web
 * at 12 power nodeA off
 * at 20 expect exec:web runs nodeB
 * end 25
 * ----
 * …
 * ```
 *
 * @module
 */
import { formatReason, type Reason } from "../base/reason.ts";
import { isResourceId, type NodeId, requestId, type ResourceId } from "../base/id.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import type { Fact, Request } from "../streams.ts";
import { Admin } from "./admin.ts";
import { Checks } from "./checks.ts";
import { SHARED_DISK, SimCluster, type SimNode } from "./cluster.ts";
import { CALM, type WorldOptions } from "./options.ts";

/** A line of a story that cannot be read or did not come true. */
export class ScenarioFault extends Error {
  override name = "ScenarioFault";
}

const DASHES = "----";

/** A scenario file: the story as it stands, and the log that it expects. */
export interface ScenarioFile {
  readonly story: string;
  readonly log: string;
}

/** Cuts a file into story and log. */
export function readScenario(text: string): ScenarioFile {
  const at = text.indexOf(`\n${DASHES}\n`);
  if (at < 0) return { story: `${text.trimEnd()}\n`, log: "" };
  return { story: text.slice(0, at + 1), log: text.slice(at + DASHES.length + 2) };
}

/** Puts story and log together again. */
export function printScenario({ story, log }: ScenarioFile): string {
  return `${story}${DASHES}\n${log}`;
}

/**
 * Plays a story; returns its log. Throws a ScenarioFault with the line that is at fault. `hear` is
 * told every reason that a node gave, also of what is not in the log.
 */
export function playScenario(story: string, hear: (because: Reason) => void = () => {}): string {
  const lines = story.split("\n").map((text, at) => ({ text: text.trim(), at: at + 1 }))
    .filter(({ text }) => text !== "" && !text.startsWith("#"));
  const [first, ...rest] = lines;
  const words = first?.text.split(/\s+/) ?? [];
  if (first === undefined || words[0] !== "cluster") {
    throw new ScenarioFault(`Line ${first?.at ?? 1}: a story begins with "cluster"`);
  }
  const value = (key: string) =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const stage = new Stage({
    seed: Number(value("seed") ?? 1),
    nodes: Number(value("nodes") ?? 2),
    witness: words.includes("witness"),
    watchdog: !words.includes("unarmed"),
    streams: value("streams")?.split(",") ?? null,
    spares: words.includes("spare") ? 1 : 0,
    aborts: !words.includes("no-abort"),
    hear,
    ...(value("log") === undefined ? {} : { log: Number(value("log")) }),
  });
  for (const { text, at } of rest) stage.read(text, at);
  return stage.log();
}

/** What the first line of a story says. */
interface StageAsk {
  readonly seed: number;
  readonly nodes: number;
  readonly witness: boolean;
  readonly watchdog: boolean;
  /** `streams=ha`: what other streams say is not told; null: all is. */
  readonly streams: readonly string[] | null;
  readonly spares: number;
  /** `no-abort`: the disk's target has no PREEMPT AND ABORT. */
  readonly aborts: boolean;
  readonly hear: (because: Reason) => void;
  /** `log=N`: a node keeps N applied entries, and sends its state in small chunks. */
  readonly log?: number;
}

function shortLog(entries: number): Partial<WorldOptions> {
  return { logTailEntries: entries, logTailBytes: 0, snapshotChunkBytes: 500 };
}

class Stage {
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #admin: Admin;
  readonly #lines: string[] = [];
  readonly #rules = new Map<string, string>();
  /** Copies of databases, by node: what puts them back. */
  readonly #kept = new Map<string, () => void>();

  constructor(ask: StageAsk) {
    const { seed, nodes, witness, watchdog, log, spares, aborts } = ask;
    const say = (node: SimNode, what: string) => {
      const time = (this.#cluster.world.now / 1000).toFixed(3).padStart(7);
      this.#lines.push(`${time} ${node.name} ${what}`);
    };
    this.#cluster = new SimCluster(seed, {
      shape: { nodes, witness, profile: "fast", aborts },
      options: { ...CALM, watchdogPresent: watchdog, ...(log === undefined ? {} : shortLog(log)) },
      spares,
      events: {
        onFact: (node, fact) => {
          this.#checks.onFact(node, fact);
          if ("because" in fact) ask.hear(fact.because);
          const answer = this.#answered(fact);
          if (answer !== null) say(node, answer);
        },
        onSaying: (node, { stream, text, routine, because }) => {
          if (because !== null) ask.hear(because);
          if (routine || (ask.streams !== null && !ask.streams.includes(stream))) return;
          say(node, `${stream} ${text}${because === null ? "" : `  (${formatReason(because)})`}`);
        },
        onLife: (node, what) => say(node, `host ${what}`),
      },
    });
    this.#checks = new Checks(this.#cluster);
    this.#admin = new Admin(this.#cluster);
    this.#cluster.site.plant.onChange((id, host, runs) =>
      say(this.#cluster.node(host), `plant ${id} ${runs ? "runs" : "is gone"}`)
    );
    this.#cluster.bootAll();
  }

  /** One line: `at SECONDS COMMAND…` or `end SECONDS`. */
  read(text: string, line: number): void {
    const [when, seconds, command = "", ...args] = text.split(/\s+/);
    const at = 1000 * Number(seconds);
    if (!Number.isFinite(at) || (when !== "at" && when !== "end")) {
      throw new ScenarioFault(
        `Line ${line}: "${text}" is neither "at SECONDS …" nor "end SECONDS"`,
      );
    }
    this.#cluster.world.runUntil(at);
    const [violation] = this.#checks.violations;
    if (violation !== undefined) {
      throw new ScenarioFault(`Before line ${line}: ${violation.rule}: ${violation.what}`);
    }
    if (when === "end") return;
    const shown = [command, ...args].join(" ");
    this.#lines.push(`${(at / 1000).toFixed(3).padStart(7)} > ${shown}`);
    const fault = this.#do(command, args);
    if (fault !== null) throw new ScenarioFault(`Line ${line}: ${fault}`);
  }

  log(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  #do(command: string, args: readonly string[]): string | null {
    const { network, disks, plant } = this.#cluster.site;
    const [first = "", second = "", third = ""] = args;
    switch (command) {
      case "resource":
      case "set":
        return this.#resource(first, args.slice(1));
      case "remove":
        if (isResourceId(first)) this.#admin.remove(first);
        return this.#admin.apply(), null;
      case "rule":
        return this.#rule(args);
      case "order":
        return this.#admin.order(args.join(" ")), null;
      case "write":
        return this.#admin.write(first, args.slice(1).join(" ")), null;
      case "fill":
        return this.#admin.write(first, "x".repeat(Number(second))), null;
      case "exit":
        return plant.crashProcess(first as ResourceId), null;
      case "partition":
        network.partition(args.map((group) => group.split("+").map((name) => this.#index(name))));
        return null;
      case "cut":
        network.cut({ from: this.#index(first), to: this.#index(second) });
        return null;
      case "heal":
        network.heal();
        return null;
      case "expect":
        return this.#expect(first, second, third);
      case "disk":
        if (second !== "ok" && second !== "hung" && second !== "failing") return "ok|hung|failing";
        return disks.setPath(this.#index(first), SHARED_DISK, second), null;
      default:
        return this.#host(command, first, second);
    }
  }

  #host(command: string, name: string, argument: string): string | null {
    const { host } = this.#cluster.node(this.#index(name));
    switch (command) {
      case "power":
        if (argument === "on") host.powerOn();
        else host.powerCut(null);
        return null;
      case "crash":
        return host.crashDaemon(), null;
      case "pause":
        return host.pauseDaemon(1000 * Number(argument)), null;
      case "hang":
        return host.hang(1000 * Number(argument)), null;
      case "shutdown":
        this.#cluster.node(this.#index(name)).runtime?.request({
          request: "ha.shutdown",
          tag: "scenario",
          ...(isHow(argument) ? { how: argument } : {}),
        });
        return null;
      case "damage":
        host.store.damage("log entry 3 fails its CRC-32");
        return host.crashDaemon(), null;
      case "lie":
        if (argument !== "dropped" && argument !== "misdirected") return "dropped|misdirected";
        return host.store.lie(argument), null;
      case "io-error":
        return host.store.failOnce(), null;
      case "drift":
        this.#checks.allowDrift(this.#cluster.node(this.#index(name)));
        host.crashDaemon();
        return host.store.drift() ? null : "it holds no file";
      case "rot":
        return host.store.damage(`tree row ${argument} fails its CRC-32`), null;
      case "verify":
        this.#cluster.node(this.#index(name)).runtime?.request({
          request: "config.verify",
          tag: "scenario",
        });
        return null;
      case "clone":
        return this.#cluster.clone(this.#cluster.node(this.#index(name))), null;
      case "keep":
        this.#kept.set(name, host.store.copy());
        return null;
      case "put-back":
        host.crashDaemon();
        return this.#kept.get(name)?.(), null;
      case "full":
        host.store.failCommits(argument === "off" ? null : "database or disk is full");
        return null;
      case "reboot": {
        const { life } = this.#cluster.node(this.#index(name));
        return this.#admin.order(`reboot ${name} ${life?.boot ?? ""}`), null;
      }
      case "confirm-dead":
        return this.#admin.order(`confirm-dead ${name}`), null;
      case "transfer":
        return this.#ask(
          name,
          (node) => ({ request: "config.transfer", tag: "scenario", to: node }),
        );
      case "member-remove":
        return this.#ask(name, (node) => ({
          ...{ request: "config.change-spec", tag: "scenario" },
          change: { change: "remove", node },
        }));
      case "force-single":
        return this.#force(name, argument === "accepted");
      default:
        return `"${command}" is no command`;
    }
  }

  /** Asks something about a node of the first one that can write. */
  #ask(name: string, make: (node: NodeId) => Request): string | null {
    const { nodes } = this.#cluster;
    const found = nodes.find(({ runtime }) => runtime?.board.position?.writable === true);
    if (!found?.runtime) return "nobody can write";
    return found.runtime.request(make(this.#cluster.node(this.#index(name)).id)), null;
  }

  #force(name: string, commit: boolean): string | null {
    const node = this.#cluster.node(this.#index(name));
    const { runtime } = node;
    if (commit) this.#checks.allowLoss(node);
    const ask = {
      ...{ commit, id: requestId("00000000000000ff"), author: `root@${name}`, time: 0 },
      reason: "force-single, accept-risk=data-loss",
    };
    runtime?.request({ request: "config.force-single", tag: "scenario", ask });
    return runtime === null ? `${name} does not run` : null;
  }

  /** What a node answers to an order of the story. */
  #answered(fact: Fact): string | null {
    if (fact.fact === "config.outcome" && fact.tag === "scenario") {
      const { outcome } = fact;
      return outcome.ok
        ? "answers: done"
        : `answers: ${outcome.problem.code}, ${outcome.problem.why}`;
    }
    if (fact.fact === "config.verified") {
      const [first] = fact.report?.damaged ?? [];
      return `answers: ${first?.why ?? "all is what was written"}`;
    }
    if (fact.fact !== "config.forced") return null;
    const { problem, report, index } = fact;
    if (problem !== null) return `answers: ${problem.code}, ${problem.why}`;
    if (index !== null) return `answers: done at index ${index}`;
    return `answers: ${report.warnings.join("; ")}`;
  }

  /** `KIND NAME key=value …`; without keys the rule is taken away. */
  #rule([kind = "", name = "", ...properties]: readonly string[]): string | null {
    if (properties.length === 0) this.#rules.delete(name);
    else {
      const lines = properties.map((each) => `\t${each.replace("=", " ")}\n`);
      this.#rules.set(name, `${kind}: ${name}\n${lines.join("")}`);
    }
    return this.#admin.write("ha/rules.cfg", [...this.#rules.values()].join("\n")), null;
  }

  #resource(id: string, properties: readonly string[]): string | null {
    if (!isResourceId(id)) return `"${id}" is no resource id`;
    const pairs = properties.map((each) => each.split("=") as [string, string]);
    this.#admin.set(id, Object.fromEntries(pairs));
    return this.#admin.apply(), null;
  }

  /**
   * `exec:web runs nodeA`, `exec:web runs nowhere`, `nodeA quorate yes`, `nodeA writable no`,
   * `nodeA holds a/path`, `nodeA recovers no`, `nodeA differs no`.
   */
  #expect(what: string, verb: string, wanted: string): string | null {
    if (verb === "runs") {
      const hosts = [...this.#cluster.site.plant.running().get(what as ResourceId) ?? []];
      const names = hosts.map((host) => this.#cluster.node(host).name).join("+") || "nowhere";
      return names === wanted ? null : `${what} runs ${names}`;
    }
    const { runtime } = this.#cluster.node(this.#index(what));
    if (verb === "holds") {
      const found = runtime?.node.config.stat(wanted) ?? null;
      return found === null ? `${what} does not hold ${wanted}` : null;
    }
    if (verb === "recovers") {
      if (runtime === null) return `${what} does not run`;
      const recovers = runtime.node.config.view().recovering === null ? "no" : "yes";
      return recovers === wanted ? null : `${what}: recovers is ${recovers}`;
    }
    const is = verb === "differs"
      ? runtime?.node.config.view().diverged === true
      : verb === "quorate"
      ? runtime?.board.view?.quorate === true
      : verb === "writable"
      ? runtime?.board.position?.writable === true && runtime.board.view?.quorate === true
      : verb === "guard"
      ? runtime?.node.ha.view().guard.held === true
      : verb === "leads"
      ? runtime?.node.config.view().role === "leader"
      : verb === "removed"
      ? runtime?.node.config.view().removed === true
      : null;
    if (is === null) return `"${verb}" cannot be expected`;
    return (is ? "yes" : "no") === wanted ? null : `${what}: ${verb} is ${is ? "yes" : "no"}`;
  }

  #index(name: string): number {
    const at = this.#cluster.all.findIndex((node) => node.name === name);
    if (at < 0) throw new ScenarioFault(`"${name}" is no node`);
    return at;
  }
}

function isHow(word: string): word is ShutdownHow {
  return word === "reboot" || word === "poweroff" || word === "restart";
}
