/**
 * The manager: from what is decided, wanted and reported to what is decided next. A pure function;
 * `core.ts` writes its result as one transaction that expects the status it started from.
 *
 * @module
 */
import { nameOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { formatReason, type Reason, reason } from "../base/reason.ts";
import type { DeathProof } from "../streams.ts";
import { isVouchedFor, planNodes } from "./node_plan.ts";
import { Draft } from "./draft.ts";
import { found } from "./found.ts";
import { isGuardless } from "./fit.ts";
import { MACHINE_MOVES_MAX, ownerOf } from "./machines.ts";
import { frozenPlan, modeAfter, modeOrder, unsettled } from "./frozen.ts";
import { cold, sentOff, turnOf, withoutPast, wouldStop } from "./live_move.ts";
import { homeTarget, idleOrders, orderedMove, wantedMove } from "./moves.ts";
import { choose } from "./placement.ts";
import { Proofs } from "./proofs.ts";
import { inOrder, isGone, localOf, waitsFor } from "./ordering.ts";
import { decisionBytes, DECISIONS_BYTES_MAX, type Resource, spoken } from "./resource.ts";
import { type Plan, remembered, type Situation, type Takeover } from "./situation.ts";
import type { ServiceEntry } from "./status.ts";

/** Makes the next plan; its status equals the old one where nothing is to be decided. */
export function plan(situation: Situation): Plan {
  if (situation.mode === "disarmed") return frozenPlan(situation);
  const disarm = modeOrder(situation) === "disarm";
  const why = disarm ? unsettled(situation) : null;
  if (disarm && why === null) return frozenPlan(situation);
  const planner = new Planner(situation);
  if (why !== null) planner.say("HA stays armed", reason("ha.disarm-refused", { why }));
  return planner.plan();
}

/** What is wanted of it; nobody defines it. */
type Wanted = Resource | undefined;

class Planner {
  readonly #situation: Situation;
  readonly #draft: Draft;
  readonly #said: { text: string; because: Reason }[] = [];
  readonly #takeovers: Takeover[] = [];
  /** Machines that were placed anew. */
  #moved = 0;
  /** Bytes that are left for decisions about what nothing is decided of yet. */
  #room: number;
  readonly #proofs: Proofs;

  constructor(situation: Situation) {
    this.#situation = remembered(situation);
    this.#room = DECISIONS_BYTES_MAX - decisionBytes(situation.status.services.keys());
    const nodes = planNodes(situation, (text, because) => this.#said.push({ text, because }));
    this.#draft = new Draft(situation.rules, nodes, situation.status.services);
    this.#proofs = new Proofs(this.#situation, nodes);
    // What was given to a node and does not run yet is not in its vitals.
    for (const [id, { state, node }] of situation.status.services) {
      if (state !== "started" || node === null) continue;
      if (this.#local(id, node).state !== "running") this.#draft.place(node);
    }
  }

  plan(): Plan {
    const { definitions, status } = this.#situation;
    if (!definitions.broken) {
      const ids = new Set([...status.services.keys(), ...definitions.resources.keys()]);
      for (const id of inOrder(ids, this.#situation)) this.#service(id);
    }
    for (const because of idleOrders(this.#situation)) this.say("an order is dropped", because);
    const { nodes, services } = this.#draft;
    const { out } = this.#situation;
    return {
      out: new Map([...out].filter(([id]) => !isVouchedFor(this.#situation, id))),
      status: { nodes, services: new Map(services) },
      mode: this.#modeAfter(nodes),
      said: this.#said,
      takeovers: this.#takeovers,
      eject: this.#proofs.eject,
    };
  }

  say(text: string, because: Reason): void {
    this.#said.push({ text, because });
  }

  #modeAfter(nodes: Situation["status"]["nodes"]): Situation["mode"] {
    const { mode } = this.#situation;
    const next = modeAfter(mode, nodes);
    if (next !== mode) this.say("HA is armed", reason("ha.armed"));
    return next;
  }

  #service(id: ResourceId): void {
    const { definitions, status } = this.#situation;
    const resource = definitions.resources.get(id);
    const known = status.services.get(id);
    if (definitions.unreadable.has(id) || resource?.wanted === "ignored") {
      // What was begun is ended, for it runs nowhere in the midst of it.
      if (known?.live !== undefined) this.#draft.set(id, this.#ended(id, known));
      return;
    }
    const old = known ?? found(this.#situation, this.#draft, id);
    if (old === null) return;
    // What was removed has to be gone before as much can come.
    if (known === undefined && (this.#room -= decisionBytes([id])) < 0) return;
    if (known === undefined && old.why !== null) this.#say(id, old, old.why);
    const next = this.#next(id, old, resource);
    this.#draft.set(id, next === null ? null : withoutPast(old, next));
  }

  #ended(id: ResourceId, known: ServiceEntry): ServiceEntry {
    const { node, state } = known;
    if (node === null || !this.#draft.isOnline(node)) return known;
    if (state === "relocate") {
      return this.#migrating(id, known, isGone(this.#situation, id, node)) ?? known;
    }
    return this.#local(id, node).state === "running" ? cold(known) : known;
  }

  /** What becomes of a resource; null: it is forgotten. */
  #next(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const run = resource?.wanted === "started";
    switch (old.state) {
      case "stopped":
        if (resource === undefined) return null;
        return run ? this.#place(id, { ...old, tried: [] }) : old;
      case "request_start":
      case "started":
        return this.#started(id, old, resource);
      case "request_stop":
        return this.#stopping(id, old, resource);
      case "relocate":
        return this.#relocating(id, old, run);
      case "fence":
        return this.#fenced(id, old, resource);
      case "recovery":
        return this.#recovering(id, old, resource);
      case "freeze":
        return this.#frozen(id, old, resource);
      case "error":
        // It failed when it was last looked at; a daemon that began anew may have started it since.
        return run ? old : this.#stopping(id, old, resource);
    }
  }

  #started(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { spec } = this.#situation;
    const node = old.node;
    if (node === null) return { ...old, state: "stopped" };
    const name = nameOf(spec, node);
    const frozen = this.#draft.nodes.get(node)?.shutdown?.how === "freeze";
    if (frozen && resource?.wanted === "started") {
      return this.#say(id, { ...old, state: "freeze" }, reason("ha.frozen", { id, node: name }));
    }
    if (!this.#draft.isOnline(node)) return this.#toFence(id, old, name);
    if (resource?.wanted !== "started") {
      const because = reason("ha.requested", { id, state: resource?.wanted ?? "removed" });
      return this.#say(id, { ...old, state: "request_stop", target: null }, because);
    }
    const { state, why } = this.#local(id, node);
    if (state === "failed") return this.#failed(id, old, { resource, why });
    if (state === "invalid") {
      return this.#say(id, { ...old, state: "error" }, reason("ha.invalid", { id, why }));
    }
    // What ran there ended with its guard; by its own word, which is to come, it is gone.
    if (state === "stopped" && isGuardless(this.#situation, node)) {
      const away = this.#away(id, old, name);
      if (away !== null) return away;
    }
    const placed = { id, node, tried: old.tried, home: old.home };
    const order = orderedMove(this.#situation, this.#draft, placed);
    if (order !== null && "refused" in order) {
      this.#said.push({ text: `${spoken(id)} stays`, because: order.refused });
    } else {
      // What does not run well yet is left alone, but for maintenance.
      const { maintenance, shutdown } = this.#draft.nodes.get(node) ?? {};
      const comes = old.live !== undefined && state !== "running";
      const must = maintenance === true || shutdown?.how === "migrate";
      const may = state === "running" || (must && !comes);
      const move = order ?? (may ? wantedMove(this.#situation, this.#draft, placed) : null);
      const stays = move?.soft === true && wouldStop(this.#situation, id, node);
      if (move !== null && !stays) {
        const runs = state === "running";
        const next = sentOff(this.#situation, old, { id, node, move, runs });
        return this.#say(id, next, move.because);
      }
    }
    if (old.live !== undefined && state === "running") return cold(old);
    const forgive = old.tried.length > 0 && this.#situation.steady(id);
    return forgive ? { ...old, tried: [] } : old;
  }

  /** To another node, for its own holds no guard; null: nobody takes it. */
  #away(id: ResourceId, old: ServiceEntry, from: string): ServiceEntry | null {
    const { node: target } = choose(this.#situation, this.#draft, { id, except: old.tried });
    if (target === null) return null;
    const why = "no majority hears that node, which starts nothing";
    const to = nameOf(this.#situation.spec, target);
    const because = reason("ha.migrated", { id, from, node: to, why });
    return this.#say(id, { ...old, state: "relocate", target }, because);
  }

  #failed(
    id: ResourceId,
    old: ServiceEntry,
    { resource, why }: { resource: Resource; why: string },
  ): ServiceEntry {
    const node = nameOf(this.#situation.spec, old.node ?? this.#situation.self);
    const tried = [...new Set([...old.tried, ...(old.node === null ? [] : [old.node])])];
    this.#said.push({
      text: `${spoken(id)} failed on ${node}`,
      because: reason("ha.monitor-failed", { id, node, why }),
    });
    const failure = `it failed there: ${why}`;
    if (tried.length <= resource.maxRelocate) {
      const choice = choose(this.#situation, this.#draft, { id, except: tried });
      if (choice.node !== null) {
        // "Failed" is not final: a daemon that begins anew reads that it is to run there and starts
        // it. Only what its node says of it in `relocate`, where nothing starts, is.
        const [target, to] = [choice.node, nameOf(this.#situation.spec, choice.node)];
        const because = reason("ha.migrated", { id, from: node, node: to, why: failure });
        return this.#say(id, { ...old, state: "relocate", target, tried }, because);
      }
    }
    return this.#say(
      id,
      { ...old, state: "error", tried },
      reason("ha.gave-up", { id, node, why }),
    );
  }

  #stopping(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { node } = old;
    if (
      node === null || this.#draft.nodes.get(node)?.state === "dead" ||
      isGone(this.#situation, id, node)
    ) {
      return this.#rest(id, old, resource);
    }
    return old;
  }

  #relocating(id: ResourceId, old: ServiceEntry, run: boolean): ServiceEntry {
    const { node, target } = old;
    const name = node === null ? "?" : nameOf(this.#situation.spec, node);
    if (node === null || !this.#draft.isOnline(node)) return this.#toFence(id, old, name);
    if (!run) {
      const because = reason("ha.requested", { id, state: "stopped" });
      return this.#say(id, { ...old, state: "request_stop", target: null }, because);
    }
    const gone = isGone(this.#situation, id, node);
    const moved = this.#migrating(id, old, gone);
    if (moved !== null) return moved;
    if (!gone) return old;
    // What made it give way may be over by now.
    const placed = { id, node: target ?? node, tried: old.tried, home: old.home };
    const preferred = homeTarget(this.#situation, this.#draft, placed) ?? target;
    return this.#place(id, { ...cold(old), target: null }, { preferred, except: old.tried });
  }

  /** Of a machine that moves while it runs; null: it does not. */
  #migrating(id: ResourceId, entry: ServiceEntry, gone: boolean): ServiceEntry | null {
    const room = () => this.#moved++ < MACHINE_MOVES_MAX;
    const turn = turnOf(this.#situation, this.#draft, { id, entry, gone, room });
    return turn?.because ? this.#say(id, turn.next, turn.because) : turn?.next ?? null;
  }

  /** Its node stopped in order and is to come back; a person's word that it will not frees it. */
  #frozen(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { node } = old;
    if (node === null) return { ...old, state: "stopped" };
    const entry = this.#draft.nodes.get(node);
    const run = resource?.wanted === "started";
    const isDead = entry?.state === "dead";
    if (!run) {
      return isDead || isGone(this.#situation, id, node) ? this.#rest(id, old, resource) : old;
    }
    if (isDead && entry?.confirmed === true) return this.#place(id, old, { proof: "confirmed" });
    if (entry?.state !== "online" || entry.shutdown !== null) return old;
    const because = reason("ha.thawed", { id, node: nameOf(this.#situation.spec, node) });
    return this.#say(id, { ...old, state: "started" }, because);
  }

  /** Its node was proven dead, and nobody could take it. */
  #recovering(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { node } = old;
    // It is back: after storage proof it may run there still.
    const back = node !== null && this.#draft.isOnline(node);
    if (back && !isGone(this.#situation, id, node)) return old;
    // It may have been back since it was proven: then that proof is of the past.
    const proof = back || node === null ? null : this.#proofs.of(node, resource);
    if (proof === null && !back && node !== null) return old;
    if (resource?.wanted !== "started") return this.#rest(id, old, resource);
    return this.#place(id, old, { proof });
  }

  #fenced(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { node } = old;
    const entry = node === null ? undefined : this.#draft.nodes.get(node);
    if (node === null || entry === undefined) return old;
    const run = resource?.wanted === "started";
    if (entry.state === "online") {
      const why = reason("ha.adopted", { id, node: nameOf(this.#situation.spec, node) });
      return { ...old, state: run ? "started" : "request_stop", why };
    }
    const proof = this.#proofs.of(node, resource);
    if (proof === null) return old;
    return run ? this.#place(id, old, { proof }) : this.#rest(id, old, resource);
  }

  #toFence(id: ResourceId, old: ServiceEntry, name: string): ServiceEntry {
    const because = reason("ha.node-fail", { node: name, id });
    return this.#say(id, { ...old, state: "fence", target: null }, because);
  }

  /** Gives it to a node; with a proof it is a takeover from the node that it has. */
  #place(
    id: ResourceId,
    old: ServiceEntry,
    how: {
      readonly proof?: DeathProof | null;
      readonly preferred?: NodeId | null;
      readonly except?: readonly NodeId[];
    } = {},
  ): ServiceEntry {
    const { proof = null, preferred = null, except = [] } = how;
    const from = old.node;
    const waits = old.state === "relocate" ? null : waitsFor(this.#situation, this.#draft, id);
    if (waits !== null) return this.#unplaced(id, old, { proof, because: waits });
    const owned = this.#owned(id, old, proof);
    if (owned !== null) return owned;
    // A node that is in `fence` or dead is no candidate anyway.
    const choice = choose(this.#situation, this.#draft, { id, except, preferred });
    if (choice.node === null) {
      return this.#unplaced(id, old, { proof, because: choice.because });
    }
    if (proof !== null && from !== null && from !== choice.node) {
      this.#takeovers.push({ id, from, to: choice.node, proof });
    }
    const home = old.home === choice.node ? null : old.home;
    return this.#say(id, { ...old, state: "started", node: choice.node, home }, choice.because);
  }

  /** A machine starts at its owner, and leaves only an owner known not to run it. Null: it may. */
  #owned(id: ResourceId, old: ServiceEntry, proof: DeathProof | null): ServiceEntry | null {
    const owner = this.#situation.out.size > 0 ? null : ownerOf(this.#situation, id);
    if (owner === null) return null;
    if ("why" in owner) {
      const because = reason("ha.no-node", { id, why: owner.why });
      return this.#unplaced(id, old, { proof, because });
    }
    const { node, name } = owner;
    if (node === old.node && (proof !== null || old.state === "relocate")) {
      return this.#moved++ < MACHINE_MOVES_MAX ? null : old;
    }
    const because = reason("ha.owned", { id, node: name });
    return this.#say(id, { ...old, state: "started", node, target: null }, because);
  }

  /** Nobody may have it now: it waits, and says for what. */
  #unplaced(
    id: ResourceId,
    old: ServiceEntry,
    { proof, because }: { readonly proof: DeathProof | null; readonly because: Reason },
  ): ServiceEntry {
    const state = proof !== null || old.state === "recovery" ? "recovery" : "stopped";
    const same = old.why !== null && formatReason(old.why) === formatReason(because);
    const next: ServiceEntry = { ...old, state, why: because };
    // What is new is said; of a large status that has no room for reasons it would be all, each time.
    const isKnown = this.#situation.status.services.has(id) && old.state === state;
    if (isKnown && (old.why === null || old.why.code === because.code)) return same ? old : next;
    return this.#say(id, next, because);
  }

  /** It runs nowhere and is not wanted to; forgotten if nobody defines it. */
  #rest(id: ResourceId, old: ServiceEntry, resource: Wanted): ServiceEntry | null {
    const { spec, self } = this.#situation;
    if (resource === undefined) return null;
    // It is wanted again since its end was asked for: then it is placed by the next plan.
    const because = resource.wanted === "started"
      ? reason("ha.stopped", { id, node: nameOf(spec, old.node ?? self) })
      : reason("ha.requested", { id, state: resource.wanted });
    const next: ServiceEntry = { ...old, state: "stopped", target: null, home: null, tried: [] };
    return this.#say(id, next, because);
  }

  #say(id: ResourceId, entry: ServiceEntry, because: Reason): ServiceEntry {
    const node = entry.node === null ? "" : `, node=${nameOf(this.#situation.spec, entry.node)}`;
    this.#said.push({ text: `${spoken(id)}: ${entry.state}${node}`, because });
    return { ...entry, why: because };
  }

  #local(id: ResourceId, node: NodeId) {
    return localOf(this.#situation, id, node);
  }
}
