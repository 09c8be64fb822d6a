/** Addresses on this host's interfaces, and what their neighbours are told of them. @module */

/** An address as an interface has it. */
export interface AddressSpec {
  /** IPv4 or IPv6, in text. */
  readonly address: string;
  /** Length of the network's prefix, in bits. */
  readonly prefix: number;
  readonly interface: string;
}

/** Each call answers at once, but for `probe`. */
export interface AddressPort {
  /** The interface that has another address of the same network, and that network's prefix. */
  find(address: string): { readonly interface: string; readonly prefix: number } | null;
  /** True where the address is on the interface and its link is up; else why not. */
  look(spec: AddressSpec): true | { readonly present: boolean; readonly why: string };
  /**
   * Asks the neighbours whether somebody has it (RFC 5227, 2.1.1; RFC 4862, 5.4). Ends with the
   * holder's hardware address, null for nobody, or why it could not be asked.
   */
  probe(spec: AddressSpec, done: (result: ProbeResult) => void): void;
  /** Puts it there, past duplicate detection; null, or why not. One that is there is kept. */
  add(spec: AddressSpec): string | null;
  /** Takes it from there; null, also where it was not there, or why not. */
  remove(spec: Pick<AddressSpec, "address" | "interface">): string | null;
  /** Tells the neighbours who has it now: gratuitous ARP in both forms, or an advertisement. */
  announce(spec: AddressSpec, times: number): void;
}

/** What the neighbours said. */
export type ProbeResult =
  | { readonly holder: string | null }
  | { readonly failure: string };
