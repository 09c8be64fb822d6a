/** `pentad config …`: stream 2, the replicated tree. @module */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { TreeEntry } from "../../api/running_node.ts";
import { ProblemError } from "../../base/problem.ts";
import { configAddress } from "../client.ts";
import type { Cli } from "../cli.ts";
import { changePath, existingVersion } from "../config_change.ts";
import { unreadable } from "../io.ts";
import { REQUEST_HELP, requestId, wholeNumber } from "../options.ts";
import { safeText } from "../print.ts";
import { backupCommand, exportCommand, restoreCommand } from "./config_backup.ts";
import { diffCommand, historyCommand, showCommand, undoCommand } from "./config_history.ts";
import { watchCommand } from "./config_watch.ts";
import { forceCommand, memberCommand, transferCommand } from "./config_member.ts";
import { verifyCommand } from "./config_verify.ts";

const VERSION_MAX = 1e15 - 1;
/** What a file of the tree holds at most; the daemon has the last word. */
const CONTENT_BYTES_MAX = 1024 * 1024;

export function configCommand(cli: Cli): CommandUnknownOpts {
  return new Command("config").description("stream 2: the replicated tree")
    .addCommand(lsCommand(cli))
    .addCommand(getCommand(cli))
    .addCommand(setCommand(cli))
    .addCommand(rmCommand(cli))
    .addCommand(mkdirCommand(cli))
    .addCommand(historyCommand(cli))
    .addCommand(showCommand(cli))
    .addCommand(diffCommand(cli))
    .addCommand(undoCommand(cli))
    .addCommand(watchCommand(cli))
    .addCommand(exportCommand(cli))
    .addCommand(verifyCommand(cli))
    .addCommand(backupCommand(cli))
    .addCommand(restoreCommand(cli))
    .addCommand(memberCommand(cli))
    .addCommand(transferCommand(cli))
    .addCommand(forceCommand(cli));
}

function readOption() {
  return new Option("--read <where>", "quorum: newer than this call, needs a majority")
    .choices(["local", "quorum"] as const).default("local" as const);
}

function lsCommand(cli: Cli): CommandUnknownOpts {
  return new Command("ls").description("list a directory")
    .argument("[path]", "", "")
    .addOption(readOption())
    .action(async (path, { read }) => {
      const address = `${configAddress(path)}?read=${read}`;
      const { headers, bytes } = await cli.client.send("GET", address);
      if (headers.get("Content-Type") !== "application/json") {
        throw new ProblemError("config.not-a-directory", `"${path}" is a file`);
      }
      const listing = JSON.parse(new TextDecoder().decode(bytes)) as { entries: TreeEntry[] };
      if (cli.print.format === "json") return cli.print.json(listing);
      cli.print.table(
        ["VERSION", "SIZE", "WRITER", "NAME"],
        listing.entries.map((entry) => [
          String(entry.version),
          entry.kind === "directory" ? "–" : String(entry.size),
          safeText(entry.writer),
          safeText(nameIn(entry)),
        ]),
      );
    });
}

function getCommand(cli: Cli): CommandUnknownOpts {
  return new Command("get").description("print a file, byte for byte")
    .argument("<path>")
    .addOption(readOption())
    .action(async (path, { read }) => {
      const address = `${configAddress(path)}?read=${read}`;
      const { headers, bytes } = await cli.client.send("GET", address);
      if (headers.get("Content-Type") !== "application/octet-stream") {
        throw new ProblemError("config.is-a-directory", `"${path}" is a directory`);
      }
      if (cli.print.format !== "json") return cli.io.out(bytes);
      const version = Number(headers.get("ETag")?.replaceAll('"', ""));
      const content = new TextDecoder().decode(bytes);
      cli.print.json({ schema: "pentad.file/1", path, version, content });
    });
}

function setCommand(cli: Cli): CommandUnknownOpts {
  return new Command("set").description("write a whole file, in one transaction")
    .argument("<path>")
    .argument("[value]", "the content; - or nothing reads standard input")
    .option("--file <file>", "take the content from this file")
    .option("--expect <version>", "only if that is its version; 0: only if there is none", version)
    .option("--reason <text>", "why, for the history")
    .option("--request <id>", REQUEST_HELP, requestId)
    .action(async (path, value, { file, expect, reason, request }) => {
      const body = await content(cli, value, file);
      await changePath(cli, path, { method: "PUT", body, expect, reason, request });
    });
}

function rmCommand(cli: Cli): CommandUnknownOpts {
  return new Command("rm").description("remove a file or an empty directory")
    .argument("<path>")
    .option("--expect <version>", "only if that is its version", version)
    .option("--reason <text>", "why, for the history")
    .option("--request <id>", REQUEST_HELP, requestId)
    .action(async (path, { expect, reason, request }) => {
      if (path.replace(/^\/+/, "") === "") {
        throw new ProblemError("config.bad-path", "the root itself cannot be removed");
      }
      const known = expect ?? await existingVersion(cli, path, "local");
      if (known === 0 && request === undefined) {
        throw new ProblemError("config.not-found", `there is no "${path}" on this node`);
      }
      await changePath(cli, path, { method: "DELETE", expect, reason, request });
    });
}

function mkdirCommand(cli: Cli): CommandUnknownOpts {
  return new Command("mkdir").description("make a directory")
    .argument("<path>")
    .option("--reason <text>", "why, for the history")
    .option("--request <id>", REQUEST_HELP, requestId)
    .action(async (path, { reason, request }) => {
      const query = "?type=directory";
      await changePath(cli, path, { method: "PUT", query, expect: 0, reason, request });
    });
}

async function content(
  cli: Cli,
  value: string | undefined,
  file: string | undefined,
): Promise<Uint8Array> {
  if (value !== undefined && file !== undefined) {
    throw new ProblemError("cli.usage", "a value and --file exclude one another");
  }
  if (file !== undefined) {
    try {
      return withinBound(await cli.io.readFile(file, CONTENT_BYTES_MAX));
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError("cli.usage", `"${file}" ${unreadable(error)}`, { cause: error });
    }
  }
  if (value !== undefined && value !== "-") return new TextEncoder().encode(value);
  if (value === undefined && cli.io.inputTerminal) {
    throw new ProblemError("cli.usage", "there is no content: give a value, --file or -");
  }
  return withinBound(await cli.io.stdin(CONTENT_BYTES_MAX));
}

function withinBound(bytes: Uint8Array | null): Uint8Array {
  if (bytes !== null) return bytes;
  throw new ProblemError("config.too-large", `a file holds at most ${CONTENT_BYTES_MAX} bytes`);
}

function nameIn({ path, kind }: TreeEntry): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return kind === "directory" ? `${name}/` : name;
}

function version(text: string): number {
  return wholeNumber(0, VERSION_MAX)(text.replace(/^v/, ""));
}
