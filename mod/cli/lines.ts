/** Lines of a stream, each within a bound. @module */
import { ProblemError } from "../base/problem.ts";

/** One after the other, without their line ends; what follows the last one is a line too. */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  charactersMax: number,
): AsyncGenerator<string> {
  const within = (line: string) => {
    if (line.length <= charactersMax) return line;
    const why = `a line has more than ${charactersMax} characters`;
    throw new ProblemError("node.strange-answer", why);
  };
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = within(lines.pop() ?? "");
    for (const line of lines) yield within(line);
  }
  if (rest !== "") yield rest;
}
