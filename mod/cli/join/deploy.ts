/**
 * `pentad deploy HOST`: this very file onto another host, installed there, and the host a member of
 * this node's cluster. Each step looks first whether it is done, so that repeating goes on.
 *
 * @module
 */
import type { MemberRow } from "../../api/membership_node.ts";
import { decodeText, encodeText, toHex } from "../../base/bytes.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { sha256 } from "../../base/seal.ts";
import { type Description, hasMember, readDescription } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { versionOf } from "../install/program_file.ts";
import { LOGIN_STEPS } from "./steps.ts";
import { type JoinOrder, JoinWork } from "./work.ts";

/** What the user asked for. */
export interface DeployOrder extends JoinOrder {
  readonly name: string | null;
  readonly address: string | null;
  /** Only install; the host becomes no member. */
  readonly installOnly: boolean;
  readonly dryRun: boolean;
}

const LOOK_MS = 500;
/** The ticket is used at once. */
const TICKET_MINUTES = 5;
/** Private to root, and not in memory as /tmp may be. */
const TEMPORARY = "/var/tmp/pentad-deploy.XXXXXXXX";

interface Step {
  readonly name: string;
  readonly does: string;
  run(): Promise<string>;
}

/** Does it, or with `dryRun` looks and lists. */
export async function deploy(cli: Cli, order: DeployOrder): Promise<void> {
  const work = new JoinWork(cli, order);
  try {
    const looks = LOGIN_STEPS.map(({ name, does, run }) => ({ name, does, run: () => run(work) }));
    const far = new FarHost(cli, work, order);
    const steps: readonly Step[] = [...looks, ...far.looks(), ...far.changes()];
    const done: { step: string; note: string }[] = [];
    for (const [at, step] of steps.entries()) {
      const would = order.dryRun && at >= looks.length + far.looks().length;
      const note = would ? `would ${step.does}` : await step.run();
      done.push({ step: step.name, note });
      cli.print.note(`[${at + 1}/${steps.length}] ${step.name}: ${note}`);
    }
    if (order.dryRun) cli.exit = EXIT.changes;
    if (cli.print.format === "json") {
      return cli.print.json({ schema: "pentad.deploy/1", dry_run: order.dryRun, steps: done });
    }
    cli.print.note(order.dryRun ? "nothing was changed" : "next: pentad status");
  } finally {
    await work.close();
  }
}

class FarHost {
  readonly #cli: Cli;
  readonly #work: JoinWork;
  readonly #order: DeployOrder;

  constructor(cli: Cli, work: JoinWork, order: DeployOrder) {
    this.#cli = cli;
    this.#work = work;
    this.#order = order;
  }

  looks(): readonly Step[] {
    return [{ name: "machine", does: "see what kind it is", run: () => this.#machine() }];
  }

  changes(): readonly Step[] {
    const { installOnly } = this.#order;
    const install = {
      ...{ name: "install", does: "copy this file there, and install it" },
      run: () => this.#install(),
    };
    if (installOnly) return [install];
    return [
      install,
      { name: "daemon", does: "wait until its daemon answers", run: () => this.#daemon() },
      { name: "member", does: "let it in with a one-time ticket", run: () => this.#member() },
      { name: "voter", does: "wait until it votes", run: () => this.#voter() },
    ];
  }

  /** Runs a program there that must succeed; what it printed. */
  async #run(words: readonly string[], input?: Uint8Array): Promise<string> {
    const { code, stdout, stderr } = await this.#work.ssh.run(words, input);
    if (code === 0) return (decodeText(stdout) ?? "").trim();
    const last = stderr.trim().split("\n").at(-1) ?? "";
    throw refusal(`"${words[0]}" there ended with ${code}: ${last}`);
  }

  async #machine(): Promise<string> {
    const kind = await this.#run(["uname", "-sm"]);
    const wanted = `Linux ${Deno.build.arch}`;
    if (kind !== wanted) throw refusal(`it is "${kind}", and this file is for "${wanted}"`);
    return kind;
  }

  /** A file that is there already, byte for byte, is installed again all the same: that repairs. */
  async #install(): Promise<string> {
    const { file } = this.#cli.wiring;
    if (file === null) {
      throw new ProblemError("install.no-file", "this pentad runs from its source");
    }
    const { version } = await versionOf(file);
    const bytes = await Deno.readFile(file);
    const sum = toHex(sha256(bytes));
    const folder = await this.#run(["mktemp", "-d", TEMPORARY]);
    const path = `${folder}/pentad`;
    try {
      await this.#run(["sh", "-c", 'umask 077; cat > "$0" && chmod 0755 "$0"', path], bytes);
      const there = (await this.#run(["sha256sum", path])).split(" ")[0];
      if (there !== sum) throw refusal(`what arrived there has SHA-256 ${there}, not ${sum}`);
      const { name, address } = this.#order;
      const named = [...(name ? ["--name", name] : []), ...(address ? ["--address", address] : [])];
      await this.#run([path, "install", ...named]);
    } finally {
      await this.#work.ssh.run(["rm", "-rf", "--", folder]);
    }
    return `pentad ${version} is installed there`;
  }

  async #daemon(): Promise<string> {
    const end = performance.now() + this.#cli.waitMs;
    const { remotePentad } = this.#order;
    for (;;) {
      const { code } = await this.#work.ssh.run([...remotePentad, "--json", "status"]);
      if (code !== EXIT.unreachable) return "its daemon answers";
      const { code: none } = await this.#work.ssh.run(["test", "-d", "/run/systemd/system"]);
      if (none !== 0) {
        throw refusal("no systemd runs there: start pentad daemon by what there is, and repeat");
      }
      if (performance.now() > end) {
        throw refusal("its daemon does not answer: journalctl -u pentad");
      }
      await pause();
    }
  }

  async #member(): Promise<string> {
    const { client, waitMs } = this.#cli;
    const there = await this.#describe();
    const here = await client.get<Description>("/v1/join/describe");
    if (here.cluster === null) {
      throw new ProblemError("join.not-a-member", `"${here.node}" has no cluster to let it into`);
    }
    if (there.cluster?.id === here.cluster.id) {
      if (hasMember(here, there)) return `"${there.node}" is a member already`;
      throw new ProblemError(
        "join.already-member",
        "it was removed from the cluster; there: pentad leave",
      );
    }
    if (there.cluster !== null) {
      throw new ProblemError("join.already-member", `there: of "${there.cluster.name}"`);
    }
    const { ticket } = await client.change<{ ticket: string }>("POST", "/v1/join/tickets", {
      json: { minutes: TICKET_MINUTES },
      limitMs: waitMs,
    });
    const { disk, remotePentad } = this.#order;
    const shared = disk === null ? [] : ["--disk", disk];
    // On its standard input: in `ps` everybody reads what stands on a command line.
    const words = [...remotePentad, "join", "--ticket", "-", ...shared];
    await this.#run(words, encodeText(`${ticket}\n`));
    return `"${there.node}" is a member of "${here.cluster.name}"`;
  }

  async #voter(): Promise<string> {
    const { client, waitMs } = this.#cli;
    const { node } = await this.#describe();
    for (const end = performance.now() + waitMs;; await pause()) {
      const { members } = await client.get<{ members: MemberRow[] }>("/v1/config-members");
      const row = members.find(({ name }) => name === node);
      if (row?.role === "voter") return `"${node}" votes`;
      if (performance.now() > end) {
        throw new ProblemError("node.timeout", `"${node}" is still a learner: ${row?.note ?? "?"}`);
      }
    }
  }

  async #describe(): Promise<Description> {
    const there = readDescription(await this.#work.far(["join", "describe"]));
    if (there === null) throw refusal("what it says of itself cannot be read");
    return there;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

function refusal(why: string): ProblemError {
  return new ProblemError("join.deploy", why);
}
