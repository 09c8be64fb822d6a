/**
 * The newest lines of the conversation, in memory, for `pentad events` and the API. What is said
 * with every beat has a ring of its own, so that it cannot push out what matters.
 *
 * @module
 */
import { formatReason } from "../base/reason.ts";
import type { EventLine } from "../node/view.ts";
import type { Saying } from "../streams.ts";

/** Lines kept of what is said once. */
export const LINES_MAX = 8192;
/** Lines kept of what is said with every beat. */
export const ROUTINE_MAX = 2048;

/** Two rings and the listeners. */
export class Recorder {
  readonly #node: () => string;
  readonly #lines: EventLine[] = [];
  readonly #routine: EventLine[] = [];
  readonly #listeners = new Set<(line: EventLine) => void>();
  #seq = 0;
  /** Highest number of a line that is not kept any more, but was not routine. */
  #dropped = 0;

  constructor(node: () => string) {
    this.#node = node;
  }

  /** Writes down a saying of a stream. */
  say(saying: Saying): void {
    const { stream, text, routine, because } = saying;
    const why = because === null ? "" : `  (${formatReason(because)})`;
    this.write({ stream, text: text + why, routine, code: because?.code ?? null });
  }

  /** Writes down a line. */
  write(line: Pick<EventLine, "stream" | "text" | "routine" | "code">): void {
    const at = new Date().toISOString();
    const whole: EventLine = { seq: ++this.#seq, at, node: this.#node(), ...line };
    const ring = line.routine ? this.#routine : this.#lines;
    ring.push(whole);
    if (ring.length > (line.routine ? ROUTINE_MAX : LINES_MAX)) {
      const gone = ring.shift();
      if (gone && !gone.routine) this.#dropped = gone.seq;
    }
    for (const listener of this.#listeners) listener(whole);
  }

  /** The lines after `after` that are still kept, in order, and whether some were dropped. */
  after(after: number): { lines: EventLine[]; gap: boolean } {
    const newer = (line: EventLine) => line.seq > after;
    const lines = [...this.#lines.filter(newer), ...this.#routine.filter(newer)];
    lines.sort((a, b) => a.seq - b.seq);
    return { lines, gap: after > 0 && after < this.#dropped };
  }

  /** Calls `listener` for each new line until the returned function is called. */
  listen(listener: (line: EventLine) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
