/**
 * Reservations in words: keys and types as sg_persist(8) prints them, so that the two can be held
 * beside each other, and what a command would change. Pure.
 *
 * @module
 */
import type { DiskReport, ReservationCommand, ReservationType } from "../host/ports.ts";

/** Types, in the words of sg_persist. */
export const TYPE_WORDS: Readonly<Record<ReservationType, string>> = {
  1: "Write Exclusive",
  3: "Exclusive Access",
  5: "Write Exclusive, registrants only",
  6: "Exclusive Access, registrants only",
  7: "Write Exclusive, all registrants",
  8: "Exclusive Access, all registrants",
};

/** What an operator must say that he accepts. */
export type Risk = "lock-out" | "unprotect" | "fence" | "replace-key";
export const RISKS: readonly Risk[] = ["lock-out", "unprotect", "fence", "replace-key"];

const NO_KEY = "0".repeat(16);

/** A key without its leading zeros: `0xa1`. */
export function keyText(key: string): string {
  return `0x${key.replace(/^0+(?=.)/, "")}`;
}

/** The lines of `sg_persist -k` and `sg_persist -r`, after their head. */
export function stateLines({ state }: DiskReport): string[] {
  const generation = `  PR generation=0x${state.generation.toString(16)}, `;
  const { keys, holder, type } = state;
  const follow = keys.length === 1
    ? "1 registered reservation key follows:"
    : `${keys.length} registered reservation keys follow:`;
  const lines = keys.length === 0
    ? [`${generation}there are NO registered reservation keys`]
    : [generation + follow, ...keys.map((key) => `    ${keyText(key)}`)];
  if (holder === null || type === null) {
    return [...lines, `${generation}there is NO reservation held`];
  }
  return [
    ...lines,
    `${generation}Reservation follows:`,
    `    Key=${keyText(holder)}`,
    `    scope: LU_SCOPE,  type: ${TYPE_WORDS[type]}`,
  ];
}

/** What the target can do about reservations, in a line. */
export function capabilityLine({ capabilities, through }: DiskReport): string {
  if (capabilities === null) return `capabilities: not told (${through})`;
  const { types, persist, persistActive, allTargetPorts, initiatorPorts } = capabilities;
  const parts = [
    `types ${types === null ? "not told" : types.join(" ")}`,
    `APTPL ${persistActive ? "active" : persist ? "possible" : "no"}`,
    `ALL_TG_PT ${allTargetPorts ? "yes" : "no"}`,
    `SPEC_I_PT ${initiatorPorts ? "yes" : "no"}`,
  ];
  return `capabilities: ${parts.join(", ")}`;
}

/** What a command would do now, and the risk to accept; null for one that harms nobody. */
export function consequenceOf(
  command: ReservationCommand,
  report: DiskReport,
): { readonly risk: Risk; readonly would: string } | null {
  const { keys, holder, type } = report.state;
  const held = holder !== null && type !== null;
  switch (command.kind) {
    case "register":
      if (command.key === NO_KEY) {
        const would =
          "it takes this host's registration away, and with it a reservation of its own";
        return { risk: "unprotect", would };
      }
      if (keys.length === 0) return null;
      return {
        risk: "replace-key",
        would: `${keyText(command.key)} replaces whatever key this host has here, ` +
          `among ${keys.map(keyText).join(", ")}: who relied on that key is cut off`,
      };
    case "reserve":
      return {
        risk: "lock-out",
        would: `${TYPE_WORDS[command.type]}: from then on the disk refuses the writes` +
          `${[3, 6, 8].includes(command.type) ? " and reads" : ""} of everybody who is not ` +
          `${[1, 3].includes(command.type) ? "its holder" : "registered"}`,
      };
    case "release": {
      const now = held ? `the reservation (${TYPE_WORDS[type]})` : "no reservation";
      return { risk: "unprotect", would: `${now} ends; the disk then takes everybody's writes` };
    }
    case "clear":
      return {
        risk: "unprotect",
        would: `${keys.length} registrations and ${held ? "the" : "no"} reservation end; ` +
          "the disk then takes everybody's writes",
      };
    case "preempt": {
      const { victim } = command;
      const count = keys.filter((key) => key === victim).length;
      const inherits = holder === victim
        ? `; ${keyText(command.key)} holds it from then on: ${TYPE_WORDS[command.type]}`
        : "";
      return {
        risk: "fence",
        would: `${keyText(victim)} loses ${count} of ${keys.length} registrations, ` +
          `and its host may not write any more${inherits}`,
      };
    }
  }
}

/** A report as JSON for scripts. */
export function reportJson(device: string, report: DiskReport): Record<string, unknown> {
  const { state, capabilities, registrations, raw } = report;
  const hex = (bytes: Uint8Array | null) => bytes === null ? null : bytes.toHex();
  return {
    schema: "pentad.reservations/1",
    device,
    name: report.name,
    model: report.model,
    through: report.through,
    paths: report.paths,
    generation: state.generation,
    keys: state.keys,
    holder: state.holder,
    type: state.type,
    type_text: state.type === null ? null : TYPE_WORDS[state.type],
    capabilities: capabilities === null ? null : {
      types: capabilities.types,
      persist: capabilities.persist,
      persist_active: capabilities.persistActive,
      all_target_ports: capabilities.allTargetPorts,
      initiator_ports: capabilities.initiatorPorts,
    },
    registrations: registrations?.map((each) => ({
      key: each.key,
      holds: each.holds,
      all_target_ports: each.allTargetPorts,
      target_port: each.targetPort,
      initiator_port: each.initiatorPort,
    })) ?? null,
    compare_and_write_blocks: report.compareBlocks,
    raw: {
      keys: hex(raw.keys),
      reservation: hex(raw.reservation),
      capabilities: hex(raw.capabilities),
      full_status: hex(raw.fullStatus),
    },
  };
}
