/**
 * Taking a registration away, on targets of either kind. PREEMPT AND ABORT ends the victim's
 * commands with its registration. A target that lacks it does the first half only: what it had
 * taken from the victim before may land afterwards, and no command tells when that is over.
 *
 * @module
 */
import type { StorageContext } from "./context.ts";
import { failureText, isConflict, isUnsupported, type Procedure } from "./procedure.ts";
import { makeKey, nextGeneration, parseKey, WRITE_EXCLUSIVE_REGISTRANTS } from "./reservation.ts";

/** How an ejection ended. */
export type Ejection =
  /** `aborted`: what the victim had sent is ended too. */
  | { readonly end: "ejected"; readonly aborted: boolean }
  /** The victim is gone already, or we are: the next look tells which. */
  | { readonly end: "conflict" }
  | { readonly end: "failed"; readonly why: string };

/** Takes away the registration `victim`, where `key` is ours. */
export function* eject(
  { key, victim }: { readonly key: string; readonly victim: string },
): Procedure<Ejection> {
  const ask = { call: "preempt", key, victim, type: WRITE_EXCLUSIVE_REGISTRANTS } as const;
  let result = yield { ...ask, abort: true };
  const lacks = isUnsupported(result);
  if (lacks) result = yield { ...ask, abort: false };
  if (result.result === "done") return { end: "ejected", aborted: !lacks };
  return isConflict(result) ? { end: "conflict" } : { end: "failed", why: failureText(result) };
}

/**
 * Has the target PREEMPT AND ABORT? Asked with a victim that nobody is, which a target that has it
 * answers with a conflict (SPC-4, 5.12.11.2.4) and which changes nothing. A string: why it is not
 * known.
 */
export function* asksAbort(
  context: StorageContext,
  { key, taken }: { readonly key: string; readonly taken: readonly string[] },
): Procedure<boolean | string> {
  const { spec, self } = context;
  const victim = makeKey(
    spec.id,
    self,
    nextGeneration(parseKey(key)?.generation ?? 1, self, taken),
  );
  const type = WRITE_EXCLUSIVE_REGISTRANTS;
  const result = yield { call: "preempt", key, victim, type, abort: true };
  if (isUnsupported(result)) return false;
  return result.result === "done" || isConflict(result) ? true : failureText(result);
}
