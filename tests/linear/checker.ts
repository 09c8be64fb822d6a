/**
 * Is a history linearizable? The algorithm of Wing and Gong (1993) with Lowe's memory of visited
 * configurations (2017): look for an order of the operations that respects real time and that a
 * sequential model could have produced.
 *
 * Histories are checked key by key (Herlihy and Wing, theorem 1: a history is linearizable exactly
 * when its projection on each object is), which keeps each search small.
 *
 * @module
 */

/** One operation of one client. Times are of one clock, in any unit. */
export interface Operation<Input, Output> {
  readonly input: Input;
  readonly called: number;
  /** Infinity for one whose outcome nobody learnt: it may have happened at any time, or never. */
  readonly returned: number;
  /** Null where the outcome is not known. */
  readonly output: Output | null;
}

/** A sequential specification. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after `input` answered by `output` (null: by anything); undefined where that cannot be. */
  step(state: State, input: Input, output: Output | null): State | undefined;
  /** Equal texts for equal states. */
  key(state: State): string;
}

/** What the check found. */
export interface Verdict<Input, Output> {
  readonly linearizable: boolean;
  /** The longest order that could be found, for people: what follows it cannot be explained. */
  readonly explained: readonly Operation<Input, Output>[];
}

/** Operations that one key's history may have; more would take too long to search. */
const OPERATIONS_MAX = 4000;

/** Checks the history of one object. Throws a RangeError where it is too long. */
export function checkHistory<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
): Verdict<Input, Output> {
  if (history.length > OPERATIONS_MAX) throw new RangeError(`${history.length} operations`);
  return new Search(history, model).run();
}

interface Choice<State> {
  readonly at: number;
  readonly before: State;
}

class Search<State, Input, Output> {
  readonly #operations: readonly Operation<Input, Output>[];
  readonly #model: Model<State, Input, Output>;
  readonly #done: boolean[];
  readonly #seen = new Set<string>();
  #open: number;
  #longest: number[] = [];

  constructor(
    history: readonly Operation<Input, Output>[],
    model: Model<State, Input, Output>,
  ) {
    this.#operations = [...history].sort((a, b) => a.called - b.called);
    this.#model = model;
    this.#done = this.#operations.map(() => false);
    // Those that nobody saw the end of need not be explained.
    this.#open = this.#operations.filter((each) => each.returned !== Infinity).length;
  }

  run(): Verdict<Input, Output> {
    let state = this.#model.initial;
    const path: Choice<State>[] = [];
    let from = 0;
    while (this.#open > 0) {
      const next = this.#next(state, from);
      if (next !== null) {
        path.push({ at: next.at, before: state });
        this.#mark(next.at, true);
        state = next.state;
        from = 0;
        if (path.length > this.#longest.length) this.#longest = path.map(({ at }) => at);
        continue;
      }
      const last = path.pop();
      if (last === undefined) return { linearizable: false, explained: this.#explained() };
      this.#mark(last.at, false);
      state = last.before;
      from = last.at + 1;
    }
    return { linearizable: true, explained: this.#explained() };
  }

  /** The first operation at or after `from` that could come next and leads somewhere new. */
  #next(state: State, from: number): { at: number; state: State } | null {
    const limit = this.#earliestReturn();
    for (let at = from; at < this.#operations.length; at++) {
      const operation = this.#operations[at] as Operation<Input, Output>;
      // Whatever was called after another had returned cannot come before that one.
      if (operation.called > limit) return null;
      if (this.#done[at]) continue;
      const after = this.#model.step(state, operation.input, operation.output);
      if (after !== undefined && this.#isNew(at, after)) return { at, state: after };
    }
    return null;
  }

  #earliestReturn(): number {
    let earliest = Infinity;
    for (const [at, { returned, called }] of this.#operations.entries()) {
      if (called > earliest) break;
      if (!this.#done[at]) earliest = Math.min(earliest, returned);
    }
    return earliest;
  }

  #isNew(at: number, state: State): boolean {
    this.#done[at] = true;
    const key = `${this.#chosen()} ${this.#model.key(state)}`;
    this.#done[at] = false;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  /** The set of operations that have their place, as text: up to where all have, then which. */
  #chosen(): string {
    const first = this.#done.indexOf(false);
    if (first < 0) return "all";
    const last = this.#done.lastIndexOf(true);
    let text = `${first}:`;
    for (let at = first; at <= last; at++) text += this.#done[at] ? "1" : "0";
    return text;
  }

  #mark(at: number, done: boolean): void {
    this.#done[at] = done;
    if (this.#operations[at]?.returned !== Infinity) this.#open += done ? -1 : 1;
  }

  #explained(): readonly Operation<Input, Output>[] {
    return this.#longest.map((at) => this.#operations[at] as Operation<Input, Output>);
  }
}
