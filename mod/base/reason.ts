/**
 * The registry of everything that the cluster decides by itself, with the sentence that says why.
 * Effects and facts carry a `Reason`; `status`, `events` and `explain` print it.
 *
 * @module
 */

/** Every code, with its sentence. `{name}` is replaced by the reason's argument of that name. */
export const REASONS = {
  "heartbeat.started": "{node} starts its heartbeat",
  "heartbeat.heard": "{node} is heard on {links} of {all} links",
  "heartbeat.silent": "{node} was silent for {ms} ms, more than {max} beats",
  "heartbeat.isolated": "{node} is silent on the network for {ms} ms, but its disk pulse goes on",
  "heartbeat.heard-elsewhere":
    "{node} is silent here for {ms} ms, but another member knows it alive",
  "heartbeat.rebooted": "{node} came back in a new life",
  "heartbeat.twin":
    "{node} beats in two lives at once, {boot} and {other}: two machines have its identity",
  "heartbeat.twin-gone": "{node} beats in one life again",
  "heartbeat.link-up": "{node} is heard and hears us on link {link}",
  "heartbeat.link-down": "{node} was silent on link {link} for {ms} ms",
  "heartbeat.link-one-way": "{node} is heard on link {link} but does not hear us",
  "heartbeat.view": "view {epoch}: {members}; {present} of {expected} votes, {needed} needed",
  "config.elected": "{node} won the election of term {term} with {votes}",
  "config.deposed": "{node} no longer leads: a higher term {term} was seen",
  "config.no-majority": "{node} no longer leads: no majority answered for {ms} ms",
  "config.follows": "{node} leads term {term}",
  "config.no-leader": "no leader was heard for {ms} ms",
  "config.cascade": "{node} may hold transactions that nobody here has; the witness says {set}",
  "config.diverged": "{node} has crc32 {theirs} at index {index}, ours is {mine}",
  "config.odd": "{node} has another crc32 than most of its peers, and leads no more",
  "config.told-odd": "{node} and a majority hold something else at index {index}",
  "config.undecided":
    "{node} and {other} differ at index {index} and no majority says which is wrong; both verify",
  "config.damaged": "{what}; {count} of {rows} rows are damaged on the disk",
  "config.mended":
    "{rows} rows of the tree and the log behind index {index} are written anew out of memory",
  "config.own-damage": "its own verification failed: {what}",
  "config.snapshot-needed": "{node} ends before index {base}, where the log begins here",
  "config.snapshot-installed": "{node} sent its state at index {index}; the log goes on from there",
  "config.rebuilds": "{node} differs from its peers, and is rebuilt from the state here",
  "config.rebuilt-by": "{node} found that, and sends its state at index {base}",
  "config.bad-snapshot": "{node} sent what is no state: {why}",
  "config.recovering": "it has no vote until its peers have given everything back: {why}",
  "config.recovered": "{node} gave back everything up to index {index}",
  "config.unproven": "nothing proves that the database is not an older copy of itself: {why}",
  "config.peer-recovers":
    "{node} lost what it held, and gets it again from the log or as a snapshot",
  "config.lost": "{node} acknowledged up to index {match} and ends at {index}: an older copy?",
  "config.hands-over": "{node} is to lead in our place",
  "config.kept-lead": "{node} did not take over in time",
  "config.asked-to-lead": "{node} leads, and wants us to",
  "config.learner-slow": "{node} is too slow to vote: {rounds} rounds took more than {ms} ms each",
  "config.removed": "{node} is no member of the cluster any more since index {index}",
  "config.said-removed": "{node} says that we are no member any more since index {index}",
  "config.forced": "{author} accepts the loss of data: {node} goes on alone",
  "config.shared": "{node} is caught up; commits need both nodes again",
  "config.write-lost": "what was written to {path} is not committed: {why}",
  "config.filling": "the tree holds {used} of {max} {what}",
  "config.lock-expired": "{path} was not renewed for {ms} ms, and another waits for it",
  "ha.elected-dc": "{node} took the manager lock with epoch {epoch}",
  "ha.lost-dc": "{node} no longer holds the manager lock",
  "ha.guard-held": "a majority heard our beat {ms} ms ago",
  "ha.guard-lapsed": "no majority heard us for {ms} ms; every resource is killed",
  "ha.guard-storage-lost": "our registration on the disk is gone; every resource is killed",
  "ha.guard-stuck": "killed resources are not gone yet; the node owns nothing until they are",
  "ha.placed": "{id} → {node}: score {score}, best of {candidates}",
  "ha.owned": "{id} → {node}: its definition lies there",
  "ha.no-node": "no node may run {id}: {why}",
  "ha.requested": "{id} is wanted {state}",
  "ha.started": "{id} started on {node}",
  "ha.stopped": "{id} stopped on {node}",
  "ha.start-failed": "{id} did not start on {node}: {why}",
  "ha.stop-failed": "{id} did not stop on {node}: {why}",
  "ha.stop-fenced":
    "{id} did not stop on {node}: everything there is killed; what cannot be is the watchdog's",
  "ha.monitor-failed": "{id} failed on {node}: {why}",
  "ha.restarted": "{id} is restarted on {node}, try {tries} of {max}",
  "ha.adopted": "{id} was already running on {node} and is taken over",
  "ha.node-fail": "{node} is DOWN; {id} waits for the proof that it is dead",
  "ha.fence-wait": "{node} counts as dead: silent for {ms} ms, lease and watchdog have run out",
  "ha.fence-unarmed": "{node} had no watchdog: only a person or the disk can prove its death",
  "ha.clean-stop": "{node} said that it stopped cleanly",
  "ha.self-fenced": "{node} said that it fenced itself",
  "ha.storage-proof": "{node} can write no more: its key is gone from every disk",
  "ha.confirmed-dead": "a person confirmed that {node} is dead",
  "ha.takeover": "takeover: {id} from {from} to {node}, reason={why}",
  "ha.migrated": "{id} moves from {from} to {node}: {why}",
  "ha.handed-over": "{id} goes on on {node}: its memory came over from {from} while it ran",
  "ha.migration-failed": "{id} stays on {node} and runs on: it could not migrate: {why}",
  "ha.migration-refused": "{id} does not migrate, says {node}: {why}",
  "ha.rule-moved": '{id} moves from {from} to {node}: rule "{rule}": {why}',
  "ha.failback": '{id} goes back from {from} to {node}, which rule "{rule}" prefers',
  "ha.drained": "{id} moves from {from} to {node}: {from} is in maintenance",
  "ha.parting": "{node} stops in order; its resources: {parting}",
  "ha.reboot": "a person asked for it, and nothing is left on {node}",
  "ha.parted": "{id} moves from {from} to {node}: {from} stops",
  "ha.home": "{id} goes back from {from} to {node}, where it was before",
  "ha.frozen": "{id} waits for {node}, which stopped in order, to come back",
  "ha.thawed": "{node} is back, and {id} goes on there",
  "ha.waits-for": '{id} starts after {other} runs, by rule "{rule}"',
  "ha.order-refused": "{id} is not moved to {node}: {why}",
  "ha.order-dropped": 'the order "{order}" is dropped: {why}',
  "ha.disarmed":
    "a person disarmed HA: nothing is started, stopped, moved or fenced until it is armed",
  "ha.disarmed-refused": 'the order "{order}" is dropped: HA is disarmed',
  "ha.disarm-refused": "HA is not disarmed: {why}",
  "ha.arming": "a person arms HA again; each node has to say that its guard is held",
  "ha.armed": "every node that is not dead said that its guard is held",
  "ha.guard-suspended": "HA is disarmed: what runs on {node} goes on without a guard",
  "ha.fence-disarmed":
    "{node} fell silent while it was disarmed: only a person can prove its death, or the disk",
  "ha.node-back": "{node} is heard again",
  "ha.gave-up": "{id} failed on every node it may run on, at last on {node}: {why}",
  "ha.invalid": "{id} cannot run on any node as it is defined: {why}",
  "storage.ready": "disk {disk} carries our label and our registration",
  "storage.disk-lost": "disk {disk} does not answer: {why}",
  "storage.pulse-seen": "{node} writes its pulse",
  "storage.pulse-silent": "{node} wrote no pulse for {ms} ms",
  "storage.head-start":
    "{node} holds {theirs} disk locks, we hold {ours}: it goes first by {ms} ms",
  "storage.claimed": "PREEMPT AND ABORT of {node} succeeded: the witness vote is ours",
  "storage.claimed-plain":
    "{node} was ejected, and what it had sent has had its time: the witness vote is ours",
  "storage.claim-alone": "no other node is registered: the witness vote is ours",
  "storage.claim-lost": "the claim failed: {why}",
  "storage.registration-lost": "our key is gone from disk {disk}: another node won the judgement",
  "storage.forgotten": "disk {disk} lost every registration: a reset, or somebody cleared them",
  "storage.unfence-waits":
    "no key of ours is on disk {disk}; one is made when nothing runs here, or the others hear us",
  "storage.witness-released": "both nodes commit again: the witness vote is given back",
  "storage.tested": "disk {disk} did all that its self-test asks for",
  "storage.tested-short": "of disk {disk} the self-test has not seen that {what}",
  "storage.no-abort":
    "disk {disk} has no PREEMPT AND ABORT: what an ejected node had sent may still land there",
  "storage.fenced": "{node} can no longer write to disk {disk}",
  "storage.pill-left": "{node} is told on the disk to end what it runs, should it live",
  "storage.pill-read": "{node} left a poison pill for this life: every resource is killed",
  "join.invited": "a ticket for one join was made, valid for {ms} ms",
  "join.revoked": "a person ended the ticket before its time",
  "join.key": "the cluster's key is renewed: this node seals with {id}",
  "join.key-strange":
    "the cluster's key {id} is none that this node could have: it was renewed without it",
  "join.learner": "{node} joins as learner",
  "join.promoted": "{node} is caught up and votes from now on",
} as const satisfies Readonly<Record<string, string>>;

/** A stable code out of {@link REASONS}. */
export type ReasonCode = keyof typeof REASONS;

/** True for a code out of {@link REASONS}. */
export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(REASONS, text);
}

/** Why something was decided: a code and the values of its sentence. */
export interface Reason {
  readonly code: ReasonCode;
  readonly args: Readonly<Record<string, string | number>>;
}

/** Makes a reason. */
export function reason(code: ReasonCode, args: Reason["args"] = {}): Reason {
  return { code, args };
}

/** The sentence of a reason, with its values; a missing value prints as `?`. */
export function formatReason({ code, args }: Reason): string {
  return REASONS[code].replace(/\{(\w+)\}/g, (_whole, name: string) => String(args[name] ?? "?"));
}
