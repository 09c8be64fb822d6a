/** The joiner's side of stream 5: one sealed session, one hello, one answer. @module */
import { ProblemError } from "../base/problem.ts";
import { dialJoin } from "../config/mod.ts";
import { linuxClock } from "../host/linux/clock.ts";
import { linuxRandom } from "../host/linux/random.ts";
import { linuxTcp } from "../host/linux/tcp.ts";
import { decodeAnswer, encodeHello, JOIN_VERSION, parseTicket, ticketKey } from "../join/mod.ts";
import type { Identity } from "./state.ts";

/** How long a member may take to answer: it waits for a majority. */
const ANSWER_LIMIT_MS = 30_000;

/** Asks the members that the ticket names, one after the other, to be let in. */
export async function joinCluster(
  text: string,
  self: { readonly name: string; readonly links: readonly string[]; readonly peer: string },
): Promise<Identity> {
  const ticket = parseTicket(text);
  if (ticket === null) throw new ProblemError("join.bad-ticket", "the text is not a whole ticket");
  const hello = encodeHello({ version: JOIN_VERSION, ...self });
  let last = "no address in it";
  for (const peer of ticket.peers) {
    const answer = await ask(peer, ticket.id, ticketKey(ticket.secret), hello);
    if (answer === null) {
      last =
        `no sealed answer from "${peer}": it is not reachable, or the ticket is spent or expired`;
      continue;
    }
    const decoded = decodeAnswer(answer);
    if (decoded === null) throw new ProblemError("join.refused", `"${peer}" answered nonsense`);
    if (decoded.kind === "refused") {
      throw new ProblemError(decoded.problem.code, decoded.problem.why);
    }
    if (decoded.spec.id !== ticket.cluster) {
      throw new ProblemError("join.refused", `"${peer}" is in another cluster than the ticket's`);
    }
    return { node: decoded.node, clusterKey: decoded.clusterKey, spec: decoded.spec };
  }
  throw new ProblemError("join.bad-ticket", last);
}

/** One session; null where it ends without an answer. */
function ask(
  peer: string,
  ticketId: string,
  psk: Uint8Array,
  hello: Uint8Array,
): Promise<Uint8Array | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(null), ANSWER_LIMIT_MS);
    const finish = (answer: Uint8Array | null): void => {
      clearTimeout(timer);
      // Before the close, which ends in here once more.
      resolve(answer);
      session.close();
    };
    const session = dialJoin(
      { tcp: linuxTcp(), clock: linuxClock(), random: linuxRandom() },
      { address: peer, ticketId, psk },
      {
        onOpen: () => session.send(hello),
        onFrame: (bytes) => finish(bytes),
        onClose: () => finish(null),
      },
    );
  });
}
