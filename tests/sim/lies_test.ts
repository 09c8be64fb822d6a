/** Disks that fail and lie: what was acknowledged and is not there is found by whoever reads. */
import assert from "node:assert/strict";
import type { DatabaseBatch, DatabaseContent, DatabaseDamage } from "../../mod/host/ports.ts";
import type { DatabaseStore } from "../../mod/sim/database.ts";
import { World } from "../../mod/sim/world.ts";
import { DatabaseStore as Store } from "../../mod/sim/database.ts";
import { ask, host, makeSite } from "./fixture.ts";

/** Entry `index`, and a file for each name that it writes. */
function batch(index: number, ...inos: readonly number[]): DatabaseBatch {
  const row = (ino: number) => ({
    ...{ ino, parent: 0, name: `f${ino}`, kind: "file" as const, mtime: 1, version: index },
    ...{ writer: 1, data: Uint8Array.of(index) },
  });
  return {
    entries: [{ index, term: 1, body: Uint8Array.of(index) }],
    applied: {
      ...{ index, term: 1, stateCrc: index, rows: inos.map(row), removed: [], history: [] },
      forget: 0,
    },
  };
}

function store(...batches: readonly DatabaseBatch[]): DatabaseStore {
  const made = new Store(new World(1, {}), "a");
  for (const each of batches) made.apply(each);
  return made;
}

function damaged(content: DatabaseContent | DatabaseDamage): string | null {
  return "damaged" in content ? `${content.kind}: ${content.damaged}` : null;
}

Deno.test("a commit that was dropped is found once something was written behind it", () => {
  const one = store(batch(1, 10));
  one.lie("dropped");
  assert.ok(!one.isWhole, "it is about to happen");
  one.apply(batch(2));
  assert.equal(damaged(one.content()), null, "the end of a log that never came is its end");
  assert.ok(one.isWhole);
  one.lie("dropped");
  one.apply(batch(3));
  one.apply(batch(4));
  assert.equal(damaged(one.content()), "damaged: log entry 3 is missing");
  const { rescued } = one.content() as DatabaseDamage;
  assert.ok(rescued.known, "the seal is another file");
});

Deno.test("an older row in its own place is found, and what is written anew is right", () => {
  const one = store(batch(1, 10), batch(2, 11));
  one.lie("dropped");
  one.apply({ ...batch(3, 10), entries: [] });
  assert.equal(damaged(one.content()), "damaged: tree row 10 is not what was written");
  const two = store(batch(1, 10), batch(2, 11));
  two.lie("dropped");
  two.apply(batch(3, 10));
  two.apply(batch(4, 10));
  assert.ok(!two.isWhole, "the log has a gap");
  two.apply({ compact: { base: { index: 3, term: 1, chain: 0 }, spec: null } });
  assert.ok(two.isWhole, "that is compacted away");
});

Deno.test("a row in another's place spoils both", () => {
  const one = store(batch(1, 10), batch(2, 11));
  one.lie("misdirected");
  one.apply(batch(3, 10));
  one.apply(batch(4, 10));
  assert.equal(damaged(one.content()), "damaged: tree row 11 is not what was written");
  const alone = store();
  alone.lie("misdirected");
  alone.apply(batch(1));
  assert.equal(damaged(alone.content()), null, "there is no other place yet");
  assert.ok(!alone.isWhole, "so it is still to come");
});

Deno.test("a sync that fails once is told once; a device with errors cannot be opened", () => {
  const site = makeSite(3);
  const a = host(site, 0);
  const failures: (string | null)[] = [];
  const done = (failure: string | null) => failures.push(failure);
  const database = a.boot().database.open(() => {
    a.store.failOnce();
    database.commit(batch(1, 10), done);
    database.commit(batch(2, 11), done);
  });
  site.world.runUntil(1000);
  assert.deepEqual(failures, ["disk I/O error", null], "it is not the disk that remembers");
  a.store.failCommits("disk I/O error", "damaged");
  assert.ok(!a.store.isWhole);
  a.crashDaemon();
  const opened = ask<DatabaseContent | DatabaseDamage>(
    site,
    (then) => a.boot().database.open(then),
  );
  assert.equal(damaged(opened), "damaged: disk I/O error");
});
