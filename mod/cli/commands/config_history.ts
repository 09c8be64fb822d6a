/** `pentad config history, show, diff, undo`: the tree and its changes, back in time. @module */
import { toHex } from "../../base/bytes.ts";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type {
  HistoryEntry,
  HistoryList,
  OperationLine,
  TransactionDetail,
  TreeDiff,
} from "../../api/running_node.ts";
import type { FileDiffs } from "../../config/mod.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";
import { printDiffs } from "../diff_print.ts";
import { point, reason, REQUEST_HELP, requestId, txnSegment, wholeNumber } from "../options.ts";
import { safeText } from "../print.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 10_000;
const POINTS = "a transaction, a time (2026-11-22, 2026-11-22T09:04, RFC 3339) or now";

export function historyCommand(cli: Cli): CommandUnknownOpts {
  return new Command("history").description("what was committed, by whom, and why; newest first")
    .argument("[path]")
    .option("--limit <n>", "how many", wholeNumber(1, LIMIT_MAX), LIMIT_DEFAULT)
    .option("--after <txn>", "go on below this transaction: the next page", txnSegment)
    .action(async (path, { limit, after }) => {
      const query = new URLSearchParams({ limit: String(limit) });
      if (path !== undefined) query.set("path", path.replace(/^\/+/, ""));
      if (after !== undefined) query.set("after", after);
      const answer = await cli.client.get<HistoryList>(`/v1/history?${query}`);
      if (cli.print.format === "json") return cli.print.json(answer);
      cli.print.table(
        ["TXN_ID", "TIME", "AUTHOR", "REASON", "DIFF"],
        answer.entries.map((entry) => [
          txnText(entry.txn_id),
          entry.damaged === undefined ? utc(entry.time) : "–",
          safeText(entry.author),
          safeText(entry.reason),
          safeText(whatOf(entry)),
        ]),
      );
      if (answer.next !== null) cli.print.note(`more: --after ${txnText(answer.next)}`);
      else if (answer.since > 0 && answer.oldest !== null) {
        cli.print.note(`older ones than ${txnText(answer.oldest)} are not kept here`);
      }
    });
}

function whatOf({ damaged, problem, diff }: HistoryEntry): string {
  if (damaged !== undefined) return `damaged: ${damaged}`;
  return problem === null ? diff.join("; ") : `refused: ${problem}`;
}

export function showCommand(cli: Cli): CommandUnknownOpts {
  return new Command("show").description("one transaction whole, with what it changed")
    .argument("<txn>", "0x7f3e or 32574", txnSegment)
    .action(async (txn) => {
      const ask = { limitMs: cli.waitMs };
      const shown = await cli.client.get<TransactionDetail>(`/v1/history/${txn}`, ask);
      if (cli.print.format === "json") return cli.print.json(shown);
      const { txn_id, term, author, node, time, request, problem, why, kept } = shown;
      const line = (name: string, value: string) => cli.print.line(`${name}\t${safeText(value)}`);
      line("txn_id", txnText(txn_id));
      line("term", String(term));
      line("author", author);
      line("node", node);
      line("time", utc(time));
      line("reason", shown.reason);
      line("request", request);
      line("outcome", problem === null ? "committed" : `refused: ${problem}: ${why}`);
      for (const operation of shown.operations) line("operation", operationText(operation));
      if (!kept) cli.print.note("what was before it is not kept: no diff, and no undo");
      if (shown.files.length > 0) cli.print.line("");
      printDiffs(cli.print, shown);
    });
}

export function diffCommand(cli: Cli): CommandUnknownOpts {
  return new Command("diff").description("what differs between two states")
    .argument("<from>", POINTS)
    .argument("<to>", POINTS)
    .argument("[path]", "this path and what is below it")
    .action(async (from, to, path) => {
      const query = new URLSearchParams({ from: point(from), to: point(to) });
      if (path !== undefined) query.set("path", path.replace(/^\/+/, ""));
      const ask = { limitMs: cli.waitMs };
      const answer = await cli.client.get<TreeDiff>(`/v1/config-diff?${query}`, ask);
      if (cli.print.format === "json") return cli.print.json(answer);
      printDiffs(cli.print, answer);
      if (answer.files.length === 0) cli.print.note("nothing differs");
    });
}

export function undoCommand(cli: Cli): CommandUnknownOpts {
  return new Command("undo").description("take a transaction back by a new one")
    .argument("<txn>", "0x7f3e or 32574", txnSegment)
    .option("--dry-run", "only say what would change; exit code 10 if anything would")
    .option("--reason <text>", "why, for the history", reason)
    .option("--request <id>", REQUEST_HELP, requestId)
    .action(async (txn, { dryRun = false, reason: why, request }) => {
      const id = request ?? toHex(crypto.getRandomValues(new Uint8Array(8)));
      const answer = await undo(cli, txn, { dryRun, why, id });
      if (dryRun) cli.exit = EXIT.changes;
      if (cli.print.format === "json") return cli.print.json(answer);
      printDiffs(cli.print, answer);
      if (dryRun) cli.print.note("nothing was changed; without --dry-run it is");
      else cli.print.note(`committed txn_id=${answer.txn_id}, version ${answer.version}`);
    });
}

interface UndoDone extends FileDiffs {
  readonly txn_id: string | null;
  readonly version: number | null;
}

async function undo(
  cli: Cli,
  txn: string,
  { dryRun, why, id }: { dryRun: boolean; why: string | undefined; id: string },
): Promise<UndoDone> {
  const headers = {
    "Idempotency-Key": id,
    ...(why === undefined ? {} : { "Pentad-Reason": why }),
  };
  try {
    const address = `/v1/history/${txn}/undo?dry-run=${dryRun}`;
    const ask = { json: {}, headers, limitMs: cli.waitMs };
    return await cli.client.change<UndoDone>("POST", address, ask);
  } catch (error) {
    const open = ["config.unknown-outcome", "node.timeout", "node.unreachable"];
    // In each of these it may be done.
    if (!dryRun && error instanceof ProblemError && open.includes(error.problem.code)) {
      cli.io.err(`the request's id is ${id}: repeat with --request ${id}\n`);
    }
    throw error;
  }
}

function operationText({ op, path, to, offset, size, mtime }: OperationLine): string {
  if (op === "write") return `write ${path} ${size} bytes at ${offset}`;
  if (op === "truncate") return `truncate ${path} to ${size} bytes`;
  if (op === "rename") return `rename ${path} to ${to}`;
  return op === "utime" ? `utime ${path} to ${utc(mtime ?? 0)}` : `${op} ${path}`;
}

function txnText(index: number): string {
  return `0x${index.toString(16)}`;
}

/** RFC 3339; a number that is no time is shown as it is. */
function utc(seconds: number): string {
  const at = new Date(seconds * 1000);
  return Number.isNaN(at.getTime()) ? String(seconds) : at.toISOString();
}
