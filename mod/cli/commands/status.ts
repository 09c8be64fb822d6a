/** `pentad status`. Asks this node only, so it answers without quorum and never waits for a peer. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { exitOf, printStatus } from "../status_page.ts";

const WATCH_MS = 1000;
/** Cursor to the top left, clear to the end: ECMA-48 sections 8.3.21 and 8.3.39. */
const CLEAR = "\x1b[H\x1b[J";

export function statusCommand(cli: Cli): CommandUnknownOpts {
  return new Command("status")
    .description("the one screen; exit code 0 well, 3 degraded, 4 no quorum, 5 no daemon")
    .option("-w, --watch", "again each second until Ctrl-C")
    .action(async ({ watch }) => {
      do {
        const status = await cli.client.get<StatusDocument>("/v1/status");
        cli.exit = exitOf(status);
        if (watch && cli.io.terminal && cli.print.format !== "json") cli.io.out(CLEAR);
        if (cli.print.format === "json") cli.print.json(status);
        else printStatus(cli.print, status);
      } while (watch && await pause(cli.io.signal));
    });
}

/** Waits for the next look; false once it is told to stop. */
function pause(signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (more: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      resolve(more);
    };
    const stop = () => end(false);
    const timer = setTimeout(() => end(true), WATCH_MS);
    signal.addEventListener("abort", stop);
  });
}
