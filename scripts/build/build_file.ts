/** Builds the one file for whoever drives it. @module */

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Makes `file` of the tree at `root`; returns its path. Throws an Error with what the build said. */
export async function buildFile(
  file: string,
  { root = ROOT, flags = [] }: { readonly root?: string; readonly flags?: readonly string[] } = {},
): Promise<string> {
  const script = ["run", "-A", "--no-check", `${root}/scripts/build.ts`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...script, ...flags, "--output", file],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return file;
}
