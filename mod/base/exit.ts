/** How a command ends. @module */

/** Exit codes of every command (ux.md a.3); part of the interface. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  degraded: 3,
  noQuorum: 4,
  unreachable: 5,
  changed: 6,
  unsafe: 7,
  timeout: 8,
  notFound: 9,
  changes: 10,
  bug: 70,
} as const;
