/** Questions about the past, put to real database files. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { HistoryPageAsk } from "../../mod/api/mod.ts";
import { type ProblemCode, ProblemError } from "../../mod/base/problem.ts";
import {
  historyList,
  indexOf,
  NEWEST_FIRST,
  transactionDetail,
  treeDiff,
} from "../../mod/daemon/archive.ts";
import { exportPieces } from "../../mod/daemon/archive_export.ts";
import { planUndo } from "../../mod/daemon/archive_undo.ts";
import { ArchivePool, ASKED_MAX, WAITING_MAX } from "../../mod/daemon/archive_pool.ts";
import { HISTORY_LIMITS } from "../../mod/host/linux/database_history.ts";
import { DatabaseView } from "../../mod/host/linux/database_view.ts";
import { type PastWorld, withPast, write } from "./past_world.ts";

function refusedWith(code: ProblemCode, why: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.problem.code, code, error.problem.why);
    assert.match(error.problem.why, why);
    return true;
  };
}

/** A file made, changed, renamed and removed; the index of each. */
function story(world: PastWorld) {
  const made = world.apply(write("f", "one\ntwo\n", true));
  const changed = world.apply(write("f", "one\n2\n", false));
  const refused = world.apply([{ op: "mkdir", path: "no/where" }]);
  const moved = world.apply([{ op: "rename", path: "f", to: "g" }]);
  const other = world.apply(write("h", "other", true), { author: "ha@b" });
  return { made, changed, refused, moved, other };
}

const PAGE: HistoryPageAsk = { limit: 2, path: null, after: null };

Deno.test("historyList() pages from the newest to the oldest, of one path too", async () => {
  await withPast((world) => {
    const { made, changed, refused, moved, other } = story(world);
    world.view((view) => {
      const list = (ask: Partial<HistoryPageAsk>) =>
        historyList(view, { ...PAGE, ...ask }, HISTORY_LIMITS);
      const first = list({});
      assert.deepEqual(first.entries.map(({ txn_id }) => txn_id), [other, moved]);
      assert.equal(first.next, moved);
      const second = list({ after: first.next });
      assert.deepEqual(second.entries.map(({ txn_id }) => txn_id), [refused, changed]);
      assert.equal(second.entries[0]?.problem, "config.not-found");
      const last = list({ after: second.next });
      assert.deepEqual(last.entries.map(({ txn_id }) => txn_id), [made]);
      assert.equal(last.next, null);
      assert.equal(last.oldest, made);
      assert.deepEqual(list({ after: made }).entries, []);
      const ofPath = list({ path: "f", limit: 10 });
      assert.deepEqual(ofPath.entries.map(({ txn_id }) => txn_id), [moved, changed, made]);
      assert.deepEqual(ofPath.limits, HISTORY_LIMITS);
    });
  });
});

Deno.test("transactionDetail() shows operations, a diff, the author, and why it was refused", async () => {
  await withPast((world) => {
    const { changed, refused } = story(world);
    world.view((view) => {
      const shown = transactionDetail(view, changed, world.spec);
      assert.equal(shown.files[0]?.diff, "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
      assert.equal(shown.node, world.spec.members[0]?.name);
      assert.deepEqual(shown.operations.map(({ op, size }) => [op, size]), [
        ["truncate", 0],
        ["write", 6],
      ]);
      const not = transactionDetail(view, refused, null);
      assert.equal(not.node, "node 1");
      assert.deepEqual([not.problem, not.why], ["config.not-found", '"no" is not there']);
      assert.deepEqual(not.files, []);
    });
  });
});

Deno.test("a transaction that is none, not yet, or not any more, is told apart", async () => {
  const limits = { ...HISTORY_LIMITS, bytes: 1 };
  await withPast((world) => {
    const { made, other } = story(world);
    world.view((view) => {
      const show = (txn: number) => () => transactionDetail(view, txn, null);
      assert.throws(show(1), refusedWith("config.no-transaction", /holds other entries too/));
      assert.throws(show(other + 1), refusedWith("config.no-transaction", /the newest is 6/));
      assert.equal(show(made)().txn_id, made);
    });
  });
  await withPast((world) => {
    const { made, other } = story(world);
    world.view((view) => {
      const gone = () => transactionDetail(view, made, null);
      assert.throws(gone, refusedWith("config.no-history", /not kept here/));
      const from = { at: "txn", index: made } as const;
      const back = () => treeDiff(view, { from, to: { at: "now" }, path: null });
      assert.throws(back, refusedWith("config.no-history", /begins behind index 6/));
      const point = { at: "time", seconds: 0 } as const;
      assert.throws(() => indexOf(view, point), refusedWith("config.no-history", /1970/));
      assert.equal(view.meta.since, other);
    });
  }, limits);
});

Deno.test("points are transactions, times and now; each between two is the state after the older", async () => {
  await withPast((world) => {
    const { made, changed, other } = story(world);
    world.view((view) => {
      const at = (seconds: number) => indexOf(view, { at: "time", seconds });
      assert.equal(at(100 * made), made);
      assert.equal(at(100 * made + 99), made);
      assert.equal(at(100 * changed - 1), made);
      assert.equal(at(1e12), other);
      assert.equal(at(0), 0, "nothing is lost since the beginning");
      assert.equal(indexOf(view, { at: "now" }), other);
      const later = { at: "txn", index: other + 1 } as const;
      assert.throws(() => indexOf(view, later), refusedWith("config.no-transaction", /not yet/));
    });
  });
});

Deno.test("treeDiff() compares two states, both ways, and only below a path", async () => {
  await withPast((world) => {
    const { made, other } = story(world);
    world.view((view) => {
      const diff = (from: number, to: number, path: string | null = null) =>
        treeDiff(view, { from: { at: "txn", index: from }, to: { at: "txn", index: to }, path })
          .files.map(({ path, change }) => `${change} ${path}`);
      assert.deepEqual(diff(made, other), ["removed f", "added g", "added h"]);
      assert.deepEqual(diff(other, made), ["added f", "removed g", "removed h"]);
      assert.deepEqual(diff(made, other, "g"), ["added g"]);
      assert.deepEqual(diff(made, made), []);
      assert.deepEqual(diff(0, other), ["added g", "added h"]);
    });
  });
});

Deno.test("exportPieces() is JSON lines: directories first, PVE's modes, an end", async () => {
  await withPast((world) => {
    world.apply([{ op: "mkdir", path: "priv" }, ...write("priv/key", "secret", true)]);
    world.apply([{ op: "mkdir", path: "a" }, ...write("a/b", "x".repeat(300_000), true)]);
    const late = world.apply([{ op: "remove", path: "a/b" }]);
    world.view((view) => {
      const lines = (index: number) => {
        const text = [...exportPieces(view, { at: "txn", index })]
          .map((piece) => new TextDecoder().decode(piece)).join("");
        return text.trimEnd().split("\n").map((line) => JSON.parse(line));
      };
      const then = lines(late - 1);
      assert.deepEqual(then[0], { schema: "pentad.export/1", at: late - 1, entries: 4 });
      assert.deepEqual(
        then.slice(1, -1).map(({ path, mode, kind }) => [path, mode.toString(8), kind]),
        [
          ["a", "755", "directory"],
          ["a/b", "640", "file"],
          ["priv", "700", "directory"],
          ["priv/key", "600", "file"],
        ],
      );
      assert.equal(atob(then[4]?.data), "secret");
      assert.deepEqual(then.at(-1), { end: true });
      assert.deepEqual(lines(late).length, 5);
    });
  });
});

Deno.test("planUndo() takes back what nobody touched since, and finds its own first try", async () => {
  await withPast((world) => {
    const { made, changed, refused, moved, other } = story(world);
    const request = "00000000000000ff";
    world.view((view) => {
      const plan = planUndo(view, other, request);
      assert.ok(plan.plan === "propose");
      assert.deepEqual(plan.undo.operations, [{ op: "remove", path: "h" }]);
      assert.deepEqual(plan.undo.expect, [{ path: "h", version: other }]);
      assert.deepEqual(plan.diffs.files.map(({ change }) => change), ["removed"]);
      const touched = () => planUndo(view, changed, request);
      assert.throws(touched, refusedWith("config.cannot-undo", /transaction 5 .* touched "f"/));
      const nothing = () => planUndo(view, refused, request);
      assert.throws(nothing, refusedWith("config.cannot-undo", /changed nothing/));
      const none = () => planUndo(view, 999, request);
      assert.throws(none, refusedWith("config.no-transaction", /999 is not yet/));
      const back = planUndo(view, moved, request);
      assert.ok(back.plan === "propose");
      assert.deepEqual(back.diffs.files.map(({ path }) => path), ["f", "g"]);
    });
    const done = world.apply([{ op: "remove", path: "h" }], { request: request as never });
    world.view((view) => {
      const again = planUndo(view, other, request);
      assert.deepEqual(again, { plan: "done", index: done, diffs: { files: [], omitted: 0 } });
    });
    assert.ok(made > 0);
  });
});

Deno.test("a view is of one moment, whatever is committed meanwhile", async () => {
  await withPast((world) => {
    const { other } = story(world);
    world.view((view) => {
      const records = view.records(NEWEST_FIRST)[Symbol.iterator]();
      records.next();
      world.apply(write("late", "x", true));
      assert.equal(view.meta.applied, other);
      assert.ok(view.rows().every(({ name }) => name !== "late"));
      assert.equal([...view.records(NEWEST_FIRST)][0]?.index, other);
    });
    world.view((view) => view.check());
  });
});

Deno.test("DatabaseView refuses what it cannot trust, in words", async () => {
  await withPast((world) => {
    story(world);
    world.shut();
    const open = (path = world.path) => {
      const view = DatabaseView.open(path, { immutable: true });
      try {
        view.check();
      } finally {
        view.close();
      }
    };
    open();
    const damage = (sql: string) => {
      const copy = `${world.directory}/copy.db`;
      Deno.copyFileSync(world.path, copy);
      const database = new DatabaseSync(copy);
      database.exec(`PRAGMA journal_mode = DELETE; ${sql}`);
      database.close();
      return () => open(copy);
    };
    assert.throws(damage("PRAGMA user_version = 9"), /has form 9, this pentad reads/);
    assert.throws(damage("DELETE FROM meta"), /holds no state/);
    assert.throws(damage("UPDATE meta SET term = 99"), /fails its CRC-32/);
    assert.throws(damage("UPDATE tree SET data = x'00'"), /tree row .* fails its CRC-32/);
    assert.throws(damage("UPDATE history SET body = x'00' WHERE idx = 3"), /History 3 fails/);
    assert.throws(damage("UPDATE history SET undo = x'00' WHERE idx = 3"), /History 3 fails/);
    assert.throws(damage("DELETE FROM log WHERE idx = 2"), /log entry 2 is missing/);
    const text = `${world.directory}/text`;
    Deno.writeTextFileSync(
      text,
      "no database at all, but long enough to be taken for one".repeat(99),
    );
    assert.throws(() => open(text), /not a database/);
    assert.throws(() => open(`${world.directory}/none`), /unable to open/);
  });
});

Deno.test("the archive's Workers answer beside the database's own, refuse as it would, and are bounded", async () => {
  await withPast(async (world) => {
    const { made, changed, other } = story(world);
    const database = world.path;
    const pool = new ArchivePool();
    try {
      const { spec } = world;
      const shown = await pool.ask("show", { database, txn: changed, spec });
      assert.equal(shown.txn_id, changed);
      const none = pool.ask("show", { database, txn: 99, spec });
      await assert.rejects(none, refusedWith("config.no-transaction", /99 is not yet/));
      const unreadable = pool.ask("show", { database: `${database}.none`, txn: 1, spec });
      await assert.rejects(unreadable, refusedWith("config.no-history", /unable to open/));
      const broken = pool.stream({ database, at: { at: "txn", index: 99 } });
      await assert.rejects(broken, refusedWith("config.no-transaction", /99/));
      const whole = await new Response(await pool.stream({ database, at: { at: "now" } })).text();
      assert.ok(whole.endsWith('{"end":true}\n'));
      // Two hold their places; one that gives up lets the next in.
      const held = await Promise.all(
        Array.from({ length: ASKED_MAX }, () => pool.stream({ database, at: { at: "now" } })),
      );
      const line = Array.from(
        { length: WAITING_MAX },
        () => pool.ask("undo", { database, txn: other, request: "00000000000000ff" }),
      );
      const more = pool.ask("show", { database, txn: made, spec });
      await assert.rejects(more, refusedWith("api.busy", /32 questions/));
      await held[0]?.cancel();
      const plans = await Promise.all(line);
      assert.ok(plans.every(({ plan }) => plan === "propose"));
      const left = pool.stream({ database, at: { at: "now" } });
      await held[1]?.cancel();
      await (await left).cancel();
    } finally {
      pool.close();
    }
    const late = pool.ask("show", { database, txn: made, spec: world.spec });
    await assert.rejects(late, refusedWith("node.unreachable", /stops/));
  });
});
