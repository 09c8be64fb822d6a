/**
 * The one table where the five streams meet: which fact of one is an event of which others, and
 * which stream serves which request. Rows are served in the order in which they stand here.
 *
 * @module
 */
import type { Fact, Request, StreamName } from "../streams.ts";

/** Who hears a fact. A fact that nobody hears is for people: status, events and explain show it. */
export const HEARD_BY: Readonly<Record<Fact["fact"], readonly StreamName[]>> = {
  "heartbeat.view": ["config", "ha", "storage"],
  "heartbeat.member": ["config", "ha", "storage"],
  "heartbeat.link": [],
  "heartbeat.proof": ["ha", "storage"],
  "heartbeat.twin": ["config"],
  "config.spec": ["heartbeat", "ha", "storage", "join"],
  "config.open": ["heartbeat"],
  "config.position": ["heartbeat", "ha"],
  "config.applied": ["ha", "join"],
  "config.outcome": ["ha", "join"],
  "config.barrier": ["ha"],
  "config.shared": ["storage"],
  "config.diverged": [],
  "config.verified": [],
  "config.yielded": [],
  "config.forced": [],
  "ha.guard": ["storage"],
  "ha.empty": ["storage", "config"],
  "ha.clear": ["storage"],
  "ha.reboot": [],
  "ha.vitals": ["heartbeat", "storage", "config"],
  "ha.resource": [],
  "ha.dc": [],
  "ha.takeover": [],
  "storage.pulse": ["heartbeat", "ha"],
  "storage.echo": ["heartbeat"],
  "storage.witness": ["heartbeat", "config", "ha"],
  "storage.witness-heard": ["heartbeat"],
  "storage.lost": ["ha"],
  "storage.swapped": ["config"],
  "storage.fenced": ["ha"],
  "storage.disk": [],
  "storage.tested": [],
  "join.member": [],
  "join.ticket": [],
  "join.revoked": [],
  "join.keys": ["heartbeat"],
};

/** Who serves a request. */
export const SERVED_BY: Readonly<Record<Request["request"], readonly StreamName[]>> = {
  "config.propose": ["config"],
  "config.change-spec": ["config"],
  "config.barrier": ["config"],
  "config.transfer": ["config"],
  "config.force-single": ["config"],
  "config.verify": ["config"],
  "storage.swap": ["storage"],
  "storage.fence": ["storage"],
  // Stream 4 leaves the last words once stream 3 says that nothing runs here.
  // Stream 2 hands the leadership over then, and campaigns no more.
  "ha.shutdown": ["storage", "config", "ha"],
  "ha.confirm-dead": ["ha"],
  "join.invite": ["join"],
  "join.revoke": ["join"],
};
