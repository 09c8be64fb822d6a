/** The archive as tar(1) reads it, what is taken out of it, and what is left without a daemon. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { REMOVED, scrub } from "../../mod/cli/bundle/scrub.ts";
import { tar } from "../../mod/cli/bundle/tar.ts";
import { cli, withDaemon } from "./world.ts";

async function unpack(archive: Uint8Array, flags: string): Promise<Map<string, Uint8Array>> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-bundle-" });
  try {
    Deno.mkdirSync(`${folder}/out`);
    Deno.writeFileSync(`${folder}/archive`, archive);
    const { success, stderr } = await new Deno.Command("tar", {
      args: [flags, `${folder}/archive`, "-C", `${folder}/out`],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const found = new Map<string, Uint8Array>();
    const walk = (below: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(`${folder}/out/${below}`)) {
        const path = below === "" ? name : `${below}/${name}`;
        if (isDirectory) walk(path);
        else found.set(path, Deno.readFileSync(`${folder}/out/${path}`));
      }
    };
    walk("");
    return found;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("tar() makes what tar(1) reads back, byte for byte", async () => {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => at & 0xff);
  const files = [0, 1, 511, 512, 513, 70_000].map((length, at) => ({
    path: at % 2 === 0 ? `plain-${length}` : `a/b/${"n".repeat(80)}-${length}`,
    data: bytes(length),
  }));
  // Longer than a name may be, to the last byte that a header has room for.
  for (const [folder, name] of [[1, 99], [90, 100], [155, 100]] as const) {
    files.push({ path: `${"d".repeat(folder)}/${"f".repeat(name)}`, data: bytes(3) });
  }
  const found = await unpack(tar(files, 1_700_000_000), "-xf");
  assert.deepEqual([...found.keys()].sort(), files.map(({ path }) => path).sort());
  for (const { path, data } of files) assert.deepEqual(found.get(path), data, path);
});

Deno.test("scrub() leaves no known secret, however it is quoted, and nothing that looks like one", () => {
  const key =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\nx==\n-----END OPENSSH PRIVATE KEY-----";
  for (
    const [text, wanted] of [
      ["token s3cret-token-1 end", `token ${REMOVED} end`],
      ["Authorization: Bearer abc.def", `Authorization: Bearer ${REMOVED}`],
      ["env PENTAD_TOKEN=abc x", `env PENTAD_TOKEN=${REMOVED} x`],
      ["got pentad-ticket-AbC_-9, said", `got ${REMOVED}, said`],
      [`a ${key} b`, `a ${REMOVED} b`],
      // A log that was cut off within it.
      [key.slice(0, -20), REMOVED],
      ["nothing of that kind", "nothing of that kind"],
    ] as const
  ) assert.equal(scrub(text, ["s3cret-token-1"]), wanted);
  const secret = fc.string({ minLength: 8, maxLength: 40 });
  fc.assert(fc.property(secret, fc.string(), fc.string(), (each, before, after) => {
    fc.pre(!REMOVED.includes(each));
    const clean = scrub(`${before}${each}${after} ${JSON.stringify({ each })}`, [each]);
    assert.ok(!clean.split(REMOVED).some((part) => part.includes(each)));
  }));
});

Deno.test("bundle says what it could not get, is private, and is written over nothing", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-bundle-" });
  try {
    const file = `${folder}/b.tar.gz`;
    const run = () =>
      cli(["bundle", "-w", file, "--json", "--socket", `${folder}/no.sock`], {
        files: { "/etc/pentad/settings.json": '{ "api": { "token": "broken-but-secret-token" ' },
      });
    const made = await run();
    assert.equal(made.code, 3, made.err);
    const { parts } = JSON.parse(made.out) as { parts: { name: string; why: string | null }[] };
    const lost = parts.filter(({ why }) => why !== null).map(({ name }) => name);
    assert.ok(lost.includes("status.json") && lost.includes("settings.json"), made.out);
    assert.equal((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
    const found = await unpack(Deno.readFileSync(file), "-xzf");
    const text = [...found.values()].map((data) => new TextDecoder().decode(data)).join("\n");
    assert.ok(!text.includes("broken-but-secret"), "settings that cannot be read are left out");
    assert.match(text, /"why": "\\"\/etc\/pentad\/settings.json\\" line 1/);
    const again = await run();
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bundle to standard output is the archive and nothing else", async () => {
  await withDaemon(async ({ pentad }) => {
    const { code, err } = await pentad(["bundle", "-w", "-", "--settings", "/nonexistent"]);
    assert.equal(code, 3, err);
    assert.match(err, /without settings.json/);
    assert.doesNotMatch(err, /without status.json/);
  });
});
