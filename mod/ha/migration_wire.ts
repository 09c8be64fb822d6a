/**
 * What a node says of live migrations, over the peer channel to every member. A frame of its own:
 * a version that does not know it drops it, and moves machines by a stop and a start.
 *
 * @module
 */
import { clipText } from "../base/bytes.ts";
import { isResourceId, type ResourceId } from "../base/id.ts";
import {
  bool,
  decode,
  encode,
  hex,
  type Infer,
  list,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
} from "../base/schema.ts";
import { RESOURCES_MAX } from "./resource.ts";

/** Not a report's: the first byte tells them apart. */
const VERSION = 2;
/** Migrations of which one node speaks at a time. */
export const MIGRATIONS_MAX = 256;
const ID_MAX = 100;
const WHY_MAX = 300;

const NEWS = struct({
  version: u8,
  boot: hex(8),
  /** Machines that run here; `stayed`: one that was to move already, and could not. */
  machines: list(struct({ id: text(ID_MAX), stayed: bool }), RESOURCES_MAX),
  /** Machines that are awaited here, at a TCP port. */
  arrivals: list(
    struct({ id: text(ID_MAX), live: u64, port: u16, build: u32 }),
    MIGRATIONS_MAX,
  ),
  /** All of it was handed over, and it will not run here again by that decision. */
  handed: list(struct({ id: text(ID_MAX), live: u64 }), MIGRATIONS_MAX),
  /** What does not come about, and why. */
  refused: list(struct({ id: text(ID_MAX), live: u64, why: text(WHY_MAX) }), MIGRATIONS_MAX),
});

/** News of one node. */
export type MigrationNews = Infer<typeof NEWS>;

/** Bytes of it. */
export function encodeNews(news: Omit<MigrationNews, "version">): Uint8Array {
  return encode(NEWS, { version: VERSION, ...news });
}

/** News out of hostile bytes, or null. */
export function decodeNews(input: Uint8Array): MigrationNews | null {
  if (input[0] !== VERSION) return null;
  const news = decode(NEWS, input);
  if (news === null) return null;
  const { machines, arrivals, handed, refused } = news;
  const all = [...machines, ...arrivals, ...handed, ...refused];
  return all.every(({ id }) => isResourceId(id)) ? news : null;
}

/** The part of a list that is about one migration. */
export function about<T extends { readonly id: string; readonly live: number }>(
  list: readonly T[] | undefined,
  { id, live }: { readonly id: ResourceId; readonly live: number },
): T | undefined {
  return list?.find((each) => each.id === id && each.live === live);
}

/** Words that fit. */
export function shortened(why: string): string {
  return clipText(why, WHY_MAX);
}
