/** Hosts with an sshd and a daemon each, and `pentad join` between them. */
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";
import { executable, pentad } from "../../scripts/pentad_command.ts";
import { SshHosts } from "../../scripts/ssh_hosts.ts";
export { logsIn } from "../../scripts/ssh_roots.ts";

const DECODER = new TextDecoder();

export interface World {
  readonly hosts: SshHosts;
  readonly cluster: LocalCluster;
  /** `pentad …` beside the daemon of a host; stops it when a line of its progress is `until`. */
  pentad(at: number, words: readonly string[], until?: RegExp): Promise<Ran>;
  /** `pentad join` of host 1 with host 0. */
  join(words?: readonly string[], until?: RegExp): Promise<Ran>;
  /** The same with a short patience; `then` happens when a line of its progress is `when`. */
  joinCut(when: RegExp, then: () => Promise<void>): Promise<Ran>;
  /** `pentad WORDS HOST` on host 1 about host 0, whose key is known. */
  about(words: readonly string[]): Promise<Ran>;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function withHosts(
  names: readonly string[],
  body: (world: World) => Promise<void>,
): Promise<void> {
  const hosts = await SshHosts.make(names.length);
  const cluster = new LocalCluster({
    names,
    disk: false,
    watchdog: "none",
    network: hosts,
    mount: true,
  });
  try {
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await cluster.node(0).run("init", "prod", "--profile", "fast");
    await cluster.node(0).until(
      "it writes",
      ({ config, mount }) => config.writable && mount.state === "mounted",
    );
    await hosts.letIn(1, 0);
    const run = (at: number, words: readonly string[], until?: RegExp) =>
      runAt(hosts, at, [...command(cluster.node(at)), ...words], until);
    const fingerprint = await hosts.fingerprint(0);
    const far = ["--remote-pentad", remote(hosts, cluster.node(0))];
    await body({
      hosts,
      cluster,
      pentad: run,
      join: (words = [], until) => {
        const known = words.includes("--fingerprint") ? [] : ["--fingerprint", fingerprint];
        return run(1, ["join", hosts.address(0), ...known, ...far, ...words], until);
      },
      joinCut: (when, then) => {
        const words = [
          "--wait",
          "5",
          "join",
          hosts.address(0),
          "--fingerprint",
          fingerprint,
          ...far,
        ];
        return runAt(hosts, 1, [...command(cluster.node(1)), ...words], when, then);
      },
      about: (words) => run(1, [...words, hosts.address(0), "--fingerprint", fingerprint, ...far]),
    });
  } finally {
    await cluster.close();
    await hosts.close();
  }
}

export function command(node: LocalNode): string[] {
  return [...pentad(), "--socket", node.socket];
}

/** How pentad is called by an SSH session, whose environment is bare. */
function remote(hosts: SshHosts, node: LocalNode): string {
  const file = executable();
  if (file !== null) return `${file} --socket ${node.socket}`;
  const [environment] = hosts.prefix(0).filter((word) => word.startsWith("DENO_DIR="));
  return ["env", environment, ...command(node)].join(" ");
}

export async function runAt(
  hosts: SshHosts,
  at: number,
  words: readonly string[],
  until?: RegExp,
  then?: () => Promise<void>,
): Promise<Ran> {
  const [program = "", ...args] = [...hosts.prefix(at), ...words];
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = new Response(child.stdout).text();
  let stderr = "";
  let happened: Promise<void> | null = null;
  for await (const chunk of child.stderr) {
    stderr += DECODER.decode(chunk, { stream: true });
    if (then !== undefined && happened === null && until?.test(stderr)) happened = then();
    else if (then === undefined && until?.test(stderr)) {
      // nsenter and env become the program: this is its pid.
      child.kill("SIGKILL");
      break;
    }
  }
  const { code } = await child.status;
  await happened;
  return { code, stdout: await stdout, stderr };
}

/** Lines of a file of the tree. */
export async function lines(node: LocalNode, path: string): Promise<string[]> {
  const answer = await node.api("GET", `/v1/config/${path}`);
  return answer.status === 404 ? [] : (await answer.text()).trim().split("\n");
}
