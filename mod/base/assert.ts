/** Assertions that stay on in production: a broken one means that this program is wrong. @module */

/** Thrown by {@link assert}: a bug in pentad, never something that the world did. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Stops the program unless `condition` holds. `message` says what should have been true. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Marks a place that types prove unreachable; `value` is what reached it all the same. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`Unreachable value ${JSON.stringify(value)}`);
}
