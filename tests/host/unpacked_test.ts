/** What is left of versions that the one file unpacked: beside this one the last, and what runs. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { clearAllUnpacked, clearUnpacked } from "../../mod/host/linux/unpacked.ts";

const OWN = "0123456789abcdef";
const DAY_SECONDS = 86_400;

interface Cache {
  readonly base: string;
  /** A version that was begun so many days ago last; its runtime is `program`. */
  version(name: string, days: number, program?: string): void;
  list(): string[];
}

async function withCache(body: (cache: Cache) => void | Promise<void>): Promise<void> {
  const base = Deno.makeTempDirSync({ prefix: "pentad-unpacked-" });
  Deno.writeTextFileSync(`${base}/lock`, "");
  try {
    await body({
      base,
      version: (name, days, program = "/bin/true") => {
        Deno.mkdirSync(`${base}/${name}/mod`, { recursive: true });
        Deno.copyFileSync(program, `${base}/${name}/deno`);
        for (const mark of ["whole", "used"]) {
          Deno.writeTextFileSync(`${base}/${name}/${mark}`, "");
          const at = 2_000_000_000 - days * DAY_SECONDS;
          Deno.utimeSync(`${base}/${name}/${mark}`, at, at);
        }
      },
      list: () => [...Deno.readDirSync(base)].map(({ name }) => name).sort(),
    });
  } finally {
    Deno.removeSync(base, { recursive: true });
  }
}

function nameOf(letter: string): string {
  return letter.repeat(16);
}

/** The process id of one that has ended. */
async function deadPid(): Promise<number> {
  const child = new Deno.Command("/bin/true").spawn();
  await child.status;
  return child.pid;
}

Deno.test("clearUnpacked() leaves this version, the one before it, and each that runs", async () => {
  await withCache(async ({ base, version, list }) => {
    version(OWN, 9);
    version(nameOf("a"), 3);
    version(nameOf("b"), 1);
    version(nameOf("c"), 5, "/bin/sleep");
    version(nameOf("d"), 2);
    const running = new Deno.Command(`${base}/${nameOf("c")}/deno`, { args: ["1000"] }).spawn();
    try {
      clearUnpacked(base, OWN);
      assert.deepEqual(list(), [OWN, nameOf("b"), nameOf("c"), "lock"]);
      assert.ok(Deno.statSync(`${base}/${nameOf("c")}/mod`).isDirectory, "nothing of it is gone");
    } finally {
      running.kill("SIGKILL");
      await running.status;
    }
    clearUnpacked(base, OWN);
    assert.deepEqual(list(), [OWN, nameOf("b"), "lock"]);
    // Two are few enough whenever they were begun.
    clearUnpacked(base, nameOf("b"));
    assert.deepEqual(list(), [OWN, nameOf("b"), "lock"]);
  });
});

Deno.test("clearUnpacked() follows no link, and touches nothing that is not ours by name", async () => {
  await withCache(async ({ base, version, list }) => {
    const elsewhere = Deno.makeTempDirSync({ prefix: "pentad-elsewhere-" });
    try {
      Deno.writeTextFileSync(`${elsewhere}/kept`, "");
      version(OWN, 0);
      version(nameOf("a"), 1);
      version(nameOf("b"), 2);
      Deno.symlinkSync(elsewhere, `${base}/${nameOf("b")}/link`);
      Deno.symlinkSync(elsewhere, `${base}/${nameOf("c")}`);
      const [dead, alive] = [await deadPid(), Deno.ppid];
      Deno.symlinkSync(elsewhere, `${base}/unpacking.${dead}.gone.${nameOf("d")}`);
      Deno.mkdirSync(`${base}/unpacking.${dead}/sub`, { recursive: true });
      Deno.writeTextFileSync(`${base}/unpacking.${dead}.tar.gz`, "half");
      Deno.mkdirSync(`${base}/unpacking.${alive}`);
      const strange = ["notes", "ABCDEFABCDEFABCD", `${nameOf("e")}f`, "unpacking.1x"];
      for (const name of strange) Deno.mkdirSync(`${base}/${name}`);
      Deno.writeTextFileSync(`${base}/${nameOf("f")}`, "a file");
      clearUnpacked(base, OWN);
      const kept = [OWN, nameOf("a"), nameOf("c"), nameOf("f"), "lock", ...strange];
      const links = [`unpacking.${dead}.gone.${nameOf("d")}`, `unpacking.${alive}`];
      assert.deepEqual(list(), [...kept, ...links].sort());
      assert.deepEqual([...Deno.readDirSync(elsewhere)].map(({ name }) => name), ["kept"]);
    } finally {
      Deno.removeSync(elsewhere, { recursive: true });
    }
  });
});

Deno.test("clearUnpacked() takes nothing away while a start is between its look and its runtime", async () => {
  await withCache(({ base, version, list }) => {
    for (const [at, letter] of [..."abc"].entries()) version(nameOf(letter), at);
    version(OWN, 3);
    const before = list();
    for (const exclusive of [false, true]) {
      using start = Deno.openSync(`${base}/lock`, { read: true, write: true });
      assert.ok(start.tryLockSync(exclusive));
      clearUnpacked(base, OWN);
      assert.deepEqual(list(), before);
    }
    clearUnpacked(base, OWN);
    assert.deepEqual(list(), [OWN, nameOf("a"), "lock"].sort());
  });
});

Deno.test("clearUnpacked() never leaves more than two that do not run, nor less than it must", async () => {
  const days = fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 0, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(days, fc.integer({ min: 0, max: 99 }), async (others, own) => {
      await withCache(({ base, version, list }) => {
        version(OWN, own);
        const names = others.map((_, at) => nameOf(at.toString(16)));
        for (const [at, name] of names.entries()) version(name, others[at] ?? 0);
        clearUnpacked(base, OWN);
        const last = names[others.indexOf(Math.min(...others))];
        assert.deepEqual(list(), [OWN, "lock", ...(last === undefined ? [] : [last])].sort());
      });
    }),
    { numRuns: 30 },
  );
});

Deno.test("clearAllUnpacked() leaves what others run, what a start wants, and what is not ours", async () => {
  await withCache(async ({ base, version, list }) => {
    version(nameOf("a"), 1);
    version(nameOf("b"), 2, "/bin/sleep");
    const running = new Deno.Command(`${base}/${nameOf("b")}/deno`, { args: ["1000"] }).spawn();
    try {
      const start = Deno.openSync(`${base}/lock`, { read: true, write: true });
      assert.ok(start.tryLockSync(false));
      assert.ok(!clearAllUnpacked(base));
      assert.equal(list().length, 3);
      start.close();
      assert.ok(!clearAllUnpacked(base));
      assert.deepEqual(list(), [nameOf("b"), "lock"]);
    } finally {
      running.kill("SIGKILL");
      await running.status;
    }
    Deno.writeTextFileSync(`${base}/notes`, "");
    assert.ok(!clearAllUnpacked(base));
    assert.deepEqual(list(), ["notes"]);
    Deno.removeSync(`${base}/notes`);
    Deno.writeTextFileSync(`${base}/lock`, "");
    assert.ok(clearAllUnpacked(base));
    assert.ok(clearAllUnpacked(base), "nothing was there");
    Deno.mkdirSync(base);
  });
});
