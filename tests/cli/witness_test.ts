/** `storage witness`: what it asks for, prints, and ends with. */
import assert from "node:assert/strict";
import { withDaemon } from "./world.ts";

const UUID = "ab".repeat(16);

Deno.test("storage witness shows, gives and takes away, and a dry run changes nothing", async () => {
  await withDaemon(async ({ node, cli }) => {
    const none = await cli(["storage", "witness", "show"]);
    assert.deepEqual([none.code, none.out], [0, "no witness\n"]);
    assert.match(none.err, /no judgement/);
    const dry = await cli(["storage", "witness", "set", "/dev/sdb", "--dry-run"]);
    assert.deepEqual([dry.code, dry.out], [10, `none\t${UUID}\n`]);
    assert.match(dry.err, /nothing was changed; without --dry-run it is/);
    const set = await cli(["storage", "witness", "set", "/dev/sdb", "/dev/sdc"]);
    assert.deepEqual([set.code, set.out], [0, `none\t${UUID}\n`], set.err);
    const again = await cli(["storage", "witness", "set", UUID, "--dry-run"]);
    assert.deepEqual([again.code, again.out], [0, `${UUID}\t${UUID}\n`]);
    assert.match(again.err, /it is so already/);
    const shown = await cli(["storage", "witness", "show"]);
    assert.equal(
      shown.out,
      `DISK\tUUID\tSTATE\tSEEN\tTEST\n/dev/sdb\t${UUID}\tready\tnodeA\tfences\n`,
    );
    const json = JSON.parse((await cli(["storage", "witness", "show", "--json"])).out);
    assert.deepEqual([json.schema, json.disk], ["pentad.witness/1", UUID]);
    const less = await cli(["storage", "witness", "remove", "--dry-run"]);
    assert.deepEqual([less.code, less.out], [10, `${UUID}\tnone\n`]);
    assert.match(less.err, /^alone\nnothing was changed/, "a warning stands before that");
    const removed = await cli(["storage", "witness", "remove", "--json"]);
    const answer = JSON.parse(removed.out);
    assert.equal(answer.schema, "pentad.witness-change/1");
    assert.deepEqual([answer.before, answer.after, answer.committed], [UUID, null, true]);
    assert.deepEqual(node.calls, [
      { witness: { disks: ["/dev/sdb"], commit: false } },
      { witness: { disks: ["/dev/sdb", "/dev/sdc"], commit: true } },
      { witness: { disks: [UUID], commit: false } },
      { witness: { disks: [], commit: false } },
      { witness: { disks: [], commit: true } },
    ]);
  });
});

Deno.test("storage witness set refuses what is no disk before anything is asked", async () => {
  await withDaemon(async ({ node, cli }) => {
    for (const word of ["sdb", "/dev/\u0007", "f".repeat(31)]) {
      const ran = await cli(["storage", "witness", "set", word]);
      assert.equal(ran.code, 2, word);
    }
    assert.equal((await cli(["storage", "witness", "set"])).code, 2);
    assert.deepEqual(node.calls, []);
  });
});
