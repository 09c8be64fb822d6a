/** Lines of a stream, each within a bound. @module */
import { ProblemError } from "../base/problem.ts";

/** One after the other, without their line ends; what follows the last one is a line too. */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  charactersMax: number,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > charactersMax) {
      throw new ProblemError(
        "node.strange-answer",
        `a line has more than ${charactersMax} characters`,
      );
    }
    yield* lines;
  }
  if (rest !== "") yield rest;
}
