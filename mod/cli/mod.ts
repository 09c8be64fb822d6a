/** The command line. @module */
export { run, type Wiring } from "./cli.ts";
export type { Io } from "./io.ts";
