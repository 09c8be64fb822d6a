/**
 * The program as few files without types, and with few comments: less to read at each start, and
 * less text that a running daemon keeps in its memory. The same sources make the same files,
 * wherever they lie: no path of the machine is left in them.
 *
 * @module
 */
import type { TarFile } from "../../mod/cli/bundle/tar.ts";
import { listSources } from "../imports.ts";
import { WORKERS } from "../workers.ts";

/** Where it begins. */
export const BUNDLE_MAIN = "main.js";
const PLAIN = 0o644;

/**
 * Throws an Error that says why it cannot be made. The bundler notes where each module was, and names
 * files by what is in them: it is given a copy, with the packages beside it and not wherever the
 * machine keeps them.
 */
export async function bundle(root: string): Promise<readonly TarFile[]> {
  const folder = await Deno.makeTempDir({ prefix: "pentad-bundle-" });
  try {
    const program = `${folder}/program`;
    const parts = ["main.ts", "deno.json", "deno.lock"].map((name) => `${root}/${name}`);
    for (const path of [...parts, ...listSources(`${root}/mod`)]) {
      const copy = `${program}${path.slice(root.length)}`;
      await Deno.mkdir(copy.slice(0, copy.lastIndexOf("/")), { recursive: true });
      await Deno.copyFile(path, copy);
    }
    // Not --minify: it drops a `using` whose name is used once, and what it would close stays open.
    const options = ["--platform", "deno", "--code-splitting", "--frozen"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", ...options, "--node-modules-dir=auto"],
        ...["--outdir", `${folder}/bundle`, "main.ts", ...WORKERS],
      ],
      cwd: program,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`deno bundle: ${new TextDecoder().decode(stderr).trim()}`);
    return withWorkers(
      filesBelow(`${folder}/bundle`).map((path) => ({
        path,
        data: Deno.readFileSync(`${folder}/bundle/${path}`),
        mode: PLAIN,
      })),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * A Worker is named by its place beside the module that starts it. In the bundle that module is in
 * some file of the uppermost folder, and the Worker where its source was, as JavaScript.
 */
function withWorkers(files: readonly TarFile[]): readonly TarFile[] {
  const places = new Map(WORKERS.map((worker) => {
    const name = worker.slice(worker.lastIndexOf("/") + 1);
    return [`"./${name}"`, `./${worker.replace(/\.ts$/, ".js")}`];
  }));
  const found: string[] = [];
  const all = files.map((file) => {
    let text = new TextDecoder().decode(file.data);
    for (const [named, place] of places) {
      const parts = text.split(named);
      if (parts.length === 1) continue;
      if (parts.length > 2 || file.path.includes("/")) throw new Error(`${named} in ${file.path}`);
      found.push(place);
      text = parts.join(JSON.stringify(place));
    }
    return { ...file, data: new TextEncoder().encode(text) };
  });
  for (const place of places.values()) {
    const times = found.filter((each) => each === place).length;
    const isThere = all.some(({ path }) => `./${path}` === place);
    if (times !== 1 || !isThere) throw new Error(`The bundle starts "${place}" ${times} times`);
  }
  return all;
}

/** Paths of all files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`).map((path) => `${name}/${path}`) : [name]
  ).sort();
}
