/**
 * Sense data: what a target says of a command that it did not carry out as asked. Pure, total.
 *
 * SPC-4, "Sense data" (4.5): descriptor format (response codes 72h, 73h) and fixed format (70h,
 * 71h). Additional sense codes: SPC-4, annex "ASC and ASCQ assignments"; only those that a disk
 * with reservations was seen to send, or that call for something else than a failure, have words.
 *
 * @module
 */

/** Sense data, decoded. */
export interface Sense {
  /** SENSE KEY, 0 to 15. */
  readonly key: number;
  /** ADDITIONAL SENSE CODE and its QUALIFIER. */
  readonly code: number;
  readonly qualifier: number;
  /** It tells of an earlier command (response codes 71h and 73h). */
  readonly deferred: boolean;
}

/** SENSE KEY (SPC-4, table "Sense key descriptions"). */
export const SENSE_KEY = {
  none: 0x0,
  recovered: 0x1,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

const KEY_NAMES: readonly string[] = [
  ...["no sense", "recovered error", "not ready", "medium error", "hardware error"],
  ...["illegal request", "unit attention", "data protect", "blank check", "vendor specific"],
  ...["copy aborted", "aborted command", "reserved", "volume overflow", "miscompare", "completed"],
];

/** By `ASC ASCQ` in hex; without a qualifier of its own, by `ASC`. */
const WORDS: Readonly<Record<string, string>> = {
  "0401": "it is becoming ready",
  "0402": "it must be started first",
  "0403": "somebody must see to it by hand",
  "040a": "it is changing its access state (ALUA transition)",
  "040b": "this path is in standby",
  "040c": "this path is unavailable",
  "04": "it is not ready",
  "0800": "communication failed; LIO says so of a nexus that is not registered",
  "0e03": "a field of the command information unit is wrong",
  "1a00": "the parameter list has a wrong length",
  "1d00": "the blocks hold something else than what was expected",
  "2000": "it does not know the command",
  "2400": "it does not know the service action or the type",
  "2500": "there is no such logical unit",
  "2600": "it does not accept the parameter list",
  "2604": "there is nothing of that kind to release",
  "2700": "it is write protected",
  "2800": "its medium may have changed",
  "2900": "it was powered on or reset",
  "2901": "it was powered on",
  "2902": "its bus was reset",
  "2903": "it was reset",
  "2904": "it was reset by itself",
  "2907": "the session with it was lost",
  "29": "it was powered on or reset",
  "2a01": "its mode parameters changed",
  "2a03": "reservations were preempted or cleared",
  "2a04": "a reservation was released",
  "2a05": "registrations were preempted",
  "2a06": "its access state changed (ALUA)",
  "2a09": "its capacity changed",
  "2a": "its parameters changed",
  "3a00": "it has no medium",
  "3e02": "it timed out",
  "3f03": "its INQUIRY data changed",
  "3f0e": "its list of logical units changed",
  "4400": "it failed within",
  "4b00": "the transfer failed",
  "5504": "it has no room for more registrations",
};

/** Decodes sense data; null where the bytes are none (none at all, too short, another format). */
export function decodeSense(bytes: Uint8Array): Sense | null {
  const response = (bytes[0] ?? 0) & 0x7f;
  const deferred = response === 0x71 || response === 0x73;
  if (response === 0x70 || response === 0x71) {
    const key = bytes[2];
    if (key === undefined) return null;
    // Fixed: ASC and ASCQ are there only where the additional length reaches them.
    const told = Math.min(bytes.length, 8 + (bytes[7] ?? 0));
    const code = told > 12 ? bytes[12] ?? 0 : 0;
    const qualifier = told > 13 ? bytes[13] ?? 0 : 0;
    return { key: key & 0x0f, code, qualifier, deferred };
  }
  if (response !== 0x72 && response !== 0x73) return null;
  const [, key, code, qualifier] = bytes;
  if (key === undefined || code === undefined || qualifier === undefined) return null;
  return { key: key & 0x0f, code, qualifier, deferred };
}

/** Sense in a sentence: `unit attention 06/2a/05: registrations were preempted`. */
export function senseText({ key, code, qualifier }: Sense): string {
  const words = WORDS[hex2(code) + hex2(qualifier)] ?? WORDS[hex2(code)];
  const numbers = `${hex2(key)}/${hex2(code)}/${hex2(qualifier)}`;
  return `${KEY_NAMES[key] ?? "unknown sense"} ${numbers}${
    words === undefined ? "" : `: ${words}`
  }`;
}

/** True for sense of this key, and, where given, this code and qualifier. */
export function isSense(sense: Sense, key: number, code?: number, qualifier?: number): boolean {
  return sense.key === key && (code === undefined || sense.code === code) &&
    (qualifier === undefined || sense.qualifier === qualifier);
}

/**
 * A unit attention after which a registration of ours may be gone: reservations preempted (the
 * others' CLEAR), registrations preempted.
 */
export function tellsOfEjection(sense: Sense): boolean {
  return isSense(sense, SENSE_KEY.unitAttention, 0x2a, 0x03) ||
    isSense(sense, SENSE_KEY.unitAttention, 0x2a, 0x05);
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}
