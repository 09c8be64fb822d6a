/** One word of a command line, as a POSIX shell takes it unchanged. @module */

/** Quotes what a shell would change; other words stay as people write them. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
