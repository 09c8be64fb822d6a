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
import { isResourceId, type ResourceId } from "../base/id.ts";
import type { Fact } from "../streams.ts";
import { Admin } from "./admin.ts";
import { Checks } from "./checks.ts";
import { SimCluster, type SimNode } from "./cluster.ts";
import { CALM, type WorldOptions } from "./options.ts";
import { Hands } from "./scenario_host.ts";
import { expected, faultsOf, managerOf, shown } from "./scenario_look.ts";
import { Programs, renewKey } from "./scenario_mount.ts";

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
    mounts: words.includes("mounted"),
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
  /** `mounted`: the tree is mounted on every host, for programs. */
  readonly mounts: boolean;
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
  readonly #hands: Hands;
  readonly #programs: Programs;

  constructor(ask: StageAsk) {
    const { seed, nodes, witness, watchdog, log, spares, mounts, aborts } = ask;
    const say = (node: SimNode, what: string) => {
      const time = (this.#cluster.world.now / 1000).toFixed(3).padStart(7);
      this.#lines.push(`${time} ${node.name} ${what}`);
    };
    this.#cluster = new SimCluster(seed, {
      shape: { nodes, witness, profile: "fast", aborts },
      options: { ...CALM, watchdogPresent: watchdog, ...(log === undefined ? {} : shortLog(log)) },
      spares,
      mounts,
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
    const parts = { cluster: this.#cluster, checks: this.#checks, admin: this.#admin };
    this.#hands = new Hands(parts);
    this.#programs = new Programs(say);
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
    const { network, plant } = this.#cluster.site;
    const [first = "", second = ""] = args;
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
        return this.#admin.order(args.join(" ").replaceAll(" ; ", "\n")), null;
      case "write":
        return this.#admin.write(first, args.slice(1).join(" ")), null;
      case "erase":
        return this.#admin.change(() => [{ op: "remove", path: first }]), null;
      case "move":
        return this.#move(first, second);
      case "fill":
        return this.#admin.write(first, "x".repeat(Number(second))), null;
      case "exit":
        return plant.crashProcess(first as ResourceId), null;
      case "sick":
      case "well":
        return this.#sicken(first, command === "sick" ? args.slice(1).join(" ") : null);
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
        return expected(this.#cluster, (name) => this.#find(name), args);
      case "show":
        return this.#note(shown(this.#cluster, first));
      case "faults":
        for (const fault of faultsOf(this.#cluster)) this.#note(fault);
        return null;
      case "key":
        return renewKey(this.#cluster);
      case "make":
      case "unlock":
      case "save":
      case "hold":
      case "drop":
        return this.#programs.begin(command, this.#find(first), args.slice(1));
      default:
        return this.#hands.do(command, this.#find(first), args.slice(1));
    }
  }

  #move(from: string, to: string): null {
    const parts = to.split("/").slice(0, -1);
    const parents = parts.map((_, at) => parts.slice(0, at + 1).join("/"));
    this.#admin.change((config) => [
      ...parents.filter((path) => config.stat(path) === null)
        .map((path) => ({ op: "mkdir", path }) as const),
      { op: "rename", path: from, to },
    ]);
    return null;
  }

  /** A line of its own, of nobody. */
  #note(line: string): null {
    this.#lines.push(`${" ".repeat(7)} = ${line}`);
    return null;
  }

  /** Monitors of it fail for this reason, wherever it runs. */
  #sicken(id: string, why: string | null): string | null {
    const { plant } = this.#cluster.site;
    for (const host of plant.running().get(id as ResourceId) ?? []) {
      plant.sicken(id as ResourceId, host, why);
    }
    return null;
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
    // By such a proof it may run where it was, too: there it can write no more.
    if (properties.includes("recover_on=storage")) this.#checks.writers.add(id);
    return this.#admin.apply(), null;
  }

  #index(name: string): number {
    return this.#cluster.all.indexOf(this.#find(name));
  }

  /** By its name; `dc` is the one that manages now. */
  #find(name: string): SimNode {
    const found = name === "dc"
      ? managerOf(this.#cluster)
      : this.#cluster.all.find((node) => node.name === name) ?? null;
    if (found === null) throw new ScenarioFault(`"${name}" is no node`);
    return found;
  }
}
