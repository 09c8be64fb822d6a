/** What a client wants to be answered with: the Accept header (RFC 9110 section 12.5.1). @module */

/** Ranges that are looked at; more than these no honest client names. */
const RANGES_MAX = 64;

/** True where one of `types` fits the header; without a header everything does. */
export function accepts(header: string | null, types: readonly string[]): boolean {
  if (header === null || header.trim() === "") return true;
  const ranges = header.toLowerCase().split(",", RANGES_MAX).map((text) => {
    const [range = "", ...parameters] = text.split(";").map((part) => part.trim());
    return { range, refused: parameters.some((each) => /^q=0(\.0*)?$/.test(each)) };
  });
  return types.some((type) => {
    const wider = [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
    // The most specific range decides.
    const match = wider.flatMap((each) => ranges.filter(({ range }) => range === each)).at(0);
    return match !== undefined && !match.refused;
  });
}
