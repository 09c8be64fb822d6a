/**
 * The content of the virtual files and links, in the shapes that Proxmox VE's daemons read. Each is
 * made when the file is opened and stays what it was for that handle.
 *
 * @module
 */
import { parseAddress } from "../../base/address.ts";
import { decodeText, encodeText } from "../../base/bytes.ts";
import { type Member, nameOf } from "../../base/cluster.ts";
import type { Change } from "../../streams.ts";
import type { MountParts, StepClock } from "./context.ts";
import type { Errno } from "./requests.ts";
import { dump, guestsOf } from "./samples.ts";
import type { Special } from "./specials.ts";
import { Versions } from "./versions.ts";

/** See the module's note. */
export class Texts {
  readonly #parts: MountParts;
  readonly #clock: StepClock;
  readonly #startedAt: number;
  readonly #versions: Versions;
  #debug = false;

  constructor(parts: MountParts, clock: StepClock) {
    this.#parts = parts;
    this.#clock = clock;
    this.#startedAt = parts.wallSeconds(clock.now);
    this.#versions = new Versions(parts.tree().view);
  }

  /** `1` was written to `.debug`: every refusal is said. */
  get debug(): boolean {
    return this.#debug;
  }

  /** A path changed. */
  note(change: Change): void {
    this.#versions.note(change);
  }

  /** The tree was replaced as a whole. */
  replaced(): void {
    this.#versions.replaced(this.#parts.tree().view, this.#parts.applied());
  }

  /** The content of a virtual file, or the target of a link. */
  render(special: Special): Uint8Array {
    if (special.kind === "link") return encodeText(`nodes/${this.#self()}${special.target}`);
    switch (special.name) {
      case ".members":
        return json(this.#members());
      case ".version":
        return json(this.#version());
      case ".vmlist":
        return json(this.#guests());
      case ".clusterlog":
        return json({ data: this.#parts.log.shown() });
      case ".debug":
        return encodeText(this.#debug ? "1\n" : "0\n");
      default:
        return encodeText(this.#dump());
    }
  }

  /** What was written to `.debug`, or why it is not taken. */
  setDebug(data: Uint8Array): Errno | null {
    const text = decodeText(data)?.trim();
    if (text !== "0" && text !== "1") return "EINVAL";
    this.#debug = text === "1";
    return null;
  }

  #dump(): string {
    const { tree, samples, wallSeconds } = this.#parts;
    return dump(samples(), guestsOf(tree().view), wallSeconds(this.#clock.now));
  }

  #self(): string {
    return nameOf(this.#parts.cluster().spec, this.#parts.self);
  }

  #members(): unknown {
    const { spec, specIndex, online, version } = this.#parts.cluster();
    const nodelist = spec.members.map((member) => {
      const there = member.id === this.#parts.self || online.includes(member.id);
      const ip = addressOf(member);
      return [member.name, { id: member.id, online: Number(there), ...(ip !== null && { ip }) }];
    });
    return {
      nodename: this.#self(),
      version,
      cluster: {
        name: spec.name,
        version: specIndex,
        nodes: spec.members.length,
        quorate: Number(this.#parts.frozen() === null),
      },
      nodelist: Object.fromEntries(nodelist),
    };
  }

  #version(): unknown {
    const { spec, version } = this.#parts.cluster();
    // Nobody publishes keys here; a node without any is shown all the same.
    const kvstore = Object.fromEntries(spec.members.map(({ name }) => [name, {}]));
    return {
      starttime: this.#startedAt,
      clinfo: version,
      vmlist: this.#versions.guests,
      ...this.#versions.paths(),
      kvstore,
    };
  }

  #guests(): unknown {
    const { view: rows } = this.#parts.tree();
    const ids: Record<string, unknown> = {};
    for (const [ino, { vmid, node, kind }] of rows.guests.all()) {
      ids[vmid] = { node, type: kind, version: rows.row(ino)?.version ?? 0 };
    }
    const version = this.#versions.guests;
    return Object.keys(ids).length === 0 ? { version } : { version, ids };
  }
}

/** Where its heartbeat is heard. */
function addressOf({ links }: Member): string | null {
  return parseAddress(links[0] ?? "", true)?.hostname ?? null;
}

function json(value: unknown): Uint8Array {
  return encodeText(`${JSON.stringify(value, null, 1)}\n`);
}
