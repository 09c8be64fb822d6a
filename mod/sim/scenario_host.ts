/** What happens to the hosts of a story, and what its administrator asks of them. @module */
import { requestId, type ResourceId } from "../base/id.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import type { Request } from "../streams.ts";
import type { Admin } from "./admin.ts";
import type { Checks } from "./checks.ts";
import { SHARED_DISK, type SimCluster, type SimNode } from "./cluster.ts";

/** What a story works on. */
export interface HandParts {
  readonly cluster: SimCluster;
  readonly checks: Checks;
  readonly admin: Admin;
}

/** See the module's note. */
export class Hands {
  readonly #parts: HandParts;
  /** Copies of databases, by node: what puts them back. */
  readonly #kept = new Map<string, () => void>();

  constructor(parts: HandParts) {
    this.#parts = parts;
  }

  /** Does something to a node; null, or why it cannot be done. */
  do(command: string, node: SimNode, args: readonly string[]): string | null {
    const { cluster, checks } = this.#parts;
    const { host, runtime, name } = node;
    const [argument = "", second = "0"] = args;
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
      case "load":
        host.load.set({ load: Number(argument), memory: Number(second), ioDelay: 0 });
        return null;
      case "break":
      case "mend":
        return host.processes.refuse(argument as ResourceId, command === "break"), null;
      case "free":
        return host.processes.free(argument as ResourceId), null;
      case "disk": {
        if (argument !== "ok" && argument !== "hung" && argument !== "failing") {
          return "ok|hung|failing";
        }
        const at = cluster.all.indexOf(node);
        return cluster.site.disks.setPath(at, SHARED_DISK, argument), null;
      }
      case "shutdown":
        runtime?.request({
          request: "ha.shutdown",
          tag: "scenario",
          ...(isHow(argument) ? { how: argument } : {}),
        });
        return null;
      case "verify":
        return runtime?.request({ request: "config.verify", tag: "scenario" }), null;
      case "clone":
        return cluster.clone(node), null;
      case "drift":
        checks.allowDrift(node);
        host.crashDaemon();
        return host.store.drift() ? null : "it holds no file";
      case "keep":
        this.#kept.set(name, host.store.copy());
        return null;
      case "put-back":
        host.crashDaemon();
        return this.#kept.get(name)?.(), null;
      default:
        return this.#harm(command, node, argument);
    }
  }

  #harm(command: string, node: SimNode, argument: string): string | null {
    const { store } = node.host;
    switch (command) {
      case "damage":
        store.damage("log entry 3 fails its CRC-32");
        return node.host.crashDaemon(), null;
      case "lie":
        if (argument !== "dropped" && argument !== "misdirected") return "dropped|misdirected";
        return store.lie(argument), null;
      case "io-error":
        return store.failOnce(), null;
      case "rot":
        return store.damage(`tree row ${argument} fails its CRC-32`), null;
      case "full":
        return store.failCommits(argument === "off" ? null : "database or disk is full"), null;
      default:
        return this.#administer(command, node, argument);
    }
  }

  #administer(command: string, node: SimNode, argument: string): string | null {
    const { admin } = this.#parts;
    const { id, name, life } = node;
    switch (command) {
      case "reboot":
        return admin.order(`reboot ${name} ${life?.boot ?? ""}`), null;
      case "confirm-dead":
        return admin.order(`confirm-dead ${name}`), null;
      case "transfer":
        return this.#ask({ request: "config.transfer", tag: "scenario", to: id });
      case "member-remove":
        return this.#ask({
          ...{ request: "config.change-spec", tag: "scenario" },
          change: { change: "remove", node: id },
        });
      case "force-single":
        return this.#force(node, argument === "accepted");
      default:
        return `"${command}" is no command`;
    }
  }

  /** Asks something of the first one that can write. */
  #ask(request: Request): string | null {
    const { nodes } = this.#parts.cluster;
    const found = nodes.find(({ runtime }) => runtime?.board.position?.writable === true);
    if (!found?.runtime) return "nobody can write";
    return found.runtime.request(request), null;
  }

  #force(node: SimNode, commit: boolean): string | null {
    const { name, runtime } = node;
    if (commit) this.#parts.checks.allowLoss(node);
    const ask = {
      ...{ commit, id: requestId("00000000000000ff"), author: `root@${name}`, time: 0 },
      reason: "force-single, accept-risk=data-loss",
    };
    runtime?.request({ request: "config.force-single", tag: "scenario", ask });
    return runtime === null ? `${name} does not run` : null;
  }
}

function isHow(word: string): word is ShutdownHow {
  return word === "reboot" || word === "poweroff" || word === "restart";
}
