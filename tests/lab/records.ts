/**
 * What the writers left (`writer.sh`): the records on the disk, and what they said of each. Both
 * must show that at no time two of them wrote to one area.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Lab } from "../../scripts/lab/lab.ts";

/** Where the areas begin on the disk, and how long each is: as `writer.sh` has it. */
const FIRST = 4096;
const BLOCKS = 16384;
/** Larger blocks to read an area with, in the same unit. */
const READ_BLOCKS = 256;
/** The end of what writers said that is looked at for the newest: some hundred records. */
const TAIL_BYTES = 16 * 1024;
/** Of a disk with three areas. */
export const DISK_BYTES = (FIRST + 3 * BLOCKS) * 4096;

/** What a writer said of one try. Milliseconds since 1970, which all hosts of a lab share. */
export interface Said {
  readonly begin: number;
  readonly end: number;
  /** `conflict`: RESERVATION CONFLICT. */
  readonly word: "ok" | "conflict" | "failed";
  readonly host: string;
  readonly token: number;
  readonly counter: number;
}

/** All that the writers of an area said so far. */
export function said(lab: Lab, area: number): readonly Said[] {
  try {
    return read(Deno.readTextFileSync(`${lab.share}/records-${area}`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function read(text: string): readonly Said[] {
  return text.split("\n").slice(0, -1).map((line) => {
    const [begin = "", end = "", word = "", host = "", token = "", counter = ""] = line.split(" ");
    const [from, to] = [Number(begin) * 1000, Number(end) * 1000];
    return {
      ...{ begin: from, end: to, word: word as Said["word"], host },
      ...{ token: Number(token), counter: Number(counter) },
    };
  });
}

/** The newest record of an area that is known to be on the disk. */
export function newest(lab: Lab, area: number): Said | null {
  const isIn = ({ word }: Said) => word === "ok";
  return tail(lab, area).findLast(isIn) ?? said(lab, area).findLast(isIn) ?? null;
}

/** The last that the writers of an area said: this is asked for many times a second. */
function tail(lab: Lab, area: number): readonly Said[] {
  const path = `${lab.share}/records-${area}`;
  const { size } = statOf(path);
  if (size <= TAIL_BYTES) return said(lab, area);
  using file = Deno.openSync(path);
  file.seekSync(size - TAIL_BYTES, Deno.SeekMode.Start);
  const bytes = new Uint8Array(TAIL_BYTES);
  const length = file.readSync(bytes) ?? 0;
  const text = new TextDecoder().decode(bytes.subarray(0, length));
  return read(text.slice(text.indexOf("\n") + 1));
}

function statOf(path: string): { readonly size: number } {
  try {
    return Deno.statSync(path);
  } catch {
    return { size: 0 };
  }
}

/** What {@link assertAlone} went through. */
export interface Alone {
  /** Writers one after the other. */
  readonly tenures: number;
  /** On the disk. */
  readonly records: number;
}

/** Throws where two writers of an area were at work at once; what it saw. */
export async function assertAlone(lab: Lab, area: number): Promise<Alone> {
  const ok = said(lab, area).filter(({ word }) => word === "ok");
  const tenures = new Map<number, Said[]>();
  for (const each of ok) tenures.set(each.token, [...tenures.get(each.token) ?? [], each]);
  const order = [...tenures].sort(([a], [b]) => a - b).map(([, all]) => all);
  order.forEach((all, at) => {
    const text = JSON.stringify([order[at - 1]?.at(-1), all[0], all.at(-1)]);
    assert.equal(new Set(all.map(({ host }) => host)).size, 1, `One host a token: ${text}`);
    const last = order[at - 1]?.at(-1);
    const first = all[0];
    if (last === undefined || first === undefined) return;
    // Not its end: a host that is frozen hears late of what was written in time.
    assert.ok(last.begin <= first.begin, `One writer ends before the next begins: ${text}`);
  });
  const array = lab.host(3);
  const from = `skip=${(FIRST + area * BLOCKS) / READ_BLOCKS} count=${BLOCKS / READ_BLOCKS}`;
  const size = READ_BLOCKS * 4096;
  const text = await array.must(`dd if=/disk/lio.img bs=${size} ${from} status=none | tr -d '\\0'`);
  let before = { host: "", token: 0, counter: 0 };
  const lines = text.split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const [host = "", ...numbers] = line.split(" ");
    const [token = 0, counter = 0] = numbers.map(Number);
    const next = token === before.token
      ? host === before.host && counter === before.counter + 1
      : token === before.token + 1 && counter === 1;
    assert.ok(next, `Records follow one another: "${line}" after ${JSON.stringify(before)}`);
    before = { host, token, counter };
  }
  assert.ok(lines.length >= ok.length, "What was acknowledged is there");
  return { tenures: order.length, records: lines.length };
}
