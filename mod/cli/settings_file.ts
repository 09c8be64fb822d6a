/** The settings file of a host, for commands that work beside its daemon. @module */
import { Option } from "@commander-js/extra-typings";
import { decodeText } from "../base/bytes.ts";
import { ProblemError } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";
import { type Io, unreadable } from "./io.ts";

/** Longer files are no settings (`SETTINGS_BYTES_MAX`); a device would never end. */
const FILE_BYTES_MAX = 1024 * 1024;

/** `--settings` of a command. */
export function settingsOption() {
  return new Option("--settings <file>", "the settings file").default("/etc/pentad/settings.json");
}

/** Reads and checks the file. Throws a ProblemError that says what is wrong with it, and where. */
export async function readSettingsFile(io: Io, path: string): Promise<Settings> {
  // Loads the schema library: only who needs the settings pays for it.
  const { parseSettings } = await import("../base/settings.ts");
  return parseSettings(await read(io, path), path);
}

async function read(io: Io, path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new ProblemError("settings.unreadable", `"${path}" ${why}`, { cause });
  let bytes: Uint8Array | null;
  try {
    bytes = await io.readFile(path, FILE_BYTES_MAX);
  } catch (error) {
    throw refuse(unreadable(error), error);
  }
  if (bytes === null) throw refuse(`is longer than ${FILE_BYTES_MAX} bytes`);
  const text = decodeText(bytes);
  if (text === null) throw refuse("is not UTF-8");
  return text;
}
