/** `pentad config verify`, with a daemon and without; what status and history say of damage. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { withPast, write } from "../host/past_world.ts";
import { cli, withDaemon } from "./world.ts";

Deno.test("config verify prints what it read; damage ends it with 3", async () => {
  await withDaemon(async ({ node, cli }) => {
    const well = await cli(["config", "verify"]);
    assert.equal(well.code, 0, well.err);
    assert.match(
      well.out,
      /^PART\tROWS\nlog\t40\ntree\t20\nlocks\t1\nrequests\t30\nhistory\t30\n$/,
    );
    assert.match(well.err, /^121 rows as of index 412: all of it is what was written\n$/);
    const why = 'tree row 7 ("a") fails its CRC-32';
    const damaged = [{ part: "tree", at: 7, why }] as const;
    node.report = { ...node.report, damaged, count: 18 };
    const hurt = await cli(["config", "verify"]);
    assert.equal(hurt.code, 3);
    assert.ok(hurt.out.endsWith(`\n! tree  ${why}\n`), hurt.out);
    assert.match(hurt.err, /^17 more are damaged\n121 rows as of index 412: 18 damaged\n$/);
    const json = await cli(["config", "verify", "--json"]);
    assert.equal(json.code, 3);
    const { schema, count } = JSON.parse(json.out);
    assert.deepEqual([schema, count], ["pentad.verified/1", 18]);
  });
});

Deno.test("status shows damage as a warning, with what to do", async () => {
  await withDaemon(async ({ node, cli }) => {
    const verified = { age_ms: 60_000, rows: 9, damaged: ["log entry 3 fails"] };
    node.document.config = { ...node.document.config, verified };
    const ran = await cli(["status"]);
    assert.equal(ran.code, 3);
    assert.match(
      ran.out,
      /! config\.damaged {2}Cannot read all of .* back: log entry 3 fails {3}fix/,
    );
  });
});

Deno.test("config verify --data reads a dead node's files; one damaged transaction hides no other", async () => {
  await withPast(async (world) => {
    const first = world.apply([{ op: "mkdir", path: "d" }, ...write("d/f", "one\n", true)]);
    const second = world.apply(write("d/f", "two\n", false));
    const third = world.apply(write("d/f", "three\n", false));
    const { directory } = world;
    const ask = (...args: string[]) => cli(["--data", directory, "config", ...args]);
    const well = await ask("verify");
    assert.equal(well.code, 0, well.err);
    assert.match(well.err, /all of it is what was written/);
    const raw = new DatabaseSync(`${directory}/config.db`);
    raw.prepare("UPDATE history SET body = x'0a' WHERE idx = ?").run(second);
    raw.close();
    const hurt = await ask("verify");
    assert.equal(hurt.code, 3);
    assert.match(hurt.out, new RegExp(`! history {2}History ${second} fails its CRC-32`));
    const history = await ask("history");
    assert.equal(history.code, 0, history.err);
    const lines = history.out.trim().split("\n").slice(1).map((line) => line.split("\t"));
    assert.deepEqual(lines.map(([txn]) => Number(txn)), [third, second, first]);
    assert.equal(lines[1]?.at(-1), `damaged: History ${second} fails its CRC-32`);
    assert.match((await ask("show", String(second))).err, /History \d+ fails its CRC-32/);
    assert.equal((await ask("show", String(third))).code, 0);
    const seal = `${directory}/config.db-seal`;
    Deno.writeTextFileSync(seal, Deno.readTextFileSync(seal).replace("applied", "applyed"));
    assert.match((await ask("verify")).out, /! file {2}the seal fails its CRC-32/);
  });
});
