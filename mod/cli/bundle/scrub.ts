/**
 * Takes secrets out of text before it leaves the host. What goes into a bundle is chosen so that it
 * holds none; this is for what people put where it does not belong. Pure.
 *
 * @module
 */

/** Stands where something was. */
export const REMOVED = "(removed)";
/** What is shorter is found in any text. */
const SECRET_CHARACTERS_MIN = 8;

/** Shapes that are secrets whatever they stand in. */
const SHAPES: readonly RegExp[] = [
  /pentad-ticket-[A-Za-z0-9_-]+/g,
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
  /(?<=\bBearer\s+)[\x21-\x7e]+/gi,
  /(?<=\bPENTAD_TOKEN=)\S+/g,
];

/** The text without these secrets, and without what looks like one. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length < SECRET_CHARACTERS_MIN) continue;
    clean = clean.replaceAll(secret, REMOVED);
    // As JSON has it, it may be written otherwise.
    clean = clean.replaceAll(JSON.stringify(secret).slice(1, -1), REMOVED);
  }
  for (const shape of SHAPES) clean = clean.replace(shape, REMOVED);
  return clean;
}
