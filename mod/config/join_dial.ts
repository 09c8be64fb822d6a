/** The joining machine's end of the peer channel: one session, opened with a ticket. @module */
import type { BootId } from "../base/id.ts";
import { KEY_BYTES } from "../base/seal.ts";
import { PeerSession, type SessionPorts } from "./peer_session.ts";
import { STREAMS_OF_MODE } from "./channel.ts";

/** What a joining machine is not yet: a life of a node. */
const NO_BOOT = "0".repeat(16) as BootId;

/** What the owner of a join session is told; never before {@link dialJoin} has returned. */
export interface JoinDialEvents {
  onOpen(): void;
  onFrame(bytes: Uint8Array): void;
  /** Exactly once, whoever ended it. */
  onClose(): void;
}

/** An open or opening join session. */
export interface JoinDial {
  /** Sends one frame, after `onOpen`. */
  send(bytes: Uint8Array): void;
  close(): void;
}

/** Dials a member with a ticket: its id (32 hex digits) and the session key made of its secret. */
export function dialJoin(
  { tcp, clock, random }: SessionPorts,
  to: { readonly address: string; readonly ticketId: string; readonly psk: Uint8Array },
  events: JoinDialEvents,
): JoinDial {
  const session = new PeerSession(
    {
      role: "initiator",
      mode: "join",
      id: to.ticketId,
      psk: to.psk,
      self: { node: 0, boot: NO_BOOT },
      secret: random.bytes(KEY_BYTES),
    },
    clock,
    {
      onOpen: () => events.onOpen(),
      onFrame: (_stream, bytes) => events.onFrame(bytes),
      onClose: () => events.onClose(),
    },
  );
  session.attach(tcp.connect(to.address, session));
  return {
    send: (bytes) => {
      session.send(STREAMS_OF_MODE.join[0], bytes);
    },
    close: () => session.close("ended"),
  };
}
