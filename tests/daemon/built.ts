/** The one file, built of this tree, and of the same tree under another version. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { buildFile } from "../../scripts/build/build_file.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** As everybody gets it here, whether or not it could be linked. */
export async function build(file: string, root = ROOT): Promise<string> {
  return await buildFile(file, { root, flags: ["--unpacking"] });
}

/** The same program as another version; `folder`: where it is made. */
export async function nextVersion(folder: string, version: string): Promise<string> {
  const copy = `${folder}/copy`;
  Deno.mkdirSync(copy);
  for (const part of ["main.ts", "mod", "scripts", "deno.json", "deno.lock", "LICENSE"]) {
    const args = ["-R", `${ROOT}/${part}`, `${copy}/`];
    assert.ok((await new Deno.Command("cp", { args }).output()).success);
  }
  Deno.writeTextFileSync(`${copy}/deno.json`, JSON.stringify({ ...manifest, version }));
  return await build(`${folder}/next/pentad`, copy);
}
