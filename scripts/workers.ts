/** Parts of the program that a bundler does not find. @module */

/** What no import names: loaded as Workers by the database port and the archive. */
export const WORKERS: readonly string[] = [
  "mod/host/linux/database_worker.ts",
  "mod/daemon/archive_worker.ts",
];
