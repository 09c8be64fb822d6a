import assert from "node:assert/strict";
import { requestId } from "../../mod/base/id.ts";
import { DEPTH_MAX, NAME_BYTES_MAX, pathFault } from "../../mod/config/path.ts";
import { INODES_MAX, Tree, TREE_BYTES_MAX } from "../../mod/config/tree.ts";
import { FILE_BYTES_MAX, OPERATIONS_MAX, PATH_BYTES_MAX } from "../../mod/config/wire.ts";
import type { Expectation, Operation } from "../../mod/streams.ts";

const TEXT = new TextEncoder();

class Bench {
  readonly tree = new Tree([]);
  index = 0;

  /** The problem's code, or null. */
  apply(operations: readonly Operation[], expect: readonly Expectation[] = []): string | null {
    const index = ++this.index;
    const result = this.tree.apply({
      request: requestId("0".repeat(16)),
      ...{ base: 0, expect, operations, author: "t", reason: "", time: 100 + index },
    }, { index, writer: 1 });
    return "code" in result ? result.code : null;
  }

  text(path: string): string | null {
    const row = this.tree.find(path);
    return row === null ? null : new TextDecoder().decode(row.data);
  }
}

function write(path: string, text: string, offset = 0): Operation {
  return { op: "write", path, offset, data: TEXT.encode(text) };
}

Deno.test("Tree.apply() does each operation as its name says", () => {
  const bench = new Bench();
  assert.equal(bench.apply([{ op: "mkdir", path: "d" }, { op: "create", path: "d/f" }]), null);
  assert.equal(bench.apply([write("d/f", "hello")]), null);
  assert.equal(bench.apply([write("d/f", "J", 0), write("d/f", "!", 7)]), null);
  assert.equal(bench.text("d/f"), "Jello\0\0!", "a gap reads as zeros");
  assert.equal(bench.apply([{ op: "truncate", path: "d/f", size: 3 }]), null);
  assert.equal(bench.text("d/f"), "Jel");
  assert.equal(bench.apply([{ op: "truncate", path: "d/f", size: 5 }]), null);
  assert.equal(bench.text("d/f"), "Jel\0\0");
  assert.equal(bench.apply([{ op: "utime", path: "d/f", mtime: 7 }]), null);
  const row = bench.tree.find("d/f");
  assert.deepEqual([row?.mtime, row?.version, row?.writer], [7, bench.index, 1]);
  assert.equal(bench.apply([{ op: "rename", path: "d/f", to: "g" }]), null);
  assert.equal(bench.text("d/f"), null);
  assert.equal(bench.tree.find("g")?.ino, row?.ino, "a renamed file stays the same file");
  assert.equal(bench.apply([{ op: "rmdir", path: "d" }, { op: "remove", path: "g" }]), null);
  assert.deepEqual([bench.tree.size, bench.tree.bytes], [0, 0]);
});

Deno.test("Tree.apply() tells the causes of a refusal apart", () => {
  const table: [Operation, string][] = [
    [{ op: "create", path: "f" }, "config.exists"],
    [{ op: "create", path: "d" }, "config.exists"],
    [{ op: "mkdir", path: "f" }, "config.exists"],
    [{ op: "create", path: "none/x" }, "config.not-found"],
    [{ op: "create", path: "f/x" }, "config.not-a-directory"],
    [write("none", "x"), "config.not-found"],
    [write("d", "x"), "config.is-a-directory"],
    [{ op: "truncate", path: "d", size: 0 }, "config.is-a-directory"],
    [{ op: "utime", path: "none", mtime: 1 }, "config.not-found"],
    [{ op: "remove", path: "none" }, "config.not-found"],
    [{ op: "remove", path: "d" }, "config.is-a-directory"],
    [{ op: "rmdir", path: "f" }, "config.not-a-directory"],
    [{ op: "rmdir", path: "d" }, "config.not-empty"],
    [{ op: "rename", path: "none", to: "x" }, "config.not-found"],
    [{ op: "rename", path: "d", to: "x" }, "config.not-empty"],
    [{ op: "rename", path: "f", to: "empty" }, "config.exists"],
    [{ op: "rename", path: "empty", to: "f" }, "config.exists"],
    [{ op: "rename", path: "f", to: "none/x" }, "config.not-found"],
    [{ op: "rename", path: "empty", to: "empty/in" }, "config.bad-path"],
    [{ op: "create", path: "a/../b" }, "config.bad-path"],
    [{ op: "rename", path: "f", to: "../f" }, "config.bad-path"],
    [write("f", "x", FILE_BYTES_MAX), "config.too-large"],
    [{ op: "truncate", path: "f", size: FILE_BYTES_MAX + 1 }, "config.too-large"],
  ];
  const bench = new Bench();
  assert.equal(
    bench.apply([
      { op: "create", path: "f" },
      { op: "mkdir", path: "d" },
      { op: "create", path: "d/in" },
      { op: "mkdir", path: "empty" },
    ]),
    null,
  );
  for (const [operation, code] of table) {
    assert.equal(bench.apply([operation]), code, JSON.stringify(operation));
  }
  assert.equal(bench.tree.size, 4);
});

Deno.test("Tree.apply() lets a file be replaced by a rename, and a directory not hang on itself", () => {
  const bench = new Bench();
  bench.apply([{ op: "create", path: "a" }, { op: "create", path: "b" }, write("a", "new")]);
  assert.equal(bench.apply([{ op: "rename", path: "a", to: "b" }]), null);
  assert.equal(bench.text("b"), "new");
  assert.equal(bench.tree.size, 1);
  assert.equal(bench.apply([{ op: "rename", path: "b", to: "b" }]), null, "to itself: nothing");
  bench.apply([{ op: "mkdir", path: "d" }]);
  assert.equal(bench.apply([{ op: "rename", path: "d", to: "d/d" }]), "config.bad-path");
  assert.notEqual(bench.tree.find("d"), null);
  assert.equal(bench.apply([{ op: "rename", path: "d", to: "dd" }]), null, "no prefix by name");
});

Deno.test("Tree.apply() applies only what expects the versions that are there", () => {
  const bench = new Bench();
  assert.equal(bench.apply([{ op: "create", path: "f" }], [{ path: "f", version: 0 }]), null);
  const version = bench.index;
  const stale = "config.version-mismatch";
  assert.equal(bench.apply([write("f", "x")], [{ path: "f", version: 0 }]), stale);
  assert.equal(bench.apply([write("f", "x")], [{ path: "f", version: version + 1 }]), stale);
  assert.equal(bench.apply([write("f", "a")], [{ path: "f", version }]), null);
  assert.equal(
    bench.apply([write("f", "b")], [{ path: "f", version }]),
    stale,
    "the second of two",
  );
  assert.equal(bench.text("f"), "a");
  const both = [{ path: "f", version: bench.tree.find("f")?.version ?? 0 }, {
    path: "g",
    version: 9,
  }];
  assert.equal(bench.apply([write("f", "c")], both), stale, "every expectation must hold");
});

Deno.test("Tree.apply() bounds the bytes of all files and counts what a transaction frees", () => {
  const bench = new Bench();
  const data = new Uint8Array(FILE_BYTES_MAX);
  const files = TREE_BYTES_MAX / FILE_BYTES_MAX;
  for (let at = 0; at < files; at++) {
    const path = `f${at}`;
    assert.equal(
      bench.apply([{ op: "create", path }, { op: "write", path, offset: 0, data }]),
      null,
    );
  }
  const more: Operation[] = [{ op: "create", path: "more" }, write("more", "x")];
  assert.equal(bench.apply(more), "config.full");
  assert.equal(bench.tree.bytes, TREE_BYTES_MAX);
  assert.equal(bench.tree.find("more"), null);
  assert.equal(bench.apply([...more, { op: "remove", path: "f0" }]), null, "in the end it fits");
});

Deno.test("Tree.apply() bounds the number of files and directories", () => {
  const bench = new Bench();
  for (let at = 0; at < INODES_MAX / OPERATIONS_MAX; at++) {
    const operations = Array.from({ length: OPERATIONS_MAX }, (_, each): Operation => {
      return { op: "create", path: `${at}-${each}` };
    });
    assert.equal(bench.apply(operations), null);
  }
  assert.equal(bench.apply([{ op: "mkdir", path: "more" }]), "config.full");
  assert.equal(bench.tree.size, INODES_MAX);
});

Deno.test("pathFault() refuses escapes, odd names and whatever is too long or deep", () => {
  const good = ["a", "a/b", "ha/resources.cfg", "ü", "a b", "...", ".hidden", "a".repeat(255)];
  for (const path of good) assert.equal(pathFault(path), null, path);
  const bad = [
    ...["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "./a", "a/./b"],
    ...["a\0b", "a\nb", "a\x7f", "a".repeat(NAME_BYTES_MAX + 1), "ü".repeat(128)],
    ...[Array.from({ length: DEPTH_MAX + 1 }, () => "a").join("/")],
    Array.from({ length: 20 }, () => "a".repeat(250)).join("/"),
  ];
  for (const path of bad) assert.notEqual(pathFault(path), null, JSON.stringify(path));
  assert.ok((bad.at(-1)?.length ?? 0) > PATH_BYTES_MAX);
});
