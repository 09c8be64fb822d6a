/** A bill of materials: what a built file is made of, in CycloneDX 1.6's JSON. Pure. @module */

/** Of deno.lock (version 5), what is read here. */
export interface Lock {
  readonly npm: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  /** Subresource integrity of the tarball, as npm writes it. */
  readonly integrity: string;
  /** Names, with a version only where the lock holds several. */
  readonly dependencies?: readonly string[];
}

/** What a bill is made for. */
export interface Built {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly denoVersion: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly digest: string;
  readonly lock: Lock;
  /** Keys of the lock whose packages are in the file, with the licence that each names. */
  readonly packages: ReadonlyMap<string, string>;
}

interface Component {
  readonly "bom-ref": string;
  readonly [field: string]: unknown;
}

/** No serial number and no time: the same file has the same bill. */
export function billOfMaterials(built: Built): string {
  const { name, version, lock, packages } = built;
  const self: Component = {
    type: "application",
    "bom-ref": `pkg:generic/${name}@${version}`,
    name,
    version,
    licenses: [licence(built.license)],
    purl: `pkg:generic/${name}@${version}`,
    hashes: [{ alg: "SHA-256", content: built.digest }],
  };
  const runtime: Component = {
    type: "platform",
    "bom-ref": `pkg:github/denoland/deno@v${built.denoVersion}`,
    name: "deno",
    version: built.denoVersion,
    licenses: [licence("MIT")],
    purl: `pkg:github/denoland/deno@v${built.denoVersion}`,
  };
  const keys = [...packages.keys()].sort();
  const libraries = keys.map((key) => libraryOf(key, lock, packages.get(key) ?? ""));
  const needed = keys.map((key) => ({
    ref: purlOf(key),
    dependsOn: dependenciesOf(key, lock).filter((each) => packages.has(each)).map(purlOf).sort(),
  }));
  const direct = [runtime, ...libraries].map((each) => each["bom-ref"]);
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: self },
    components: [runtime, ...libraries],
    dependencies: [
      { ref: self["bom-ref"], dependsOn: direct },
      { ref: runtime["bom-ref"], dependsOn: [] },
      ...needed,
    ],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** Name and version of a key of the lock; what follows an underscore is which peers it was given. */
export function packageOf(key: string): { readonly name: string; readonly version: string } {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
  if (name === undefined || version === undefined) throw new Error(`"${key}" is no package`);
  return { name, version };
}

function libraryOf(key: string, lock: Lock, license: string): Component {
  const entry = entryOf(key, lock);
  const [algorithm, base64] = entry.integrity.split("-", 2);
  if (algorithm !== "sha512" || base64 === undefined) {
    throw new Error(`The lock has no SHA-512 of "${key}"`);
  }
  return {
    type: "library",
    "bom-ref": purlOf(key),
    ...packageOf(key),
    licenses: [licence(license)],
    purl: purlOf(key),
    // The tarball's, as the registry hands it out.
    hashes: [{ alg: "SHA-512", content: hexOf(base64) }],
  };
}

function dependenciesOf(key: string, lock: Lock): string[] {
  return (entryOf(key, lock).dependencies ?? []).map((wanted) => {
    const found = Object.keys(lock.npm).find((each) => {
      const { name, version } = packageOf(each);
      return wanted === name || wanted === each || wanted === `${name}@${version}`;
    });
    if (found === undefined) throw new Error(`The lock has no "${wanted}", which "${key}" needs`);
    return found;
  });
}

function entryOf(key: string, lock: Lock): LockedPackage {
  const entry = lock.npm[key];
  if (entry === undefined) throw new Error(`The lock has no "${key}"`);
  return entry;
}

/** The package-url specification, type npm: the @ of a scope is escaped. */
function purlOf(key: string): string {
  const { name, version } = packageOf(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** An identifier of SPDX's list; what is none is a name. */
function licence(id: string) {
  return { license: /^[A-Za-z0-9.+-]+$/.test(id) ? { id } : { name: id || "unknown" } };
}

function hexOf(base64: string): string {
  return [...atob(base64)].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
