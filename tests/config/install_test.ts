/** A snapshot taken over: durable before it is acknowledged, and never a step back. */
import assert from "node:assert/strict";
import { crc32 } from "../../mod/base/checksum.ts";
import { nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { CONFIG_LIMITS, type ConfigLimits } from "../../mod/config/compaction.ts";
import { ConfigCore } from "../../mod/config/mod.ts";
import { type Chunk, type Snapshot, SnapshotEncoder } from "../../mod/config/snapshot.ts";
import { encodeEntry, encodeMessage } from "../../mod/config/wire.ts";
import { specOf } from "./cluster.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";

const SMALL: ConfigLimits = { ...CONFIG_LIMITS, tailBytes: 0, tailEntries: 4 };
const TERM = 3;

/** The state after entry `index`: one file, one request, written at 2. */
function snapshotAt(index: number, over: Partial<Snapshot> = {}): Snapshot {
  const spec = { ...specOf(3, false), name: "newer" };
  const file = { ino: 2049, parent: 0, name: "there", kind: "file" as const, mtime: 1 };
  return {
    ...{ applied: index, stateCrc: 77, base: { index, term: TERM, chain: 99 } },
    spec: { index: 1, body: encodeEntry({ kind: "spec", spec, highest: 9 }) },
    rows: [{ ...file, version: 2, writer: 1, data: Uint8Array.of(1, 2, 3) }],
    requests: [{ index: 2, request: "00000000000000aa", problem: "", why: "" }],
    locks: [],
    ...over,
  };
}

function chunksOf(snapshot: Snapshot): Chunk[] {
  const encoder = new SnapshotEncoder(snapshot, 120);
  const chunks: Chunk[] = [];
  for (let chunk = encoder.next(); chunk !== null; chunk = encoder.next()) chunks.push(chunk);
  return chunks;
}

interface Sending {
  readonly term?: number;
  readonly transfer?: number;
  readonly forced?: boolean;
}

function messageOf(snapshot: Snapshot, chunk: Chunk, sending: Sending = {}) {
  const { base: { index, term: lastTerm, chain }, stateCrc: state } = snapshot;
  const { term = TERM, transfer = 1, forced = false } = sending;
  const head = { kind: "snapshot", term, transfer, forced, index, lastTerm, chain, state } as const;
  return { ...head, ...chunk };
}

function send(lone: Lone, snapshot: Snapshot, sending: Sending = {}): void {
  for (const chunk of chunksOf(snapshot)) lone.hear(2, messageOf(snapshot, chunk, sending));
}

function beat(lone: Lone, prevIndex: number, prevTerm: number, count = 0): void {
  const entries = Array.from({ length: count }, () => entryOfTerm(TERM));
  const append = { kind: "append", term: TERM, prevIndex, prevTerm, round: 0 } as const;
  lone.hear(2, { ...append, entries, commit: prevIndex + count });
}

function isDone(lone: Lone): boolean {
  return lone.last(2, "snapshot-reply")?.done === true;
}

Deno.test("a snapshot is the state afterwards: tree, members, requests, log, on disk as in memory", () => {
  const lone = new Lone();
  beat(lone, 0, 0, 3);
  send(lone, snapshotAt(50));
  assert.ok(isDone(lone));
  const view = lone.core.view();
  assert.deepEqual([view.applied, view.committed, view.lastIndex, view.logBase], [50, 50, 50, 50]);
  assert.deepEqual([view.stateCrc, view.committedChain], [77, 99]);
  assert.deepEqual(lone.core.read("there"), Uint8Array.of(1, 2, 3));
  const facts = lone.facts.slice(-10).map((fact) =>
    fact.fact === "config.spec" ? fact.spec.name : fact.fact === "config.applied" && fact.whole
  );
  assert.ok(facts.includes("newer") && facts.includes(true), "everybody is told of all of it");
  const { content } = lone.database;
  assert.deepEqual([content.entries.length, content.base.index], [0, 50]);
  // It goes on from the log, also after a restart.
  const again = new ConfigCore(
    { self: nodeId(1), spec: specOf(3, false), stored: content, seed: 1 },
    instant(0),
  );
  assert.deepEqual(again.view().stateCrc, 77);
  assert.deepEqual(again.read("there"), Uint8Array.of(1, 2, 3));
  beat(lone, 50, TERM, 2);
  assert.deepEqual([lone.core.view().applied, lone.last(2, "append-reply")?.index], [52, 52]);
});

Deno.test("a retry of what was applied before the snapshot is not applied again", () => {
  const lone = new Lone();
  send(lone, snapshotAt(50));
  const operations = [{ op: "create", path: "again" }] as const;
  const entry = (request: string) => ({
    kind: "transaction" as const,
    writer: 1,
    transaction: transactionOf(1, operations, { request: request as never, base: 1 }),
  });
  const entries = [entryOfTerm(TERM, entry("00000000000000aa"))];
  const append = { kind: "append", term: TERM, prevTerm: TERM, round: 0 } as const;
  lone.hear(2, { ...append, prevIndex: 50, entries, commit: 51 });
  assert.equal(lone.core.view().applied, 51);
  assert.equal(lone.core.stat("again"), null, "the snapshot brought its memory along");
  lone.hear(2, {
    ...append,
    ...{ prevIndex: 51, entries: [entryOfTerm(TERM, entry("00000000000000bb"))], commit: 52 },
  });
  assert.notEqual(lone.core.stat("again"), null);
});

Deno.test("nothing is acknowledged before the disk has the whole of it", () => {
  const lone = new Lone();
  const snapshot = snapshotAt(50);
  const chunks = chunksOf(snapshot);
  const last = chunks.at(-1);
  assert.ok(last && chunks.length > 2);
  for (const chunk of chunks.slice(0, -1)) lone.hear(2, messageOf(snapshot, chunk));
  assert.equal(lone.last(2, "snapshot-reply")?.next, chunks.length - 1);
  const effects = lone.core.step(
    { kind: "frame", from: nodeId(2), bytes: encodeMessage(messageOf(snapshot, last)) },
    instant(lone.now),
  );
  const kinds = effects.flatMap((each) =>
    each.kind === "persist"
      ? [each.lazy ? "lazy" : each.batch.install ? "install" : "persist"]
      : each.kind === "frame"
      ? [each.eager ? "eager" : "frame"]
      : []
  );
  assert.deepEqual(kinds, ["install", "frame"], "the answer waits behind the one batch");
});

Deno.test("chunks that come early are kept, lost ones are asked for, doubled ones change nothing", () => {
  const lone = new Lone();
  const snapshot = snapshotAt(50);
  const chunks = chunksOf(snapshot);
  const hear = (at: number, sending: Sending = {}) => {
    const chunk = chunks[at];
    assert.ok(chunk);
    lone.hear(2, messageOf(snapshot, chunk, sending));
    return lone.last(2, "snapshot-reply")?.next;
  };
  assert.equal(hear(1), 0, "it begins at the beginning");
  assert.deepEqual([hear(0), hear(2), hear(0), hear(1)], [2, 3, 3, 3]);
  assert.equal(hear(1, { transfer: 2 }), 0, "another one begins anew");
  assert.equal(hear(0, { transfer: 2 }), 2, "with its own second chunk, which came early");
  assert.equal(lone.core.view().applied, 0);
  for (let at = 1; at < chunks.length; at++) hear(at, { transfer: 2 });
  assert.ok(isDone(lone));
  // The last acknowledgement was lost: it is given again, and nothing is installed twice.
  hear(chunks.length - 1, { transfer: 2 });
  assert.ok(isDone(lone));
  assert.equal(lone.database.installs, 1);
});

Deno.test("a leader that was not heard for a while goes on where it was; one of a newer term begins anew", () => {
  const lone = new Lone();
  const snapshot = snapshotAt(50);
  const chunks = chunksOf(snapshot);
  const hear = (at: number, sending: Sending = {}) => {
    lone.hear(2, messageOf(snapshot, chunks[at] ?? assert.fail(), sending));
    return lone.last(2, "snapshot-reply")?.next;
  };
  assert.deepEqual([hear(0), hear(1)], [1, 2]);
  lone.pass(10_000);
  assert.deepEqual([lone.core.view().role, lone.core.view().leader], ["candidate", null]);
  assert.equal(hear(2), 3, "the same leader, the same transfer");
  assert.equal(hear(3, { term: TERM + 1 }), 0);
  assert.equal(hear(0, { term: TERM + 1 }), 1);
});

Deno.test("what is older than what is here, in term or index, is not taken", () => {
  const lone = new Lone();
  send(lone, snapshotAt(50));
  beat(lone, 50, TERM, 10);
  const { stateCrc } = lone.core.view();
  send(lone, snapshotAt(55), { transfer: 9 });
  assert.ok(isDone(lone), "it is here already");
  send(lone, snapshotAt(90), { term: TERM - 1, transfer: 10 });
  assert.equal(lone.last(2, "snapshot-reply")?.term, TERM);
  assert.equal(isDone(lone), false);
  const view = lone.core.view();
  assert.deepEqual([view.applied, view.lastIndex, view.stateCrc], [60, 60, stateCrc]);
  assert.equal(lone.database.installs, 1);
});

Deno.test("the log behind a snapshot stays where it matches, for a majority may rest on it", () => {
  const source = new Lone();
  beat(source, 0, 0, 8);
  const bodies = source.database.content.entries.map(({ body }) => body);
  const chain = bodies.slice(0, 5).reduce((crc, body) => crc32(body, crc), 0);
  const base = { index: 5, term: TERM, chain };
  // What is in the log is not known to be committed yet.
  const lone = new Lone();
  const entries = bodies.map((body) => ({ term: TERM, body }));
  const append = { kind: "append", term: TERM, prevIndex: 0, prevTerm: 0, round: 0 } as const;
  lone.hear(2, { ...append, entries, commit: 0 });
  send(lone, snapshotAt(5, { base }));
  assert.deepEqual([lone.core.view().logBase, lone.core.view().lastIndex], [5, 8]);
  assert.equal(lone.database.content.entries.length, 3);

  const other = new Lone();
  other.hear(2, { ...append, entries, commit: 0 });
  send(other, snapshotAt(5, { base: { ...base, chain: (chain ^ 1) >>> 0 } }));
  assert.deepEqual([other.core.view().logBase, other.core.view().lastIndex], [5, 5]);
  assert.deepEqual(other.database.content.entries, []);
});

Deno.test("a snapshot that is no state is refused with a sentence, and nothing changes", () => {
  const lone = new Lone();
  const bad = snapshotAt(50);
  const rows = bad.rows.map((row) => ({ ...row, parent: 12345 }));
  send(lone, { ...bad, rows });
  assert.equal(isDone(lone), false);
  assert.equal(lone.core.view().applied, 0);
  assert.equal(lone.database.installs, 0);
  send(lone, bad, { transfer: 2 });
  assert.ok(isDone(lone), "and the next one is taken");
  assert.ok(lone.codes.has("config.bad-snapshot"));
});

Deno.test("a replica that is told that it differs does not lead until it is rebuilt, come what may", () => {
  const lone = new Lone(specOf(3, false), SMALL);
  beat(lone, 0, 0, 60);
  const vote = { kind: "vote", pre: false, transfer: false, lastIndex: 999, lastTerm: 9 } as const;
  const snapshot = snapshotAt(50);
  const [first] = chunksOf(snapshot);
  assert.ok(first);
  lone.hear(2, messageOf(snapshot, first, { forced: true }));
  assert.equal(lone.database.content.diverged, true, "before anybody hears of it");
  assert.match(lone.core.view().blocked ?? "", /differs from its peers/);
  beat(lone, 60, TERM);
  assert.equal(lone.last(2, "append-reply")?.diverged, true);
  const stored = lone.database.content;
  const again = new ConfigCore(
    { self: nodeId(1), spec: specOf(3, false), stored, seed: 1 },
    instant(0),
  );
  assert.equal(again.view().diverged, true, "its restart changes nothing");
  lone.pass(10_000);
  assert.notEqual(lone.core.view().role, "candidate");
  assert.equal(lone.sent.some(({ message }) => message.kind === "vote"), false);
  lone.hear(3, { ...vote, term: TERM + 1 });
  assert.equal(lone.last(3, "vote-reply")?.granted, false);
  // Rebuilt, although the state is older than what it holds.
  send(lone, snapshot, { term: TERM + 1, transfer: 2, forced: true });
  assert.ok(isDone(lone));
  assert.equal(lone.database.content.diverged, false);
  assert.deepEqual([lone.core.view().applied, lone.core.view().stateCrc], [50, 77]);
  lone.pass(10_000);
  lone.hear(3, { ...vote, term: TERM + 9 });
  assert.equal(lone.last(3, "vote-reply")?.granted, true);
  assert.ok(lone.codes.has("config.rebuilt-by"));
});

Deno.test("after a snapshot the log goes on at once, whatever was under way before it", () => {
  const lone = new Lone();
  lone.lead(2);
  const rest = { applied: 0, state: 0, content: 0, round: 0, diverged: false };
  const reply = { kind: "append-reply", term: 1, ok: true, ...rest } as const;
  lone.hear(3, { ...reply, index: 1, chain: lone.chain(1) });
  // Two appends are on their way to node 3 when its log turns out to be another one.
  for (const name of ["a", "b"]) {
    lone.propose(name, transactionOf(1 + name.charCodeAt(0), [{ op: "create", path: name }]));
  }
  lone.hear(3, { ...reply, index: 1, chain: 12345 });
  const { lastIndex, stateCrc } = lone.core.view();
  const base = { index: 1, chain: lone.chain(1) };
  lone.hear(2, { ...reply, ...base, applied: 1, state: stateCrc });
  lone.passBeat();
  assert.equal(lone.last(3, "differs")?.sure, true);
  assert.equal(lone.last(3, "snapshot"), undefined, "not before it knows");
  lone.hear(3, { ...reply, index: 1, chain: 12345, diverged: true });
  lone.acknowledge(2, lastIndex);
  const sent = lone.last(3, "snapshot");
  assert.ok(sent?.forced && sent.last);
  const { transfer } = sent;
  lone.sent.length = 0;
  lone.hear(3, { kind: "snapshot-reply", term: 1, transfer, next: 1, done: true });
  const went = lone.sent.flatMap(({ to, message }) =>
    to === 3 && message.kind === "append" ? message.entries.map(() => message.prevIndex) : []
  );
  assert.deepEqual(went, [sent.index, sent.index], "both entries behind it");
});

Deno.test("a leader is not the odd one because the others say that they are wrong themselves", () => {
  const lone = new Lone();
  lone.lead(2);
  const { stateCrc: state, content } = lone.core.view();
  const ends = { index: 1, chain: lone.chain(1), applied: 1, state, content, round: 0 };
  const confession = { kind: "append-reply", term: 1, ok: true, ...ends, diverged: true } as const;
  lone.hear(2, confession);
  lone.hear(3, confession);
  assert.equal(lone.core.view().diverged, false);
  lone.passBeat();
  lone.hear(2, confession);
  assert.ok(lone.last(2, "snapshot")?.forced, "it gives them back what they lost");
});

Deno.test("of a pair the one that differs votes for the other, and never for itself", () => {
  const lone = new Lone(specOf(2, false));
  beat(lone, 0, 0, 3);
  const snapshot = snapshotAt(50);
  const [first] = chunksOf(snapshot);
  assert.ok(first);
  lone.hear(2, messageOf(snapshot, first, { forced: true }));
  lone.pass(10_000);
  assert.equal(lone.sent.some(({ message }) => message.kind === "vote"), false);
  const vote = {
    kind: "vote",
    pre: false,
    transfer: false,
    lastIndex: 999,
    lastTerm: 9,
    term: 9,
  } as const;
  lone.hear(2, vote);
  assert.equal(lone.last(2, "vote-reply")?.granted, true, "else nobody could ever rebuild it");
});
