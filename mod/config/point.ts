/** Points in the history: a transaction, a time, or now. @module */

/** A state of the tree. */
export type Point =
  | { readonly at: "now" }
  /** The state after the entry at this index. */
  | { readonly at: "txn"; readonly index: number }
  /** The state after the newest transaction that is not younger, in seconds since 1970. */
  | { readonly at: "time"; readonly seconds: number };
