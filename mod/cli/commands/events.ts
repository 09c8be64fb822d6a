/** `pentad events`: the conversation, readable. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { EventLine } from "../../node/view.ts";
import { STREAMS } from "../../streams.ts";
import type { Cli } from "../cli.ts";
import { followEvents } from "../follow.ts";
import { wholeNumber } from "../options.ts";
import { safeText } from "../print.ts";
import type { SseEvent } from "../sse.ts";
import { localTime } from "../status_page.ts";

export function eventsCommand(cli: Cli): CommandUnknownOpts {
  return new Command("events")
    .description("what happened, in order")
    .option("-f, --follow", "go on as it happens, until Ctrl-C")
    .option("--routine", "also what is said with every beat")
    .addOption(new Option("--stream <name>", "one stream only").choices([...STREAMS, "node"]))
    .option("--since <n>", "only lines after this number", wholeNumber(0, 1e15 - 1))
    .action(async ({ follow = false, routine = false, stream, since }) => {
      const query = new URLSearchParams({ follow: String(follow), routine: String(routine) });
      if (stream !== undefined) query.set("stream", stream);
      if (since !== undefined) query.set("since", String(since));
      await followEvents(cli, {
        ...{ address: `/v1/events?${query}`, follow, last: null },
        print: (event) => printEvent(cli, event),
        why: (last) =>
          `the conversation ended${last === null ? "" : `; its last line was ${last}`}`,
      });
    });
}

function printEvent(cli: Cli, { event, data }: SseEvent): void {
  if (event === "gap") {
    cli.io.err(`gap: lines between are not kept any more ${data}\n`);
    return;
  }
  if (cli.print.format === "json") return cli.print.line(data);
  const { at, stream, text } = JSON.parse(data) as EventLine;
  cli.print.line(`${localTime(at)} ${stream} ${safeText(text)}`);
}
