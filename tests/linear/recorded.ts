/** Histories that the simulator's clients recorded, checked object by object. @module */
import { NAMES_KEY, type Recorded } from "../../mod/sim/registers.ts";
import { checkHistory, type Operation } from "./checker.ts";
import { DIRECTORY, type DirectoryInput, type DirectoryOutput } from "./files.ts";
import { checkFiles, type FileOperation } from "./files.ts";

/** One sentence for each object whose history no order explains. */
export function checkRecorded(history: readonly Recorded[]): string[] {
  const files = history.filter(({ key }) => key !== NAMES_KEY)
    .map(({ key, ...rest }) => ({ ...rest, path: key }) as FileOperation);
  const names = history.filter(({ key }) => key === NAMES_KEY).map(asDirectory);
  const { linearizable } = checkHistory(names, DIRECTORY);
  const faults = checkFiles(files);
  if (linearizable) return faults;
  return [...faults, `names: no order explains ${names.length} operations`];
}

function asDirectory(
  { input, ...rest }: Recorded,
): Operation<DirectoryInput, DirectoryOutput> {
  const op = input.op === "unmake" ? "remove" : input.op;
  return { ...rest, input: { ...input, op } } as Operation<DirectoryInput, DirectoryOutput>;
}
