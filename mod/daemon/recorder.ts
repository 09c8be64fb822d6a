/**
 * The newest lines of the conversation, in memory, for `pentad events` and the API. What is said
 * with every beat has a ring of its own, so that it cannot push out what matters.
 *
 * @module
 */
import { formatReason, type Reason } from "../base/reason.ts";
import type { EventLine } from "../node/view.ts";
import type { Saying } from "../streams.ts";

/** Lines kept of what is said once. */
export const LINES_MAX = 8192;
/** Lines kept of what is said with every beat. */
export const ROUTINE_MAX = 2048;

/** A line as it is kept: its texts are made when somebody reads it. */
interface Kept extends Pick<EventLine, "stream" | "text" | "routine" | "code"> {
  readonly seq: number;
  readonly because: Reason | null;
  /** Milliseconds since 1970. */
  readonly ms: number;
}

type Line = Pick<EventLine, "stream" | "text" | "routine" | "code">;

/** Two rings and the listeners. */
export class Recorder {
  readonly #node: () => string;
  readonly #lines: Kept[] = [];
  readonly #routine: Kept[] = [];
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
    this.#keep({ stream, text, routine, code: because?.code ?? null }, because);
  }

  /** Writes down a line. */
  write(line: Line): void {
    this.#keep(line, null);
  }

  #keep({ stream, text, routine, code }: Line, because: Reason | null): void {
    const line: Kept = { seq: ++this.#seq, ms: Date.now(), stream, text, routine, code, because };
    const ring = line.routine ? this.#routine : this.#lines;
    ring.push(line);
    if (ring.length > (line.routine ? ROUTINE_MAX : LINES_MAX)) {
      const gone = ring.shift();
      if (gone && !gone.routine) this.#dropped = gone.seq;
    }
    if (this.#listeners.size === 0) return;
    const whole = this.#whole(line);
    for (const listener of this.#listeners) listener(whole);
  }

  #whole({ seq, ms, stream, text, routine, code, because }: Kept): EventLine {
    const at = new Date(ms).toISOString();
    const why = because === null ? "" : `  (${formatReason(because)})`;
    return { seq, at, node: this.#node(), stream, text: text + why, routine, code };
  }

  /** The lines after `after` that are still kept, in order, and whether some were dropped. */
  after(after: number): { lines: EventLine[]; gap: boolean } {
    const newer = (line: Kept) => line.seq > after;
    const kept = [...this.#lines.filter(newer), ...this.#routine.filter(newer)];
    kept.sort((a, b) => a.seq - b.seq);
    const lines = kept.map((line) => this.#whole(line));
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
