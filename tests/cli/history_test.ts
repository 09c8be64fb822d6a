/** The past on the command line: history, show, diff, undo, watch, backup, restore, dead nodes. */
import assert from "node:assert/strict";
import { type ProblemCode, PROBLEMS } from "../../mod/base/problem.ts";
import { withPast, write } from "../host/past_world.ts";
import { cli, type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

function refused(ran: Ran, code: ProblemCode, why: RegExp): void {
  assert.equal(ran.code, PROBLEMS[code].exit, ran.err);
  assert.equal(ran.out, "");
  assert.match(ran.err, new RegExp(`\\n {2}why {4}.*${why.source}.*\\n {2}fix .*\\n {2}code {3}`));
  assert.ok(ran.err.endsWith(`${code}\n`), ran.err);
}

const PLAIN_DIFF = "--- a/web.conf\n+++ b/web.conf\n@@ -1 +1 @@\n-old\n+\tnew\x1b[2J\n" +
  "added file logo: nothing → 9 bytes, crc32 0x00000003\n";

Deno.test("config history pages, and says what is there beyond the page", async () => {
  await withDaemon(async ({ node, cli }) => {
    const page = done(await cli(["config", "history", "--limit", "1", "--after", "0x8000"]));
    assert.equal(page.err, "more: --after 0x7f3e\n");
    assert.match(page.out, /^TXN_ID\t.*\n0x7f3e\t1970-01-01T00:00:01\.000Z\troot@nodeA\tapi PUT\t/);
    assert.deepEqual(node.calls, [{ history: { limit: 1, path: null, after: 0x8000 } }]);
    const last = done(await cli(["config", "history"]));
    assert.equal(last.err, "older ones than 0x7 are not kept here\n");
    const json = JSON.parse(done(await cli(["config", "history", "--json"])).out);
    assert.deepEqual([json.oldest, json.since, json.limits.kept], [7, 6, 1000]);
    refused(await cli(["config", "history", "--after", "x"]), "cli.usage", /no transaction/);
  });
});

Deno.test("config show prints one transaction whole; a terminal is not steered, a pipe gets it all", async () => {
  await withDaemon(async ({ cli }) => {
    const shown = done(await cli(["config", "show", "0x7f3e"]));
    assert.equal(
      shown.out,
      "txn_id\t0x7f3e\nterm\t2\nauthor\troot@nodeA\nnode\tnodeA\n" +
        "time\t1970-01-01T00:00:01.000Z\nreason\tapi PUT\nrequest\t00000000000000aa\n" +
        `outcome\tcommitted\noperation\twrite web.conf 4 bytes at 0\n\n${PLAIN_DIFF}`,
    );
    const screen = done(await cli(["config", "show", "0x7f3e"], { terminal: true, env: {} })).out;
    const coloured = "\x1b[31m-old\x1b[0m\n\x1b[32m+\tnew\\x1b[2J\x1b[0m\n";
    assert.ok(screen.includes(coloured), JSON.stringify(screen));
    const json = JSON.parse(done(await cli(["config", "show", "32574", "--json"])).out);
    assert.equal(json.schema, "pentad.transaction/1");
    for (const txn of ["web.conf", "0x", "now", "1.5"]) {
      const ran = await cli(["config", "show", txn]);
      refused(ran, "cli.usage", /no transaction: 0x7f3e or 32574/);
    }
    refused(await cli(["config", "show", "0"]), "api.bad-request", /no transaction/);
  });
});

Deno.test("config diff takes transactions, now, and times, of which local ones get their zone", async () => {
  await withDaemon(async ({ node, cli }) => {
    const ran = done(await cli(["config", "diff", "0x7", "now", "/web.conf"]));
    assert.equal(ran.out, PLAIN_DIFF);
    const local = new Date(2026, 10, 22, 9, 4).getTime() / 1000;
    const midnight = new Date(2026, 10, 22).getTime() / 1000;
    done(await cli(["config", "diff", "2026-11-22", "2026-11-22 09:04"]));
    done(await cli(["config", "diff", "2026-11-22T09:04:00Z", "2026-11-22T09:04"]));
    assert.deepEqual(node.calls, [
      { diff: [{ at: "txn", index: 7 }, { at: "now" }, "web.conf"] },
      { diff: [{ at: "time", seconds: midnight }, { at: "time", seconds: local }, null] },
      { diff: [{ at: "time", seconds: 1_795_338_240 }, { at: "time", seconds: local }, null] },
    ]);
    node.diffs = { files: [], omitted: 0 };
    const none = done(await cli(["config", "diff", "1", "2"]));
    assert.deepEqual([none.out, none.err], ["", "nothing differs\n"]);
    node.diffs = { files: [], omitted: 3 };
    assert.match((await cli(["config", "diff", "1", "2"])).err, /^3 more paths differ/);
    refused(await cli(["config", "diff", "1", "2026-02-30"]), "cli.usage", /on any calendar/);
    refused(await cli(["config", "diff", "1", "soon"]), "api.bad-request", /no point/);
    assert.equal((await cli(["config", "diff", "1"])).code, 2);
  });
});

Deno.test("config undo says what it did; --dry-run ends with 10 and does nothing", async () => {
  await withDaemon(async ({ node, cli }) => {
    const dry = await cli(["config", "undo", "7", "--dry-run"]);
    assert.equal(dry.code, 10);
    assert.equal(dry.out, PLAIN_DIFF);
    assert.match(dry.err, /^nothing was changed/);
    const ran = done(await cli(["config", "undo", "7", "--reason", "a mistake"]));
    assert.equal(ran.err, "committed txn_id=0xb, version 11\n");
    const json = await cli(["config", "undo", "7", "--dry-run", "--json"]);
    assert.equal(json.code, 10);
    assert.equal(JSON.parse(json.out).schema, "pentad.undo/1");
    const [, second] = node.calls as { undo: { reason: string; dryRun: boolean } }[];
    assert.deepEqual([second?.undo.reason, second?.undo.dryRun], ["a mistake", false]);
    refused(await cli(["config", "undo", "7", "--reason", "ä"]), "cli.usage", /ASCII/);
  });
});

Deno.test("config undo that is refused keeps its exit code, and names its request where it may be done", async () => {
  await withDaemon(async ({ node, cli }) => {
    const { ProblemError } = await import("../../mod/base/problem.ts");
    const with_ = (code: ProblemCode) => {
      node.undo = () => Promise.reject(new ProblemError(code, "because"));
      return cli(["config", "undo", "7", "--request", "00000000000000aa"]);
    };
    const codes = [
      ...["config.cannot-undo", "config.version-mismatch"] as const,
      ...["config.no-transaction", "config.no-history", "config.no-quorum"] as const,
    ];
    const exits: number[] = [];
    for (const code of codes) {
      const ran = await with_(code);
      refused(ran, code, /because/);
      exits.push(ran.code);
    }
    assert.deepEqual(exits, [6, 6, 9, 9, 4]);
    const open = await with_("config.unknown-outcome");
    assert.match(open.err, /repeat with --request 00000000000000aa\n/);
  });
});

Deno.test("config watch prints what is applied, and how to go on", async () => {
  await withDaemon(async ({ node, cli, stop }) => {
    const data = new TextEncoder().encode("one");
    node.applies([{ path: "a/f", kind: "file", size: 3, data }]);
    node.applies([{ path: "a/g", kind: "gone", size: null, data: null }]);
    const controller = new AbortController();
    let heard = "";
    const ran = await cli(["config", "watch", "/a", "--after", "0"], {
      signal: controller.signal,
      heard: (text) => {
        heard += text;
        if (heard.split("\n").length === 3) controller.abort();
      },
    });
    assert.equal(ran.code, 0, ran.err);
    assert.equal(
      ran.out,
      "0xb\tfile 3 bytes\ta/f\troot@nodeA\tapi PUT\n0xc\tgone\ta/g\troot@nodeA\tapi PUT\n",
    );
    node.lost = 12;
    const args = ["config", "watch", "/", "--after", "11", "--json", "--content"];
    const gone = await cli(args, { heard: () => void stop() });
    assert.equal(gone.code, 5, gone.err);
    assert.match(gone.err, /^gap: .*"complete_after":12/);
    assert.match(gone.err, /the changes ended; go on with --after 12/);
    assert.equal(JSON.parse(gone.out).txn_id, 12);
  });
  refused(await cli(["config", "watch", "a", "--after", "x"]), "cli.usage", /no transaction/);
});

Deno.test("config backup and restore name files on the node's host, from where we stand", async () => {
  await withDaemon(async ({ node, cli }) => {
    const ran = done(await cli(["config", "backup", "b.db"]));
    assert.equal(ran.out, `${Deno.cwd()}/b.db\n`);
    assert.match(ran.err, /verified\nwhoever reads it is the cluster/);
    assert.equal(done(await cli(["config", "backup"])).out, "/state/backup/config.db\n");
    refused(await cli(["config", "restore", "/b.db"]), "config.not-alone", /nodeB/);
    assert.equal((await cli(["config", "restore", "/b.db"])).code, 7);
    assert.match(done(await cli(["config", "restore", "/b.db", "--yes"])).err, /made anew, as of/);
    const json = done(await cli(["config", "restore", "/b.db", "--yes", "--json"]));
    assert.equal(JSON.parse(json.out).schema, "pentad.restore/1");
    assert.equal(
      JSON.parse(done(await cli(["config", "backup", "--json"])).out).schema,
      "pentad.backup/1",
    );
    assert.deepEqual(node.calls[0], { backup: `${Deno.cwd()}/b.db` });
  });
});

Deno.test("a backup that failed is a warning of status, with its remedy", async () => {
  await withDaemon(async ({ node, cli }) => {
    const backup = { at: null, file: null, why: '"/b": disk is full', next: null };
    node.document.backup = { state: "failed", ...backup };
    const ran = await cli(["status"]);
    assert.equal(ran.code, 3);
    assert.match(
      ran.out,
      /! config\.backup-failed {2}Cannot make a backup: "\/b": disk is full {3}/,
    );
    node.document.backup = { state: "none", ...backup, why: null };
    assert.equal((await cli(["status"])).code, 0);
  });
});

Deno.test("--data reads a dead node's files as they lie: its WAL counts, and nothing is touched", async () => {
  await withPast(async (world) => {
    world.apply([{ op: "mkdir", path: "d" }, ...write("d/f", "one\n", true)]);
    const changed = world.apply(write("d/f", "two\n", false));
    const { directory } = world;
    const state = () =>
      [...Deno.readDirSync(directory)].map(({ name }) => {
        const { size, mtime } = Deno.statSync(`${directory}/${name}`);
        return `${name} ${size} ${mtime?.getTime()}`;
      }).sort();
    const before = state();
    assert.ok(before.some((line) => line.startsWith("config.db-wal ")), String(before));
    const ask = (...args: string[]) => cli(["--data", directory, "config", ...args]);
    assert.equal(done(await ask("get", "d/f")).out, "two\n");
    assert.match(done(await ask("ls")).out, /\nd\/|\td\/\n/);
    assert.match(done(await ask("history")).out, /\treason 3\t/);
    assert.match(done(await ask("show", String(changed))).out, /\n-one\n\+two\n$/);
    assert.match(done(await ask("diff", "0", "now")).out, /\n\+two\n$/);
    const out = `${directory}/out`;
    const exported = done(await ask("export", out, "--at", String(changed - 1), "--json"));
    assert.equal(JSON.parse(exported.out).files, 1);
    assert.equal(Deno.readTextFileSync(`${out}/d/f`), "one\n");
    Deno.removeSync(out, { recursive: true });
    assert.deepEqual(state(), before);
    world.shut();
    // Closed in order, it has no WAL and is read in place.
    assert.ok(!state().some((line) => line.includes("-wal")));
    assert.equal(done(await ask("get", "d/f")).out, "two\n");
    assert.ok(!state().some((line) => line.includes("-wal")));
  });
});

Deno.test("--data refuses what needs a daemon, what is not there, and what cannot be read", async () => {
  await withPast(async (world) => {
    world.apply(write("f", "x", true));
    const { directory } = world;
    const ask = (...args: string[]) => cli(["--data", directory, ...args]);
    const commands = [
      ...[["status"], ["config", "set", "f", "y"], ["config", "undo", "2"], ["leave"]],
      ...[["config", "watch", "f"], ["config", "get", "f", "--read", "quorum"], ["events"]],
      ...[["config", "backup"], ["config", "restore", "/b"], ["join", "ticket", "new"]],
    ];
    for (const command of commands) refused(await ask(...command), "node.offline", /only files/);
    refused(await ask("config", "get", "none"), "config.not-found", /none/);
    refused(await ask("config", "show", "99"), "config.no-transaction", /99/);
    const none = await cli(["--data", `${directory}/none`, "config", "ls"]);
    refused(none, "node.bad-data", /is not there/);
    Deno.mkdirSync(`${directory}/empty`);
    refused(
      await cli(["--data", `${directory}/empty`, "config", "ls"]),
      "node.bad-data",
      /not there/,
    );
    Deno.writeTextFileSync(`${directory}/text`, "x".repeat(9999));
    const text = await cli(["--data", `${directory}/text`, "config", "ls"]);
    refused(text, "node.bad-data", /not a database/);
    refused(await ask("config", "ls", "--socket", "s"), "cli.usage", /--data reads files/);
  });
});
