/** The one file: which this is, and what another one says of itself. @module */
import { type Formats, readFormats } from "../../base/formats.ts";
import { ProblemError } from "../../base/problem.ts";

/** What `FILE version --json` says. */
export interface ProgramVersion {
  readonly version: string;
  readonly formats: Formats;
}

/** A version that may be the name of a folder: semver.org's characters. */
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/;

/** Asks a file which pentad it is. Throws a ProblemError where it is none. */
export async function versionOf(file: string): Promise<ProgramVersion> {
  const fail = (why: string) => new ProblemError("install.no-file", `"${file}" ${why}`);
  let answer: Deno.CommandOutput;
  try {
    answer = await new Deno.Command(file, { args: ["version", "--json"], stdin: "null" }).output();
  } catch (error) {
    throw fail(`cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!answer.success) throw fail(`ended with ${answer.code} when it was asked for its version`);
  try {
    const said = JSON.parse(new TextDecoder().decode(answer.stdout)) as Record<string, unknown>;
    const formats = readFormats(said.formats);
    if (
      said.schema === "pentad.version/1" && typeof said.version === "string" &&
      VERSION.test(said.version) && formats !== null
    ) return { version: said.version, formats };
  } catch {
    // Said below.
  }
  throw fail("does not say a version of pentad");
}
