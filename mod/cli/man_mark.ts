/** What tells a page of pentad's manual from another's. @module */

/** First line of every page that pentad writes: a comment of troff. */
export const MAN_MARK = '.\\" Made by pentad from its table of commands.\n';
