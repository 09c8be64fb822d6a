/**
 * The daemon's side of what is held besides processes: the keeper is told before anything is made and
 * after it was, and nothing is made once the guard is over or everything was killed.
 *
 * @module
 */
import type { ResourceId } from "../../base/id.ts";
import type { Instant } from "../../base/time.ts";
import { boottime } from "../ffi/pidfd.ts";
import type { Held } from "../process_port.ts";
import { HeldList, UNDO_LIMIT_MS } from "./held.ts";
import type { Keeper } from "./keeper.ts";
import type { KeeperAsk } from "./keeper_wire.ts";

/** How the port is at this moment. */
export interface HoldingGround {
  /** Kills of everything so far. */
  readonly kills: number;
  readonly killing: boolean;
  readonly guard: Instant | null;
}

/** See the module's note. */
export class Holdings {
  readonly #keeper: Keeper;
  readonly #ground: () => HoldingGround;
  readonly #held: HeldList;
  /** How many kills there were before it was held. */
  readonly #since = new Map<ResourceId, number>();
  /** Not known to be made: each keeper must know of it. */
  readonly #unmade = new Set<ResourceId>();

  constructor(keeper: Keeper, ground: () => HoldingGround) {
    this.#keeper = keeper;
    this.#ground = ground;
    this.#held = new HeldList(keeper.runDirectory, keeper.token);
  }

  ids(): ResourceId[] {
    return this.#held.ids();
  }

  /** What a new keeper is told. */
  replay(): KeeperAsk[] {
    return [...this.#unmade].map((id) => ({ verb: "add", id }));
  }

  /** As `ProcessPort.hold`. */
  async hold(held: Held): Promise<string | null> {
    const { id } = held;
    const { kills } = this.#ground();
    if (this.#held.read(id) !== null) return `Something of "${id}" is held still`;
    // Before the keeper is asked: from its word on it must know how to undo this.
    this.#held.write(held);
    this.#unmade.add(id);
    const refused = await this.#keeper.ask({ verb: "add", id });
    this.#since.set(id, kills);
    const why = refused === null ? this.refusal(id) : `The keeper refuses: ${refused}`;
    if (why !== null) this.free(id);
    return why;
  }

  refusal(id: ResourceId): string | null {
    const { kills, killing, guard } = this.#ground();
    if (this.#since.get(id) !== kills || killing) return "Everything is being killed";
    return guard === null || boottime() >= guard ? "The guard is not held" : null;
  }

  made(id: ResourceId): void {
    this.forked(id);
    this.#keeper.tell({ verb: "made", id });
  }

  /** Its start runs: the keeper is told by the process. */
  forked(id: ResourceId): void {
    this.#unmade.delete(id);
  }

  /** Empty where it cannot be read. */
  note(id: ResourceId): string | null {
    const held = this.#held.read(id);
    return held === null ? null : held === "damaged" ? "" : held.note;
  }

  undo(id: ResourceId): Promise<string | null> {
    return this.#held.undo(id, Infinity);
  }

  free(id: ResourceId): void {
    this.#since.delete(id);
    this.#unmade.delete(id);
    this.#held.remove(id);
    this.#keeper.tell({ verb: "gone", id });
  }

  /** The keeper's part, where there is none, but for these; null, or why it is not all undone. */
  async undoAll(living: ReadonlySet<ResourceId> = new Set()): Promise<string | null> {
    const failures = await Promise.all(
      this.ids().filter((id) => !living.has(id)).map(async (id) => {
        const why = await this.#held.undo(id, UNDO_LIMIT_MS);
        if (why === null) this.free(id);
        return why;
      }),
    );
    return failures.find((why) => why !== null) ?? null;
  }
}
