/** The command line. @module */
export type { Wiring } from "./cli.ts";
export { run } from "./run.ts";
export type { Io } from "./io.ts";
