/**
 * Files of the replicated tree as objects with a sequential specification: each file a register
 * (absent, or a value that no other write has), each directory the set of names that are there.
 *
 * @module
 */
import { checkHistory, type Model, type Operation } from "./checker.ts";

/** What a client asked of one file. Values are never written twice, so a value names its write. */
export type FileInput =
  | { readonly op: "read" }
  /** Whatever it holds. */
  | { readonly op: "write"; readonly value: string }
  /** Only if it still holds `expect`; null: only if it is absent. */
  | { readonly op: "swap"; readonly expect: string | null; readonly value: string }
  /** Only if it still holds `expect`. */
  | { readonly op: "remove"; readonly expect: string };

/** `value` answers a read; `done` says whether the condition held. */
export type FileOutput = { readonly value: string | null } | { readonly done: boolean };

/** A file. */
export const FILE: Model<string | null, FileInput, FileOutput> = {
  initial: null,
  key: (state) => state ?? "absent",
  step(state, input, output) {
    if (input.op === "read") {
      if (output === null) return state;
      return "value" in output && output.value === state ? state : undefined;
    }
    const holds = input.op === "write" || input.expect === state;
    if (output !== null && (!("done" in output) || output.done !== holds)) return undefined;
    if (!holds) return state;
    return input.op === "remove" ? null : input.value;
  },
};

/** What a client asked of one directory: to list it, or to make or remove a name in it. */
export type DirectoryInput =
  | { readonly op: "list" }
  | { readonly op: "make" | "remove"; readonly name: string };

/** The names, sorted; or whether it was done. */
export type DirectoryOutput = { readonly names: readonly string[] } | { readonly done: boolean };

/** A directory; the state is its names, sorted, each followed by a slash. */
export const DIRECTORY: Model<string, DirectoryInput, DirectoryOutput> = {
  initial: "",
  key: (state) => state,
  step(state, input, output) {
    const names = new Set(state.split("/").filter((name) => name !== ""));
    if (input.op === "list") {
      if (output === null) return state;
      return "names" in output && print(output.names) === state ? state : undefined;
    }
    const holds = names.has(input.name) === (input.op === "remove");
    if (output !== null && (!("done" in output) || output.done !== holds)) return undefined;
    if (!holds) return state;
    if (input.op === "make") names.add(input.name);
    else names.delete(input.name);
    return print([...names]);
  },
};

function print(names: readonly string[]): string {
  return [...names].sort().map((name) => `${name}/`).join("");
}

/** One operation on one of many files. */
export interface FileOperation extends Operation<FileInput, FileOutput> {
  readonly path: string;
}

/** Checks each file's history; returns one sentence per file that cannot be explained. */
export function checkFiles(history: readonly FileOperation[]): string[] {
  const paths = [...new Set(history.map(({ path }) => path))];
  return paths.flatMap((path) => {
    const own = history.filter((each) => each.path === path);
    const { linearizable, explained } = checkHistory(own, FILE);
    if (linearizable) return [];
    const rest = own.filter((each) => !explained.includes(each)).slice(0, 5);
    return [`"${path}": ${own.length} operations, no order explains ${JSON.stringify(rest)}`];
  });
}
