/**
 * The way from a service to journald: systemd.io/JOURNAL_NATIVE_PROTOCOL. A line goes there with fields
 * of its own, so that it is found by them: `journalctl -u pentad PENTAD_STREAM=ha`.
 *
 * @module
 */
import { concat, encodeText } from "../../base/bytes.ts";
import { Datagrams } from "./datagrams.ts";

/** Where journald listens. */
export const JOURNAL_SOCKET = "/run/systemd/journal/socket";
/** A storm of words is cut, not kept. */
const WAITING_MAX = 256;
/** A datagram holds far more; nothing that a node says comes near. */
const VALUE_BYTES_MAX = 16 * 1024;
const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Fields of an entry by their names: capitals, digits, underscores (systemd.journal-fields(7)). */
export type JournalFields = Readonly<Record<string, string>>;

/** An entry as journald reads it. Whatever a value is, it stays the value of its own field. */
export function journalEntry(fields: JournalFields): Uint8Array {
  const named = Object.entries(fields).filter(([name]) => NAME.test(name));
  return concat(...named.flatMap(([name, text]) => {
    const value = encodeText(text).subarray(0, VALUE_BYTES_MAX);
    if (!value.includes(NEWLINE)) return [encodeText(`${name}=`), value, END];
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(value.length), true);
    return [encodeText(`${name}\n`), length, value, END];
  }));
}

const NEWLINE = 0x0a;
const END = new Uint8Array([NEWLINE]);

/** Writes entries; all calls do nothing where there is no journald. */
export class Journal {
  readonly #way: Datagrams;
  #dropped = 0;

  /** `folder`: where the sending socket may lie, private to us; `to`: null for nowhere. */
  constructor(folder: string, to: string | null) {
    this.#way = new Datagrams({ own: `${folder}/journal.sock`, to, waitingMax: WAITING_MAX });
  }

  write(fields: JournalFields): void {
    const told = this.#dropped === 0 ? {} : { PENTAD_DROPPED: String(this.#dropped) };
    if (this.#way.send(journalEntry({ ...fields, ...told }))) this.#dropped = 0;
    else this.#dropped++;
  }

  /** What was written is sent. */
  async close(): Promise<void> {
    await this.#way.close();
  }
}
