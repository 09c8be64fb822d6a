/** Which npm packages the program's modules reach, and where they lie unpacked. @module */

/** A package that goes into the file. */
export interface NpmPackage {
  /** Its key in deno.lock. */
  readonly key: string;
  readonly name: string;
  /** Where deno keeps it; it checked the tarball against the lock when it fetched it. */
  readonly folder: string;
  readonly license: string;
}

/** Of `deno info --json`, what is read here. */
interface Info {
  readonly modules: readonly { readonly kind: string; readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<
      string,
      {
        readonly name: string;
        readonly dependencies: readonly string[];
        readonly localPath: string;
      }
    >
  >;
}

/** Packages that these modules and each other import; tests' are not among them. Sorted by key. */
export async function npmPackages(
  root: string,
  modules: readonly string[],
): Promise<readonly NpmPackage[]> {
  const found = new Map<string, NpmPackage>();
  for (const module of modules) {
    const { modules: reached, npmPackages } = await info(root, module);
    const left = reached.flatMap(({ npmPackage }) => npmPackage === undefined ? [] : [npmPackage]);
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const known = npmPackages[key];
      if (known === undefined) throw new Error(`deno does not say where "${key}" lies`);
      if (found.has(key)) continue;
      const { license = "" } = JSON.parse(
        Deno.readTextFileSync(`${known.localPath}/package.json`),
      ) as { license?: string };
      found.set(key, { key, name: known.name, folder: known.localPath, license });
      left.push(...known.dependencies);
    }
  }
  const all = [...found.values()].sort((a, b) => a.key < b.key ? -1 : 1);
  const twice = all.find(({ name }, at) => all.findIndex((each) => each.name === name) !== at);
  // They lie beside each other in one folder, by name.
  if (twice !== undefined) throw new Error(`"${twice.name}" is there in two versions`);
  return all;
}

async function info(root: string, module: string): Promise<Info> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--frozen", module],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr).trim());
  return JSON.parse(decoder.decode(stdout)) as Info;
}
