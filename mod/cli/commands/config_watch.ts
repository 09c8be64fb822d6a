/** `pentad config watch`: changes of the tree as they are applied. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.ts";
import { followEvents } from "../follow.ts";
import { txnSegment } from "../options.ts";
import { safeText } from "../print.ts";
import type { SseEvent } from "../sse.ts";

interface Told {
  readonly txn: string;
  readonly author: string;
  readonly reason: string;
  readonly changes: readonly {
    readonly path: string;
    readonly kind: string;
    readonly size: number | null;
  }[];
}

export function watchCommand(cli: Cli): CommandUnknownOpts {
  return new Command("watch")
    .description("changes as they are applied, until Ctrl-C; with --json one object a line")
    .argument("<path...>", "paths, and what is below them; / is the whole tree")
    .option("--after <txn>", "begin behind this transaction; 0: with the oldest", txnSegment)
    .option("--content", "with the content of files, in base64 (--json)")
    .action(async (paths, { after, content = false }) => {
      const query = new URLSearchParams({ content: String(content) });
      for (const path of paths) query.append("path", path.replace(/^\/+/, ""));
      if (after !== undefined) query.set("after", after);
      await followEvents(cli, {
        address: `/v1/config-events?${query}`,
        follow: true,
        last: after ?? null,
        print: (event) => printEvent(cli, event),
        why: (last) => `the changes ended${last === null ? "" : `; go on with --after ${last}`}`,
      });
    });
}

function printEvent(cli: Cli, { event, data }: SseEvent): void {
  if (event === "begin") return;
  if (event === "gap") {
    cli.io.err(`gap: changes between are not kept any more ${data}\n`);
    return;
  }
  if (cli.print.format === "json") return cli.print.line(data);
  const { txn, author, reason, changes } = JSON.parse(data) as Told;
  for (const { path, kind, size } of changes) {
    const what = size === null ? kind : `${kind} ${size} bytes`;
    cli.print.line(
      [txn, what, safeText(path), safeText(author), safeText(reason)].join("\t"),
    );
  }
}
