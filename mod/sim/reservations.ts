/**
 * Persistent reservations of one simulated disk (SPC-4, 5.14): who is registered, who holds the
 * reservation, what each command makes of that. Written apart from `host/linux/lun_state.ts` on
 * purpose: the contract tests hold both to one behaviour.
 *
 * A *nexus* is one opening of the disk by one host. Registrations outlive it.
 *
 * @module
 */
import type {
  DiskFailure,
  PreemptAsk,
  Registration,
  ReservationCommand,
  ReservationState,
  ReservationType,
} from "../host/ports.ts";

/** One opening of a disk: a number that is never used again. */
export type Nexus = number;

const KEY = /^[0-9a-f]{16}$/;
const NO_KEY = "0".repeat(16);
/** Types that this world knows: those with one holder. */
const ONE_HOLDER: readonly ReservationType[] = [1, 3, 5, 6];

/** See the module's note. Every method returns null for success. */
export class Reservations {
  readonly #keys = new Map<Nexus, string>();
  #generation = 0;
  #holder: Nexus | null = null;
  #type: ReservationType | null = null;

  /** Any command of a nexus. */
  command(nexus: Nexus, ask: ReservationCommand): DiskFailure | null {
    switch (ask.kind) {
      case "register": {
        const { key, old } = ask;
        if (ask.allTargetPorts || ask.initiatorPorts.length > 0) return NO_PORTS;
        const now = this.#keys.get(nexus) ?? NO_KEY;
        if (old !== null && old !== now) return NOT_REGISTERED;
        if (key !== NO_KEY) return this.register(nexus, key);
        return now === NO_KEY ? null : this.unregister(nexus, now);
      }
      case "reserve":
        return this.reserve(nexus, ask.key, ask.type);
      case "release":
        return this.#release(nexus, ask);
      case "preempt":
        return this.preempt(nexus, ask);
      case "clear":
        if (this.#keys.get(nexus) !== ask.key) return NOT_REGISTERED;
        this.#keys.clear();
        this.#holder = null;
        this.#type = null;
        this.#bump();
        return null;
    }
  }

  /** REGISTER AND IGNORE EXISTING KEY. */
  register(nexus: Nexus, key: string): DiskFailure | null {
    if (!KEY.test(key) || key === NO_KEY) {
      return { failure: "io", detail: `"${key}" is not a reservation key` };
    }
    this.#keys.delete(nexus);
    this.#keys.set(nexus, key);
    this.#bump();
    return null;
  }

  /** REGISTER with a service action key of zero. */
  unregister(nexus: Nexus, key: string): DiskFailure | null {
    if (this.#keys.get(nexus) !== key) return NOT_REGISTERED;
    this.#remove(nexus);
    this.#bump();
    return null;
  }

  /** RESERVE: raises no generation. */
  reserve(nexus: Nexus, key: string, type: ReservationType): DiskFailure | null {
    if (this.#keys.get(nexus) !== key) return NOT_REGISTERED;
    if (!ONE_HOLDER.includes(type)) return UNSUPPORTED;
    if (this.#holder === null) {
      this.#holder = nexus;
      this.#type = type;
    }
    return this.#holder === nexus && this.#type === type ? null : HELD;
  }

  /** Those who are registered with this key. */
  nexusesOf(key: string): readonly Nexus[] {
    return [...this.#keys].filter(([, each]) => each === key).map(([nexus]) => nexus);
  }

  /** PREEMPT, with or without ABORT; what waits in the target is not kept here, but by `SimDisk`. */
  preempt(nexus: Nexus, ask: PreemptAsk): DiskFailure | null {
    if (this.#keys.get(nexus) !== ask.key) return NOT_REGISTERED;
    if (!ONE_HOLDER.includes(ask.type)) return UNSUPPORTED;
    const victims = this.nexusesOf(ask.victim);
    if (victims.length === 0) return NO_VICTIM;
    const held = this.#holder !== null && victims.includes(this.#holder);
    for (const each of victims) if (each !== nexus) this.#remove(each);
    if (held) {
      this.#holder = nexus;
      this.#type = ask.type;
    }
    this.#bump();
    return null;
  }

  /** May this nexus do so now? SPC-4, table 48 (read and write commands). */
  allows(nexus: Nexus, access: "read" | "write"): boolean {
    if (this.#type === null || this.#holder === nexus) return true;
    if (access === "read" && (this.#type === 1 || this.#type === 5)) return true;
    return (this.#type === 5 || this.#type === 6) && this.#keys.has(nexus);
  }

  /** May whoever has one of these nexuses write? */
  allowsAny(isTheirs: (nexus: Nexus) => boolean): boolean {
    return this.#type === null ||
      [...this.#keys.keys()].some((nexus) => isTheirs(nexus) && this.allows(nexus, "write"));
  }

  /** CLEAR, by an administrator; with `power` the target lost what it did not keep (no APTPL). */
  wipe({ power }: { readonly power: boolean }): void {
    this.#keys.clear();
    this.#holder = null;
    this.#type = null;
    if (power) this.#generation = 0;
    else this.#bump();
  }

  /** READ KEYS and READ RESERVATION. */
  report(): ReservationState {
    return {
      generation: this.#generation,
      keys: [...this.#keys.values()],
      holder: this.#holder === null ? null : this.#keys.get(this.#holder) ?? null,
      type: this.#type,
    };
  }

  /** READ FULL STATUS; a port is named by its nexus. */
  registrations(): Registration[] {
    return [...this.#keys].map(([nexus, key]) => ({
      key,
      allTargetPorts: false,
      holds: nexus === this.#holder ? this.#type : null,
      targetPort: 1,
      initiatorPort: `nexus ${nexus}`,
    }));
  }

  /** RELEASE: of a registrant who does not hold it, nothing to do. */
  #release(
    nexus: Nexus,
    ask: { readonly key: string; readonly type: ReservationType },
  ): DiskFailure | null {
    if (this.#keys.get(nexus) !== ask.key) return NOT_REGISTERED;
    if (this.#holder !== nexus) return null;
    if (this.#type !== ask.type) return HELD;
    this.#holder = null;
    this.#type = null;
    return null;
  }

  /** The reservation ends with its holder. */
  #remove(nexus: Nexus): void {
    this.#keys.delete(nexus);
    if (this.#holder !== nexus) return;
    this.#holder = null;
    this.#type = null;
  }

  /** PRGENERATION: 32 bits that wrap. */
  #bump(): void {
    this.#generation = (this.#generation + 1) >>> 0;
  }
}

const NOT_REGISTERED: DiskFailure = {
  failure: "conflict",
  detail: "Not registered with this key",
};
const HELD: DiskFailure = { failure: "conflict", detail: "Another reservation is held" };
const NO_VICTIM: DiskFailure = { failure: "conflict", detail: "The victim is not registered" };
const NO_PORTS: DiskFailure = { failure: "unsupported", detail: "There are no ports here" };
const UNSUPPORTED: DiskFailure = {
  failure: "unsupported",
  detail: "Reservations of all registrants are not simulated",
};
