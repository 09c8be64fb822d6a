/** Reads server-sent events (HTML Living Standard, section 9.2.6) from a stream of bytes. @module */

/** One event. */
export interface SseEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: string;
}

/** A longer line is not of our daemon. */
const LINE_CHARACTERS_MAX = 1024 * 1024;

/** The events of a stream, one after the other, until it ends. Comments are skipped. */
export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  let rest = "";
  let event = "message";
  let id: string | null = null;
  let data: string[] = [];
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    rest += text;
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error("The event stream has no lines");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { event, id, data: data.join("\n") };
        event = "message";
        data = [];
        continue;
      }
      const at = line.indexOf(":");
      const field = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "id") id = value;
      else if (field === "data") data.push(value);
    }
  }
}
