/** Since when our key is on a disk without a break. @module */
import { type Instant, NEVER } from "../base/time.ts";
import type { StorageContext } from "./context.ts";

/** See the module's note. */
export class Kept {
  #at: Instant = NEVER;
  /** Since before all that runs here. */
  #antedates = false;

  /** It is there since then, or (null) since before all that runs here. */
  since(at: Instant | null): boolean {
    return at === null ? this.#antedates : this.#at <= at;
  }

  /**
   * A key was made where none of this life was; `seenAt`: when one was there last. A target that
   * forgets makes no break where the others heard us all the while: none of them called us dead.
   */
  begin(
    end: { readonly antedates: boolean; readonly forgot: boolean },
    seenAt: Instant | null,
    context: StorageContext,
  ): void {
    const heard = seenAt !== null && context.standing.heardSince(seenAt);
    this.#antedates = end.antedates || (end.forgot && this.#antedates && heard);
    this.#at = context.now();
  }
}
