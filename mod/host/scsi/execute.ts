/**
 * One command until it has a result: what is tried again, how often, and what is not. Pure; the
 * sending and the waiting are handed in.
 *
 * A unit attention means that the command was *not* executed (SAM-5, "Unit attention conditions"),
 * and each condition is told once to each nexus, so the same command is sent again. One thing is
 * not: a registration after word that registrations were taken away. A node that was ejected must
 * not come back unawares, so its caller looks first.
 *
 * What was lost on the way may have been executed, and is never sent again here.
 *
 * @module
 */
import type { ScsiCommand } from "./command.ts";
import { type Completion, type Outcome, outcomeOf } from "./outcome.ts";
import { isSense, type Sense, SENSE_KEY, tellsOfEjection } from "./sense.ts";

/** Unit attentions taken in a row; a target holds a handful at most. */
export const ATTENTIONS_MAX = 8;
/** Waits for a busy target: with these it gets 1.55 s in all. */
export const BUSY_PAUSES_MS: readonly number[] = [50, 100, 200, 400, 800];

/** The world of {@link execute}. */
export interface Sender {
  /** Sends the command once; null where even that failed, with the reason as `lost`. */
  send(command: ScsiCommand): Completion | Extract<Outcome, { end: "lost" }>;
  pause(ms: number): void;
}

/** A command's end, and the unit attentions that came before it. */
export interface Executed {
  readonly outcome: Outcome;
  readonly attentions: readonly Sense[];
}

/** Sends `command` until it has an outcome, within bounds. */
export function execute(
  sender: Sender,
  command: ScsiCommand,
  { registers = false }: { readonly registers?: boolean } = {},
): Executed {
  const attentions: Sense[] = [];
  const pauses = [...BUSY_PAUSES_MS];
  for (;;) {
    const sent = sender.send(command);
    const outcome = "end" in sent ? sent : outcomeOf(sent);
    const attention = attentionOf(outcome);
    if (attention !== null) {
      attentions.push(attention);
      if (registers && tellsOfEjection(attention)) return { outcome, attentions };
      if (attentions.length <= ATTENTIONS_MAX) continue;
      return { outcome, attentions };
    }
    const wait = isPassing(outcome) ? pauses.shift() : undefined;
    if (wait === undefined) return { outcome, attentions };
    sender.pause(wait);
  }
}

function attentionOf(outcome: Outcome): Sense | null {
  return outcome.end === "sense" && outcome.sense.key === SENSE_KEY.unitAttention
    ? outcome.sense
    : null;
}

/** Not executed, and likely to be gone soon: busy, becoming ready, changing its access state. */
function isPassing(outcome: Outcome): boolean {
  if (outcome.end === "busy") return true;
  if (outcome.end !== "sense") return false;
  return isSense(outcome.sense, SENSE_KEY.notReady, 0x04, 0x01) ||
    isSense(outcome.sense, SENSE_KEY.notReady, 0x04, 0x0a);
}
