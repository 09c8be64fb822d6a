/** The lock table: who gets what, at its index, the same everywhere. */
import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import { joinBatches } from "../../mod/config/batch.ts";
import { LockTable, storedFault } from "../../mod/config/lock_table.ts";
import {
  type LockCommand,
  LOCKS_PER_FILE_MAX,
  LOCKS_PER_NODE_MAX,
  locksFault,
  NO_LIFE,
  OFFSET_MAX,
} from "../../mod/config/lock_wire.ts";
import { decodeEntry, encodeEntry } from "../../mod/config/wire.ts";

const INO = 2000;
const LIFE = "00000000000000a1";

function life(node: number, number = 1): string {
  return (node * 256 + number).toString(16).padStart(16, "0");
}

/** One table, and nodes that send it command after command. */
class Desk {
  readonly table: LockTable;
  readonly #seq = new Map<string, number>();

  constructor(table = new LockTable()) {
    this.table = table;
  }

  /** `start-end` in bytes; an owner is a process of node 1, 2, …: `1a` is `a` on node 1. */
  ask(who: string, what: string, options: Partial<LockCommand> = {}): string {
    const { node, command } = commandOf(who, what, options);
    const name = life(node);
    const seq = (this.#seq.get(name) ?? 0) + 1;
    this.#seq.set(name, seq);
    const entry = { node, life: name, before: NO_LIFE, seq, commands: [command] };
    assert.deepEqual(decodeEntry(encodeEntry({ kind: "locks", ...entry })), {
      ...{ kind: "locks", ...entry },
    });
    return this.table.run(entry).outcomes?.[0]?.result ?? "void";
  }

  show(ino = INO): string {
    return this.table.locks(ino).map(({ node, owner, kind, start, end }) => {
      const last = end === OFFSET_MAX ? "" : end;
      return `${node}${String.fromCharCode(Number(owner))}:${kind[0]}${start}-${last}`;
    }).join(" ");
  }
}

function commandOf(who: string, what: string, options: Partial<LockCommand>) {
  const [, kind = "", start = "", end = ""] = /^(\w+) (\d*)-(\d*)$/.exec(what) ?? [];
  const command: LockCommand = {
    ...{ type: "posix", kind: kind as LockCommand["kind"], ino: INO },
    ...{ owner: BigInt(who.charCodeAt(1)), pid: 7 },
    ...{ start: BigInt(start), end: end === "" ? OFFSET_MAX : BigInt(end) },
    ...options,
  };
  return { node: Number(who[0]), command };
}

/** What is asked, what comes of it, and what is locked then. */
const STORIES: Record<string, readonly (readonly [string, string, string, string])[]> = {
  "readers share, a writer is alone": [
    ["1a", "read 0-9", "done", "1a:r0-9"],
    ["2a", "read 5-", "done", "1a:r0-9 2a:r5-"],
    ["2b", "write 9-9", "conflict", "1a:r0-9 2a:r5-"],
    ["1a", "write 0-4", "done", "2a:r5- 1a:w0-4 1a:r5-9"],
    ["2a", "read 4-4", "conflict", "2a:r5- 1a:w0-4 1a:r5-9"],
  ],
  "the same hash on two nodes is two owners": [
    ["1a", "write 0-", "done", "1a:w0-"],
    ["2a", "write 0-", "conflict", "1a:w0-"],
  ],
  "an unlock in the middle splits": [
    ["1a", "write 0-9", "done", "1a:w0-9"],
    ["1a", "unlock 3-5", "done", "1a:w0-2 1a:w6-9"],
    ["2a", "write 3-5", "done", "1a:w0-2 1a:w6-9 2a:w3-5"],
    ["1a", "unlock 0-", "done", "2a:w3-5"],
  ],
  "what touches with the same kind is one": [
    ["1a", "read 0-4", "done", "1a:r0-4"],
    ["1a", "read 10-19", "done", "1a:r0-4 1a:r10-19"],
    ["1a", "read 5-9", "done", "1a:r0-19"],
    ["1a", "write 5-9", "done", "1a:r0-4 1a:w5-9 1a:r10-19"],
    ["1a", "read 0-", "done", "1a:r0-"],
  ],
  "a refused change leaves all as it was": [
    ["1a", "read 0-9", "done", "1a:r0-9"],
    ["2a", "read 9-9", "done", "1a:r0-9 2a:r9-9"],
    ["1a", "write 0-9", "conflict", "1a:r0-9 2a:r9-9"],
  ],
};

for (const [name, steps] of Object.entries(STORIES)) {
  Deno.test(`fcntl: ${name}`, () => {
    const desk = new Desk();
    for (const [who, what, result, shown] of steps) {
      assert.equal(desk.ask(who, what), result, `${who} ${what}`);
      assert.equal(desk.show(), shown, `after ${who} ${what}`);
    }
  });
}

Deno.test("flock: whole files, upgraded and downgraded, apart from fcntl", () => {
  const desk = new Desk();
  const flock = { type: "flock" } as const;
  assert.equal(desk.ask("1a", "write 0-"), "done", "of fcntl");
  assert.equal(desk.ask("2a", "read 5-6", flock), "done", "ranges are nothing to it");
  assert.equal(desk.ask("2b", "read 0-", flock), "done");
  assert.equal(desk.show(), "1a:w0- 2a:r0- 2b:r0-");
  assert.equal(desk.ask("2a", "write 0-", flock), "conflict");
  assert.equal(desk.show(), "1a:w0- 2b:r0-", "flock(2): what is converted is given back first");
  assert.equal(desk.ask("2b", "write 0-", flock), "done");
  assert.equal(desk.ask("2a", "write 0-", flock), "conflict");
  assert.equal(desk.ask("2b", "read 0-", flock), "done");
  assert.equal(desk.ask("2a", "read 0-", flock), "done");
  assert.equal(desk.show(), "1a:w0- 2b:r0- 2a:r0-");
});

Deno.test("a conflict and what was given back are told", () => {
  const { table } = new Desk();
  const run = (node: number, seq: number, commands: readonly LockCommand[]) =>
    table.run({ node, life: life(node), before: NO_LIFE, seq, commands: [...commands] });
  const write = commandOf("1a", "write 0-9", {}).command;
  assert.deepEqual([...run(1, 1, [write]).freed], []);
  assert.deepEqual(run(2, 1, [write, { ...write, ino: 7 }]).outcomes?.map(({ result }) => result), [
    ...["conflict", "done"],
  ]);
  assert.equal(table.conflict(2, write)?.node, 1);
  const { freed, outcomes } = run(1, 2, [{ ...write, kind: "unlock" }]);
  assert.deepEqual([...freed], [INO]);
  assert.deepEqual(outcomes?.[0]?.before.map(({ kind }) => kind), ["write"]);
  assert.equal(table.conflict(2, write), null);
});

Deno.test("an entry that comes twice is applied once", () => {
  const { table } = new Desk();
  const write = commandOf("1a", "write 0-9", {}).command;
  const entry = { node: 1, life: LIFE, before: NO_LIFE, seq: 1, commands: [write] };
  table.run(entry);
  table.run({ ...entry, seq: 2, commands: [{ ...write, kind: "unlock" }] });
  assert.deepEqual(table.run(entry).changed, []);
  assert.deepEqual(table.locks(INO), [], "a late lock would be nobody's");
});

Deno.test("a life gives back what the one before it had; commands of that one are void then", () => {
  const { table } = new Desk();
  const write = commandOf("1a", "write 0-9", {}).command;
  const first = { node: 1, life: life(1, 1), before: NO_LIFE, seq: 1, commands: [write] };
  table.run(first);
  const second = { node: 1, life: life(1, 2), before: life(1, 1), seq: 1, commands: [] };
  assert.deepEqual([...table.run(second).freed], [INO]);
  assert.deepEqual(table.locks(INO), []);
  assert.deepEqual(table.run({ ...first, seq: 2 }).changed, []);
  assert.deepEqual(table.run({ ...first, life: life(1, 3) }).changed, [], "it follows none");
  assert.equal(table.life(1)?.life, life(1, 2));
});

Deno.test("a dead life's locks are given back once, and its commands are void", () => {
  const { table } = new Desk();
  const write = commandOf("1a", "write 0-9", {}).command;
  const entry = { node: 1, life: LIFE, before: NO_LIFE, seq: 1, commands: [write] };
  table.run(entry);
  assert.deepEqual(table.release(1, life(1, 9)).changed, [], "another life is not meant");
  assert.deepEqual([...table.release(1, LIFE).freed], [INO]);
  assert.deepEqual(table.release(1, LIFE).changed, []);
  assert.deepEqual(table.run({ ...entry, seq: 2 }).changed, []);
  assert.deepEqual(table.run({ ...entry, before: LIFE, life: life(1, 9) }).outcomes?.length, 1);
});

Deno.test("who is no member has no locks", () => {
  const desk = new Desk();
  desk.ask("1a", "read 0-");
  desk.ask("2a", "read 0-");
  assert.deepEqual(desk.table.keep(new Set([1, 2])).changed, []);
  assert.deepEqual([...desk.table.keep(new Set([1])).freed], [INO]);
  assert.equal(desk.show(), "1a:r0-");
  assert.equal(desk.table.life(2), undefined);
});

Deno.test("bounds: of a file, and of a node; giving back frees room", () => {
  const desk = new Desk();
  const at = (start: number) => ({ start: BigInt(start), end: BigInt(start) });
  for (let number = 0; number < LOCKS_PER_FILE_MAX; number++) {
    assert.equal(desk.ask(number % 2 ? "1a" : "2a", "write 0-", at(2 * number)), "done");
  }
  assert.equal(desk.ask("3a", "write 0-", at(9999)), "full");
  assert.equal(desk.ask("1a", "unlock 0-", at(2)), "done");
  assert.equal(desk.ask("3a", "write 0-", at(9999)), "done");

  const other = new Desk();
  for (let number = 1; number <= LOCKS_PER_NODE_MAX; number++) {
    assert.equal(other.ask("1a", "write 0-", { ino: number }), "done");
  }
  assert.equal(other.ask("1a", "write 0-", { ino: 5000 }), "full");
  assert.equal(other.ask("2a", "write 0-", { ino: 5000 }), "done", "that harms nobody else");
  assert.equal(other.ask("1a", "unlock 5-5", { ino: 3 }), "full", "it would be two");
  assert.equal(other.ask("1a", "unlock 0-", { ino: 3 }), "done");
});

Deno.test("ranges that are none, lives that are none are not believed", () => {
  const { command } = commandOf("1a", "write 0-9", {});
  const entry = { node: 1, life: LIFE, before: NO_LIFE, seq: 1, commands: [command] };
  assert.equal(locksFault(entry), null);
  assert.match(locksFault({ ...entry, life: NO_LIFE }) ?? "", /no life/);
  assert.match(locksFault({ ...entry, seq: 0 }) ?? "", /number/);
  for (const bad of [{ start: 10n }, { end: OFFSET_MAX + 1n }, { ino: 0 }]) {
    assert.match(locksFault({ ...entry, commands: [{ ...command, ...bad }] }) ?? "", /range/);
  }
});

Deno.test("what is stored step by step is the table, also where steps are joined", () => {
  const prng = new Prng(5);
  const { table } = new Desk();
  const rows = new Map<number, Uint8Array>();
  const batch = (index: number, locks: ReturnType<LockTable["stored"]>) => ({
    applied: { index, term: 1, stateCrc: 0, rows: [], removed: [], history: [], forget: 0, locks },
  });
  for (let seq = 1; seq < 300; seq += 2) {
    const steps = [seq, seq + 1].map((each) =>
      table.run({
        ...{ node: 1, life: LIFE, before: NO_LIFE, seq: each },
        commands: [randomCommand(prng)],
      })
    );
    const [first, second] = steps.map(({ changed }, at) => batch(at, changed));
    assert.ok(first && second);
    for (const { key, body } of joinBatches([first, second]).applied?.locks ?? []) {
      if (body.length > 0) rows.set(key, body);
      else rows.delete(key);
    }
    const stored = [...rows].sort(([a], [b]) => a - b).map(([key, body]) => ({ key, body }));
    assert.deepEqual(stored, table.stored());
    assert.equal(storedFault(stored), null);
    assert.deepEqual(new LockTable(stored).stored(), stored);
  }
});

function randomCommand(prng: Prng): LockCommand {
  const [a, b] = [prng.between(0, 11), prng.between(0, 11)];
  const kinds = ["read", "write", "unlock"] as const;
  return {
    ...{ type: prng.chance(0.3) ? "flock" : "posix", kind: kinds[prng.between(0, 2)] ?? "read" },
    ...{ ino: prng.between(1, 2), owner: BigInt(prng.between(0, 2)), pid: 0 },
    ...{ start: BigInt(Math.min(a, b)), end: BigInt(Math.max(a, b)) },
  };
}

Deno.test("the table does what a map of bytes does", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const { table } = new Desk();
    // "type/ino/byte" → who has it, and how.
    const model = new Map<string, Map<string, string>>();
    const seqs = [0, 0, 0];
    for (let step = 0; step < 300; step++) {
      const node = prng.between(0, 2);
      const command = randomCommand(prng);
      const seq = seqs[node] = (seqs[node] ?? 0) + 1;
      const { outcomes } = table.run({
        ...{ node, life: life(node, 1), before: NO_LIFE, seq, commands: [command] },
      });
      assert.equal(outcomes?.[0]?.result, inModel(model, node, command), `seed ${seed}/${step}`);
      assert.deepEqual(bytesOf(table), flat(model), `seed ${seed}, step ${step}`);
    }
  }
});

type Model = Map<string, Map<string, string>>;

function inModel(model: Model, node: number, command: LockCommand): string {
  const { type, kind, ino, owner, start, end } = command;
  const bytes = type === "flock" ? [0] : range(Number(start), Number(end));
  const me = `${node}/${owner}`;
  const cells = bytes.map((byte) => {
    const name = `${type}/${ino}/${byte}`;
    const cell = model.get(name) ?? new Map<string, string>();
    model.set(name, cell);
    return cell;
  });
  const refused = kind !== "unlock" &&
    cells.some((cell) =>
      [...cell].some(([who, how]) => who !== me && (how === "write" || kind === "write"))
    );
  for (const cell of cells) {
    if (refused && (type === "posix" || cell.get(me) === kind)) continue;
    cell.delete(me);
    if (kind !== "unlock" && !refused) cell.set(me, kind);
  }
  return refused ? "conflict" : "done";
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start + 1 }, (_, at) => start + at);
}

function bytesOf(table: LockTable): string[] {
  return [1, 2].flatMap((ino) =>
    table.locks(ino).flatMap(({ type, node, owner, kind, start, end }) =>
      (type === "flock" ? [0] : range(Number(start), Number(end))).map((byte) =>
        `${type}/${ino}/${byte} ${node}/${owner} ${kind}`
      )
    )
  ).sort();
}

function flat(model: Model): string[] {
  return [...model].flatMap(([name, cell]) =>
    [...cell].map(([who, how]) => `${name} ${who} ${how}`)
  ).sort();
}
