/** Which runtime goes into a file for which machine, and what a file for another one is made of. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { unpackingFile } from "../../scripts/build/unpacking.ts";
import {
  isVersion,
  ownTarget,
  runtimeFault,
  targetNamed,
  TARGETS,
} from "../../scripts/build/target.ts";
import { header } from "./elf.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const [X86, ARM] = [62, 183];

Deno.test("runtimeFault() takes a 64-bit executable of the target, and nothing else", () => {
  const target = targetNamed("aarch64-unknown-linux-gnu");
  for (
    const [head, wanted] of [
      [header({ elf: ARM }), null],
      [header({ elf: ARM, type: 2 }), null],
      [header({ elf: X86 }), "it is for x86_64, not for aarch64"],
      [header({ elf: 40 }), "it is for machine 40 of elf.h, not for aarch64"],
      [header({ elf: ARM, bits: 1 }), "it is no 64-bit program"],
      [header({ elf: ARM, order: 2 }), "it is no little-endian program"],
      [header({ elf: ARM, type: 1 }), "it is no executable"],
      [header({ elf: ARM }).subarray(0, 63), "it is no ELF file"],
      [new TextEncoder().encode(`#!/bin/sh\n${"#".repeat(100)}`), "it is no ELF file"],
      [new Uint8Array(0), "it is no ELF file"],
    ] as const
  ) assert.equal(runtimeFault(head, target), wanted);
  // Of a piece of a larger buffer it looks at that piece.
  const inside = new Uint8Array(200);
  inside.set(header({ elf: ARM }), 100);
  assert.equal(runtimeFault(inside.subarray(100), target), null);
  assert.equal(runtimeFault(Deno.readFileSync(Deno.execPath()).subarray(0, 64), ownTarget()), null);
});

Deno.test("isVersion() finds the version that a runtime says it is, and no other", () => {
  const said = (text: string) => new TextEncoder().encode(text);
  assert.ok(isVersion(said("DDeno/2.9.6\0"), "2.9.6"));
  assert.ok(isVersion(said("xDeno/2.9.60 Deno/2.9.6"), "2.9.6"));
  for (const text of ["Deno/2.9.60", "Deno/2.9.", "deno/2.9.6", "", "Deno/2.9.5"]) {
    assert.ok(!isVersion(said(text), "2.9.6"), text);
  }
});

Deno.test("targetNamed() names the machines there are", () => {
  assert.deepEqual(TARGETS.map(({ name }) => targetNamed(name).name), TARGETS.map((t) => t.name));
  assert.throws(
    () => targetNamed("riscv64gc-unknown-linux-gnu"),
    /"riscv64gc-unknown-linux-gnu" is no machine.* or aarch64-unknown-linux-gnu/,
  );
});

Deno.test("a file for another machine: script, runtime and program, byte for byte", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-target-" });
  try {
    const runtime = new Uint8Array(5000).fill(0xa5);
    runtime.set(header({ elf: ARM }));
    Deno.writeFileSync(`${folder}/runtime`, runtime);
    const encode = (text: string) => new TextEncoder().encode(text);
    const program = [
      { path: "main.js", data: encode("first"), mode: 0o644 },
      { path: "mod/worker.js", data: encode("second"), mode: 0o644 },
    ];
    const parts = { runtime: `${folder}/runtime`, machine: "aarch64", program, packages: [] };
    const file = unpackingFile(ROOT, parts);
    assert.deepEqual(unpackingFile(ROOT, parts), file);

    const [, text = ""] = /tail -c \+(\d+) "\$0"/.exec(new TextDecoder().decode(file)) ?? [];
    const script = new TextDecoder().decode(file.subarray(0, Number(text) - 1));
    const payload = file.subarray(Number(text) - 1);
    const digest = createHash("sha256").update(payload).digest("hex");
    assert.ok(script.startsWith("#!/bin/sh\n") && script.endsWith('/main.js" "$@"\n'));
    assert.ok(script.includes(`!= ${digest} ]`));
    assert.ok(script.includes(`dir="$base/${digest.slice(0, 16)}"`));
    assert.ok(script.includes('[ "$(uname -m)" != aarch64 ]'));
    assert.doesNotMatch(script, /@[A-Z]+@/);
    // The gzip header has neither a name nor a time (RFC 1952, 2.3).
    assert.deepEqual([...payload.subarray(0, 8)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);

    const archive = `${folder}/archive.tar`;
    Deno.writeFileSync(archive, gunzipSync(payload));
    const { success } = new Deno.Command("tar", { args: ["-xf", archive, "-C", folder] })
      .outputSync();
    assert.ok(success);
    assert.deepEqual(Deno.readFileSync(`${folder}/deno`), runtime);
    for (const { path, data } of program) {
      assert.deepEqual(Deno.readFileSync(`${folder}/${path}`), data);
    }
    assert.deepEqual(Deno.readFileSync(`${folder}/LICENSE`), Deno.readFileSync(`${ROOT}/LICENSE`));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
