/**
 * Stream 5 on the member's side: who is let in, once.
 *
 * A ticket is spent by the first welcome. A joiner that lost the welcome (it crashed, the network
 * went) repeats its hello with the same ticket and the same name and addresses, and is welcomed
 * again as the same member; anybody else with that ticket is refused.
 *
 * Tickets live in this daemon's memory: a restart revokes them all.
 *
 * @module
 */
import { type ClusterSpec, type Member, nameOf } from "../base/cluster.ts";
import { parseAddress } from "../base/address.ts";
import { toHex } from "../base/bytes.ts";
import type { Core } from "../base/core.ts";
import type { KeyRing } from "../base/key_ring.ts";
import { Renewal } from "./renewal.ts";
import { isNodeName } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import { after, earliest, type Instant } from "../base/time.ts";
import type { Fact, Outcome, Request } from "../streams.ts";
import type { TicketState } from "../base/ticket_state.ts";
import type { JoinEffect, JoinEvent, JoinOptions } from "./events.ts";
import { printTicket, ticketKey } from "./ticket.ts";
import { decodeHello, encodeAnswer, type Hello, JOIN_VERSION } from "./wire.ts";

/** Tickets that may be open at once. */
const TICKETS_MAX = 64;
/** Joins that may be under way at once. */
const PENDING_MAX = 16;
/** Bytes of the secret that an invitation brings: id and key. */
const ID_BYTES = 16;

const SHORT_ID_DIGITS = 8;

interface OpenTicket {
  readonly key: Uint8Array;
  readonly expires: Instant;
  /** The hello that spent it, as text; null while unused. */
  usedBy: string | null;
}

interface Pending {
  /** Where its answer goes; null while the machine is away. */
  readonly session: number | null;
  readonly ticket: string;
  readonly hello: Hello;
}

/** The gate. See the module's note. */
export class JoinCore implements Core<JoinEvent, JoinEffect> {
  readonly #options: JoinOptions;
  readonly #tickets = new Map<string, OpenTicket>();
  readonly #pending = new Map<string, Pending>();
  readonly #renewal: Renewal;
  #spec: ClusterSpec;
  #now: Instant;
  #next = 1;

  constructor(options: JoinOptions) {
    this.#options = options;
    const { self, boot, spec, clusterKey, otherKey = null, wallAtStart, startedAt } = options;
    this.#spec = spec;
    this.#now = startedAt;
    this.#renewal = new Renewal({ clusterKey, otherKey }, {
      self,
      boot,
      name: () => nameOf(this.#spec, self),
      time: () => Math.floor(wallAtStart + (this.#now - startedAt) / 1000),
    });
  }

  /** The keys that this node has now. */
  get keys(): KeyRing {
    return this.#renewal.ring;
  }

  step(event: JoinEvent, now: Instant): JoinEffect[] {
    this.#now = now;
    for (const [id, ticket] of this.#tickets) if (ticket.expires <= now) this.#tickets.delete(id);
    switch (event.kind) {
      case "tick":
        return this.#renewal.onTick(now);
      case "fact":
        return this.#onFact(event.fact, now);
      case "keys-stored":
        return this.#renewal.onStored(event.ok, now);
      case "request":
        return this.#onRequest(event.request, now);
      case "session-frame":
        return this.#onHello(event.session, event.ticket, event.bytes);
      case "session-closed":
        // What was asked for it is on its way all the same, and the ticket is tied to it until then.
        for (const [tag, pending] of this.#pending) {
          if (pending.session === event.session) {
            this.#pending.set(tag, { ...pending, session: null });
          }
        }
        return [];
    }
  }

  deadline(): Instant {
    const ends = [...this.#tickets.values()].map((ticket) => ticket.expires);
    return earliest(this.#renewal.deadline(), ...ends);
  }

  /** The session key of an open ticket, or null: for the channel's handshake. */
  keyOf(ticket: string, now: Instant): Uint8Array | null {
    const open = this.#tickets.get(ticket);
    return open !== undefined && open.expires > now ? open.key : null;
  }

  /** The tickets that are valid, the one that ends first in front. */
  tickets(now: Instant): readonly TicketState[] {
    return [...this.#tickets].filter(([, { expires }]) => expires > now)
      .sort(([, a], [, b]) => a.expires - b.expires)
      .map(([id, ticket]) => this.#stateOf(id, ticket, now));
  }

  #stateOf(id: string, { expires, usedBy }: OpenTicket, now: Instant): TicketState {
    const node = usedBy?.split(" ")[0] ?? null;
    const isMember = this.#spec.members.some(({ name }) => name === node);
    const state = node === null ? "open" : isMember ? "used" : "pending";
    return { id: shortId(id), state, node, leftMs: expires - now };
  }

  #onRequest(request: Request, now: Instant): JoinEffect[] {
    if (request.request === "join.revoke") return this.#revoke(request, now);
    return request.request === "join.invite" ? this.#invite(request, now) : [];
  }

  /**
   * Whoever waits on such a ticket is refused now, and gets no key whatever becomes of the change that
   * was asked for it; who is a member by it stays one.
   */
  #revoke({ tag, id: start }: Extract<Request, { request: "join.revoke" }>, now: Instant) {
    const ended = [...this.#tickets].filter(([id]) => id.startsWith(start));
    const tickets = ended.map(([id, ticket]) => this.#stateOf(id, ticket, now));
    const effects: JoinEffect[] = [];
    for (const [id] of ended) {
      this.#tickets.delete(id);
      for (const [waiting, { ticket, session }] of this.#pending) {
        if (ticket !== id) continue;
        this.#pending.delete(waiting);
        effects.push(...refuse(session, problem("join.bad-ticket", "it was revoked")));
      }
      const because = reason("join.revoked", {});
      const text = `ticket=${shortId(id)}, revoked`;
      effects.push({ kind: "say", saying: { stream: "join", text, routine: false, because } });
    }
    effects.push({ kind: "tell", fact: { fact: "join.revoked", tag, tickets } });
    return effects;
  }

  #invite(request: Extract<Request, { request: "join.invite" }>, now: Instant): JoinEffect[] {
    this.#makeRoom();
    const id = toHex(request.secret.subarray(0, ID_BYTES));
    const secret = toHex(request.secret.subarray(ID_BYTES, ID_BYTES + 32));
    const expires = after(now, request.validMs);
    this.#tickets.set(id, { key: ticketKey(secret), expires, usedBy: null });
    const self = this.#spec.members.find((member) => member.id === this.#options.self);
    const others = this.#spec.members.filter((member) => member !== self);
    const peers = [...(self ? [self] : []), ...others].slice(0, 8).map((member) => member.peer);
    const ticket = printTicket({ cluster: this.#spec.id, id, secret, peers });
    return [
      {
        kind: "say",
        saying: {
          stream: "join",
          text: `ticket=${shortId(id)}, valid=${Math.round(request.validMs / 1000)}s`,
          routine: false,
          because: reason("join.invited", { ms: request.validMs }),
        },
      },
      { kind: "tell", fact: { fact: "join.ticket", tag: request.tag, ticket } },
    ];
  }

  /** Whoever asks for a ticket gets one; of too many the one that ends soonest goes. */
  #makeRoom(): void {
    if (this.#tickets.size < TICKETS_MAX) return;
    const [first] = [...this.#tickets].sort(([, a], [, b]) => a.expires - b.expires);
    if (first !== undefined) this.#tickets.delete(first[0]);
  }

  #onFact(fact: Fact, now: Instant): JoinEffect[] {
    if (fact.fact === "config.applied") return this.#renewal.onApplied(fact, now);
    if (fact.fact === "config.spec") {
      this.#spec = fact.spec;
      return [];
    }
    if (fact.fact !== "config.outcome") return [];
    if (this.#renewal.onOutcome(fact.tag, fact.outcome, now)) return [];
    const pending = this.#pending.get(fact.tag);
    if (pending === undefined) return [];
    this.#pending.delete(fact.tag);
    return this.#onOutcome(pending, fact.outcome);
  }

  #onOutcome({ session, ticket, hello }: Pending, outcome: Outcome): JoinEffect[] {
    const open = this.#tickets.get(ticket);
    if (!outcome.ok) {
      // Nothing was changed: the ticket is as good as new. Of an unknown outcome nobody can say so,
      // and a machine that is a member all the same (by an earlier hello) has used it.
      const isOpen = outcome.problem.code !== "config.unknown-outcome";
      if (open && isOpen && this.#memberLike(hello) === undefined) open.usedBy = null;
      return refuse(session, outcome.problem);
    }
    const member = this.#memberLike(hello);
    if (member === undefined) {
      return refuse(session, problem("join.refused", "the member was removed at once"));
    }
    return session === null ? [] : this.#welcome(session, member);
  }

  #onHello(session: number, ticket: string, bytes: Uint8Array): JoinEffect[] {
    const open = this.#tickets.get(ticket);
    if (open === undefined) {
      return refuse(session, problem("join.bad-ticket", "it is expired or was revoked"));
    }
    const hello = decodeHello(bytes);
    if (hello === null) return refuse(session, problem("join.refused", "the hello is malformed"));
    const fault = this.#fault(hello, open);
    if (fault !== null) return refuse(session, fault);
    const known = this.#memberLike(hello);
    if (known !== undefined && open.usedBy === helloText(hello)) {
      return this.#welcome(session, known);
    }
    if (known !== undefined) {
      const why =
        `"${hello.name}" is a member already, by another ticket: use that once more, or ` +
        `first: pentad config member remove ${hello.name}`;
      return refuse(session, problem("join.refused", why));
    }
    // It asks once more while it waits: what it asked for is on its way, the answer goes where it is.
    for (const [tag, pending] of this.#pending) {
      if (pending.ticket !== ticket) continue;
      this.#pending.set(tag, { ...pending, session });
      return [];
    }
    const tag = `join:${this.#next++}`;
    // Marked before the change is committed: two hellos with one ticket must not both get in.
    open.usedBy = helloText(hello);
    this.#pending.set(tag, { session, ticket, hello });
    const { name, links, peer } = hello;
    return [{
      kind: "ask",
      request: {
        request: "config.change-spec",
        tag,
        change: { change: "add-learner", name, links, peer },
      },
    }];
  }

  #fault(hello: Hello, open: OpenTicket): Problem | null {
    if (hello.version !== JOIN_VERSION) {
      const why = `it speaks join version ${hello.version}, this node ${JOIN_VERSION}`;
      return problem("join.refused", why);
    }
    if (open.usedBy !== null && open.usedBy !== helloText(hello)) {
      return problem("join.bad-ticket", "it was used by another machine");
    }
    if (!isNodeName(hello.name)) return problem("join.refused", "the node name is not a DNS label");
    if (hello.links.length === 0) return problem("join.refused", "it names no heartbeat address");
    const bad = [...hello.links, hello.peer].find((address) => parseAddress(address) === null);
    if (bad !== undefined) return problem("join.refused", `"${bad}" is not an address HOST:PORT`);
    const other = this.#spec.members.find((member) => member.name === hello.name);
    if (other !== undefined && !sameMachine(other, hello)) {
      return problem("join.refused", `the node name "${hello.name}" is taken`);
    }
    const taken = this.#spec.members.find((member) =>
      member !== other &&
      (member.peer === hello.peer || member.links.some((link) => hello.links.includes(link)))
    );
    if (taken) return problem("join.refused", `${taken.name} uses one of its addresses`);
    const waits = [...this.#pending.values()].some(({ ticket }) =>
      this.#tickets.get(ticket) === open
    );
    if (!waits && this.#pending.size >= PENDING_MAX) {
      return problem("api.busy", "too many joins are under way");
    }
    return null;
  }

  #memberLike(hello: Hello): Member | undefined {
    return this.#spec.members.find((member) =>
      member.name === hello.name && sameMachine(member, hello)
    );
  }

  #welcome(session: number, member: Member): JoinEffect[] {
    const because = reason("join.learner", { node: member.name });
    const { clusterKey } = this.#renewal.ring;
    return [
      {
        kind: "session-frame",
        session,
        bytes: encodeAnswer({ kind: "welcome", node: member.id, clusterKey, spec: this.#spec }),
      },
      { kind: "tell", fact: { fact: "join.member", node: member.id, because } },
      {
        kind: "say",
        saying: {
          stream: "join",
          text: `${member.name} id=${member.id}, role=${member.role}, peer=${member.peer}`,
          routine: false,
          because,
        },
      },
    ];
  }
}

/** As much of a ticket's id as people need to tell one from another; the id is no secret. */
function shortId(id: string): string {
  return id.slice(0, SHORT_ID_DIGITS);
}

function sameMachine(member: Member, hello: Hello): boolean {
  return member.peer === hello.peer && member.links.join() === hello.links.join();
}

function helloText(hello: Hello): string {
  return `${hello.name} ${hello.peer} ${hello.links.join()}`;
}

function refuse(session: number | null, refused: Problem): JoinEffect[] {
  if (session === null) return [];
  return [{
    kind: "session-frame",
    session,
    bytes: encodeAnswer({ kind: "refused", problem: refused }),
  }];
}
