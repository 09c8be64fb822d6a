/**
 * Persistent reservations as a value: who is registered, who holds the reservation, and what each
 * command makes of that. The semantics are those of SPC-4 chapter 5.14 (persistent reservations),
 * as a Linux target was seen to behave; `lun_file.ts` keeps the value in a file.
 *
 * A *nexus* is one initiator's session with the target; a registration belongs to it. Functions
 * return the new state, or a failure and the state as it was.
 *
 * @module
 */
import type {
  DiskFailure,
  PreemptAsk,
  Registration as Registered,
  ReservationCommand,
  ReservationState,
  ReservationType,
} from "../ports.ts";
import { REGISTRATIONS_MAX } from "../scsi/reply.ts";

/** A longer state file is malformed. */
export const STATE_BYTES_MAX = 64 * 1024;

/** One registration. */
export interface Registration {
  /** 16 hex digits. */
  readonly nexus: string;
  /** 16 hex digits. */
  readonly key: string;
}

/** Everything that a target remembers (APTPL: over its restarts too). */
export interface LunState {
  readonly generation: number;
  readonly registrations: readonly Registration[];
  /** Nexus that holds the reservation; null for none. With types 7 and 8 every registrant does. */
  readonly holder: string | null;
  readonly type: ReservationType | null;
}

/** Nobody is registered. */
export const FRESH: LunState = { generation: 0, registrations: [], holder: null, type: null };

const NO_KEY = "0".repeat(16);
const NOT_REGISTERED: DiskFailure = {
  failure: "conflict",
  detail: "Not registered with this key",
};

/** A command's end: the state from now on, or why not. */
export type Transition = LunState | DiskFailure;

/** Carries out one command of a nexus. */
export function apply(state: LunState, nexus: string, ask: ReservationCommand): Transition {
  switch (ask.kind) {
    case "register":
      if (ask.allTargetPorts || ask.initiatorPorts.length > 0) {
        return { failure: "unsupported", detail: "A file has no ports" };
      }
      if (ask.old !== null && ask.old !== (keyOf(state, nexus) ?? NO_KEY)) return NOT_REGISTERED;
      if (ask.key !== NO_KEY) return register(state, nexus, ask.key);
      // For a nexus that is not registered there is nothing to take away.
      return keyOf(state, nexus) === null ? state : remove(state, nexus);
    case "reserve":
      return reserve(state, nexus, ask);
    case "release":
      return release(state, nexus, ask);
    case "clear":
      if (keyOf(state, nexus) !== ask.key) return NOT_REGISTERED;
      return bump({ ...FRESH, generation: state.generation });
    case "preempt":
      return preempt(state, nexus, ask);
  }
}

/** REGISTER AND IGNORE EXISTING KEY. */
export function register(state: LunState, nexus: string, key: string): Transition {
  if (!isKey(key)) return malformed(key);
  const others = state.registrations.filter((each) => each.nexus !== nexus);
  if (others.length >= REGISTRATIONS_MAX) {
    return { failure: "io", detail: "There are no registration resources left" };
  }
  return bump({ ...state, registrations: [...others, { nexus, key }] });
}

/** REGISTER with our key and no new one. */
export function unregister(state: LunState, nexus: string, key: string): Transition {
  return keyOf(state, nexus) === key ? remove(state, nexus) : NOT_REGISTERED;
}

function remove(state: LunState, nexus: string): LunState {
  const registrations = state.registrations.filter((each) => each.nexus !== nexus);
  return bump(afterRemoval({ ...state, registrations }));
}

/** RESERVE. */
export function reserve(
  state: LunState,
  nexus: string,
  ask: { readonly key: string; readonly type: ReservationType },
): Transition {
  if (keyOf(state, nexus) !== ask.key) return NOT_REGISTERED;
  if (state.holder === null) return { ...state, holder: nexus, type: ask.type };
  const holds = state.holder === nexus || isAllRegistrants(state.type);
  return holds && state.type === ask.type ? state : conflict("Another reservation is held");
}

/** RELEASE: of a registrant who does not hold it, nothing to do. */
function release(
  state: LunState,
  nexus: string,
  ask: { readonly key: string; readonly type: ReservationType },
): Transition {
  if (keyOf(state, nexus) !== ask.key) return NOT_REGISTERED;
  const holds = state.holder === nexus || isAllRegistrants(state.type);
  if (state.holder === null || !holds) return state;
  if (state.type !== ask.type) return conflict("The reservation is of another type");
  return { ...state, holder: null, type: null };
}

/** PREEMPT (AND ABORT). */
export function preempt(state: LunState, nexus: string, ask: PreemptAsk): Transition {
  if (keyOf(state, nexus) !== ask.key) return NOT_REGISTERED;
  const everyone = isAllRegistrants(state.type) && ask.victim === NO_KEY;
  const hit = state.registrations.filter(({ key }) => everyone || key === ask.victim);
  if (hit.length === 0) return conflict("The victim is not registered");
  const registrations = state.registrations.filter((each) =>
    each.nexus === nexus || !hit.includes(each)
  );
  const held = everyone || hit.some((each) => each.nexus === state.holder);
  const taken = held ? { holder: nexus, type: ask.type } : {};
  return bump(afterRemoval({ ...state, registrations, ...taken }));
}

/** May this nexus write (or read) now? */
export function allows(state: LunState, nexus: string, access: "read" | "write"): boolean {
  if (state.holder === null || state.type === null || state.holder === nexus) return true;
  if (access === "read" && (state.type === 1 || state.type === 5 || state.type === 7)) return true;
  return state.type >= 5 && keyOf(state, nexus) !== null;
}

/** What READ KEYS and READ RESERVATION answer. */
export function report(state: LunState): ReservationState {
  const holder = state.holder === null ? null : keyOf(state, state.holder);
  return {
    generation: state.generation,
    keys: state.registrations.map(({ key }) => key),
    holder: isAllRegistrants(state.type) ? NO_KEY : holder,
    type: state.type,
  };
}

/** What READ FULL STATUS answers; a port is named by its nexus. */
export function registrations(state: LunState): Registered[] {
  return state.registrations.map(({ nexus, key }) => ({
    key,
    allTargetPorts: false,
    holds: state.holder === nexus || isAllRegistrants(state.type) ? state.type : null,
    targetPort: 1,
    initiatorPort: nexus,
  }));
}

/** The state as text for its file. */
export function printState(state: LunState): string {
  return JSON.stringify({ format: "pentad.reservations/1", ...state }) + "\n";
}

/** Reads {@link printState}'s text; null for anything else. */
export function parseState(text: string): LunState | null {
  if (text.length > STATE_BYTES_MAX) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { format, generation, registrations, holder, type } = value as Record<string, unknown>;
  if (format !== "pentad.reservations/1") return null;
  if (!Number.isInteger(generation) || Number(generation) < 0 || Number(generation) > 0xffffffff) {
    return null;
  }
  if (!Array.isArray(registrations) || registrations.length > REGISTRATIONS_MAX) return null;
  const list: Registration[] = [];
  for (const each of registrations as unknown[]) {
    const { nexus, key } = (each ?? {}) as Record<string, unknown>;
    if (!isKey(nexus) || !isKey(key)) return null;
    list.push({ nexus, key });
  }
  if (new Set(list.map(({ nexus }) => nexus)).size !== list.length) return null;
  if (holder === null && type === null) {
    return { generation: Number(generation), registrations: list, holder, type };
  }
  if (!isType(type) || !list.some(({ nexus }) => nexus === holder)) return null;
  return { generation: Number(generation), registrations: list, holder: String(holder), type };
}

/** The key of a nexus; null where it is not registered. */
function keyOf(state: LunState, nexus: string): string | null {
  return state.registrations.find((each) => each.nexus === nexus)?.key ?? null;
}

/** The reservation ends with its holder; for all registrants, with the last of them. */
function afterRemoval(state: LunState): LunState {
  if (state.holder === null || keyOf(state, state.holder) !== null) return state;
  const heir = isAllRegistrants(state.type) ? state.registrations[0] : undefined;
  return heir === undefined
    ? { ...state, holder: null, type: null }
    : { ...state, holder: heir.nexus };
}

/** PRGENERATION: 32 bits that wrap. */
function bump(state: LunState): LunState {
  return { ...state, generation: (state.generation + 1) >>> 0 };
}

function isAllRegistrants(type: ReservationType | null): boolean {
  return type === 7 || type === 8;
}

function isKey(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value) && !/^0+$/.test(value);
}

function isType(value: unknown): value is ReservationType {
  return [1, 3, 5, 6, 7, 8].some((type) => type === value);
}

function conflict(detail: string): DiskFailure {
  return { failure: "conflict", detail };
}

function malformed(key: string): DiskFailure {
  return { failure: "io", detail: `"${key}" is not a reservation key` };
}
