/** The bounds of the mount; those of the tree itself are in `tree.ts`, those in time in `timing.ts`. @module */

/** Files and directories that may be open at once. */
export const HANDLES_MAX = 4096;
/** Requests that may wait at once. */
export const CALLS_MAX = 1024;
/** Programs that may wait for a lock at once; more are told ENOLCK. */
export const LOCK_WAITERS_MAX = 512;
/** Commands about locks that may be queued; more are told ENOLCK, but for what closing gives back. */
export const LOCK_COMMANDS_MAX = 1024;
/** Bytes that are written and not committed yet, of all open files together. */
export const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** Names that open directories hold, all together. */
export const SNAPSHOT_NAMES_MAX = 1024 * 1024;
/** Bytes of files that are unlinked and still open. */
export const ORPHAN_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes of versions that somebody has read the beginning of; beyond it readers may see two versions. */
export const PINNED_BYTES_MAX = 64 * 1024 * 1024;
/** How often a transaction is made anew because somebody else's came between. */
export const RETRIES_MAX = 8;
/** Separate ranges of one file's draft; more are joined into one. */
export const EXTENTS_MAX = 256;
/** Inodes whose attributes the kernel is told to forget in one step. */
export const SWEEP_MAX = 256;
/** Entries of the cluster log that are kept, and how many of them are shown. */
export const LOG_KEPT_MAX = 200;
export const LOG_SHOWN_MAX = 50;
/** Bytes of one entry's text. */
export const LOG_TEXT_MAX = 4000;
/**
 * How long the kernel may believe names and attributes, in milliseconds. Notices make it much
 * longer-lived than it must be; this is for the notice that is lost.
 */
export const VALID_MS = 60_000;
/** From this share of a limit on a warning is said; it may come again once the share was below the other. */
export const FULL_WARN = 0.8;
export const FULL_CALM = 0.75;
/** Bytes of a block in statfs(2). */
export const BLOCK_BYTES = 4096;
