/** What crosses the wire or lies in the tree: reports, the manager's document, orders. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText, equalBytes } from "../../mod/base/bytes.ts";
import { bootId, isResourceId, nodeId, resourceId } from "../../mod/base/id.ts";
import { reason } from "../../mod/base/reason.ts";
import { parseCommand } from "../../mod/ha/commands.ts";
import {
  decisionBytes,
  DECISIONS_BYTES_MAX,
  readResources,
  RESOURCES_MAX,
} from "../../mod/ha/resource.ts";
import {
  EMPTY_STATUS,
  isSameStatus,
  type ManagerStatus,
  parseStatus,
  printStatus,
} from "../../mod/ha/status.ts";
import { decodeReport, encodeReport, LOCAL_STATES, stateIn } from "../../mod/ha/wire.ts";
import { specOf } from "./desk.ts";

const REPORT = {
  ...{ boot: bootId("00000000000000aa"), status: 77, departure: "begun" as const },
  watchdog: "armed" as const,
  services: LOCAL_STATES.map((state) => ({ id: `exec:${state}`, state, why: `why ${state}` })),
};

Deno.test("a report survives the wire, and says of what it does not name that it is stopped", () => {
  const report = decodeReport(encodeReport(REPORT));
  assert.deepEqual(report, { version: 1, ...REPORT });
  assert.ok(report);
  assert.equal(stateIn(report, resourceId("exec:stuck")).state, "stuck");
  assert.deepEqual(stateIn(report, resourceId("exec:none")), { state: "stopped", why: "" });
});

Deno.test("decodeReport() never throws on damaged bytes, and what it takes is well formed", () => {
  const sound = encodeReport(REPORT);
  const damage = fc.oneof(
    fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([place, byte]) => {
      const bytes = sound.slice();
      bytes[place] = byte;
      return bytes;
    }),
    fc.nat(sound.length - 1).map((length) => sound.slice(0, length)),
    fc.uint8Array({ maxLength: 40 }).map((tail) => Uint8Array.from([...sound, ...tail])),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(damage, (bytes) => {
      const report = decodeReport(bytes);
      if (report === null) return;
      assert.equal(report.version, 1);
      assert.match(report.boot, /^[0-9a-f]{16}$/);
      assert.ok(report.services.every(({ id }) => isResourceId(id)));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("decodeReport() refuses another version and ids that are none", () => {
  const bytes = encodeReport(REPORT);
  bytes[0] = 2;
  assert.equal(decodeReport(bytes), null);
  const odd = encodeReport({ ...REPORT, services: [{ id: "../x", state: "running", why: "" }] });
  assert.equal(decodeReport(odd), null);
});

const NODE = fc.integer({ min: 1, max: 65535 }).map(nodeId);
const PLAIN = { noNullPrototype: true } as const;
const STATUS: fc.Arbitrary<ManagerStatus> = fc.record({
  nodes: fc.array(fc.tuple(
    NODE,
    fc.record({
      state: fc.constantFrom("online" as const, "fence" as const, "dead" as const),
      ...{ maintenance: fc.boolean(), armed: fc.boolean(), confirmed: fc.boolean() },
      unguarded: fc.boolean(),
      shutdown: fc.constantFrom(null, { how: "freeze" as const, boot: bootId("0".repeat(16)) }),
      proof: fc.constantFrom(null, "wait" as const, "storage" as const, "confirmed" as const),
      why: fc.constantFrom(null, reason("ha.node-back", { node: "nodeA" })),
    }, PLAIN),
  )).map((all) => new Map(all)),
  services: fc.array(fc.tuple(
    fc.stringMatching(/^exec:[a-z]{1,8}$/).map(resourceId),
    fc.record({
      state: fc.constantFrom("started" as const, "relocate" as const, "error" as const),
      ...{ node: fc.option(NODE), target: fc.option(NODE), tried: fc.array(NODE) },
      home: fc.option(NODE),
      why: fc.constantFrom(null, reason("ha.no-node", { id: "exec:a", why: "none" })),
    }, PLAIN),
  )).map((all) => new Map(all)),
}, PLAIN);

Deno.test("isSameStatus() is true of exactly what prints equal bytes", () => {
  fc.assert(fc.property(STATUS, STATUS, (a, b) => {
    const again = parseStatus(printStatus(a));
    assert.ok(again !== null && isSameStatus(a, again));
    assert.equal(isSameStatus(a, b), equalBytes(printStatus(a), printStatus(b)));
    // Most pairs differ in much: these differ in one thing.
    for (const [node, entry] of a.nodes) {
      const nodes = new Map(a.nodes).set(node, { ...entry, armed: !entry.armed });
      assert.equal(isSameStatus(a, { ...a, nodes }), false);
    }
    for (const [id, entry] of a.services) {
      for (const other of [{ ...entry, tried: [...entry.tried, nodeId(9)] }, null]) {
        const services = new Map(a.services);
        if (other === null) services.delete(id);
        else services.set(id, other);
        assert.equal(isSameStatus(a, { ...a, services }), false);
        assert.equal(isSameStatus({ ...a, services }, a), false);
      }
    }
  }));
});

Deno.test("printStatus() and parseStatus() are inverse, and equal decisions print equal bytes", () => {
  fc.assert(fc.property(STATUS, (status) => {
    const bytes = printStatus(status);
    assert.deepEqual(parseStatus(bytes), status);
    const turned = {
      nodes: new Map([...status.nodes].reverse()),
      services: new Map([...status.services].reverse()),
    };
    assert.deepEqual(printStatus(turned), bytes);
  }));
  assert.deepEqual(parseStatus(printStatus(EMPTY_STATUS)), EMPTY_STATUS);
});

Deno.test("parseStatus() takes nothing that it would have to guess at", () => {
  const node = { state: "online", maintenance: false, armed: true, confirmed: false, proof: null };
  const service = { state: "started", node: 1, target: null, tried: [], why: "" };
  const whole = { form: 1, nodes: { "1": node }, services: { "exec:web": service } };
  const parse = (document: unknown) => parseStatus(encodeText(JSON.stringify(document)));
  assert.notEqual(parse(whole), null);
  const refused: readonly unknown[] = [
    null,
    [],
    7,
    { ...whole, form: 2 },
    { form: 1 },
    { ...whole, nodes: [] },
    { ...whole, services: { "exec:web": 5 } },
    { ...whole, services: { "exec:web": null } },
    { ...whole, services: { "web": service } },
    { ...whole, services: { "exec:web": { ...service, state: "fenced" } } },
    { ...whole, services: { "exec:web": { ...service, node: "1" } } },
    { ...whole, services: { "exec:web": { ...service, target: 0 } } },
    { ...whole, services: { "exec:web": { ...service, tried: [1, 2.5] } } },
    { ...whole, nodes: { "0": node } },
    { ...whole, nodes: { "x": node } },
    { ...whole, nodes: { "1": { ...node, state: "gone" } } },
    { ...whole, nodes: { "1": { ...node, proof: "hearsay" } } },
    { ...whole, nodes: { "1": { ...node, proof: "constructor" } } },
  ];
  for (const document of refused) assert.equal(parse(document), null, JSON.stringify(document));
});

Deno.test("parseStatus() never throws", () => {
  const sound = printStatus({ nodes: new Map(), services: new Map() });
  const cut = fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([place, byte]) => {
    const bytes = sound.slice();
    bytes[place] = byte;
    return bytes;
  });
  const json = fc.json().map((text) => encodeText(text));
  fc.assert(
    fc.property(fc.oneof(cut, json, fc.uint8Array()), (bytes) => {
      const status = parseStatus(bytes);
      assert.ok(status === null || status.nodes instanceof Map);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseCommand() reads orders and nothing else", () => {
  const spec = specOf(2);
  const read = (line: string) => parseCommand(line, spec);
  assert.deepEqual(read(" migrate exec:web  nodeB "), {
    order: "migrate",
    id: "exec:web",
    node: 2,
  });
  assert.deepEqual(read("maintenance nodeA on"), { order: "maintenance", node: 1, on: true });
  assert.deepEqual(read("reboot nodeA 00000000000000aa"), {
    ...{ order: "reboot", node: 1, boot: "00000000000000aa" },
  });
  assert.deepEqual(read("arm"), { order: "arm" });
  assert.deepEqual(read("disarm"), { order: "disarm" });
  for (const odd of ["arm nodeA", "disarm now", "reboot nodeA", "reboot nodeX 00000000000000aa"]) {
    assert.equal(read(odd), null, odd);
  }
  assert.deepEqual(read("maintenance nodeA off"), { order: "maintenance", node: 1, on: false });
  assert.deepEqual(read("confirm-dead nodeB"), { order: "confirm-dead", node: 2 });
  const none = ["", "migrate", "migrate web nodeB", "migrate exec:web nodeX", "maintenance nodeA"];
  const odd = ["maintenance nodeA maybe", "confirm-dead", "confirm-dead nodeX", "reboot nodeA"];
  for (const line of [...none, ...odd]) assert.equal(read(line), null, line);
  fc.assert(fc.property(fc.string(), (line) => {
    const command = read(line);
    assert.ok(
      command === null || ["migrate", "maintenance", "confirm-dead"].includes(command.order),
    );
  }));
});

Deno.test("printStatus() of as many resources as may be fits into a file: reasons go first", () => {
  const FILE_BYTES_MAX = 1024 * 1024;
  const node = {
    maintenance: false,
    armed: true,
    confirmed: false,
    proof: null,
    shutdown: null,
    unguarded: false,
  };
  const why = reason("ha.placed", {
    id: "exec:x",
    node: "n",
    score: 9,
    candidates: "n 9 ".repeat(60),
  });
  const statusOf = (ids: readonly string[]): ManagerStatus => ({
    nodes: new Map(Array.from({ length: 64 }, (_, at) => [
      nodeId(at + 1),
      { state: "online", ...node, why },
    ])),
    services: new Map(ids.map((id) => [resourceId(id), {
      ...{ state: "started", node: nodeId(64), target: null, home: null, tried: [], why },
    }])),
  });
  const many = (count: number, length: number) =>
    Array.from({ length: count }, (_, at) => `exec:r${String(at).padStart(length, "0")}`);
  const few = statusOf(many(100, 5));
  assert.deepEqual(parseStatus(printStatus(few)), few, "few keep their reasons");
  for (const ids of [many(2000, 5), many(4000, 5), many(RESOURCES_MAX, 5), many(6000, 63)]) {
    const status = statusOf(ids);
    const bytes = printStatus(status);
    assert.ok(bytes.length < FILE_BYTES_MAX, `${ids.length} take ${bytes.length} bytes`);
    const again = parseStatus(bytes);
    assert.ok(again !== null);
    assert.deepEqual([...again.services.keys()].sort(), ids);
    assert.deepEqual(printStatus(again), bytes, "what was left out is not missed");
  }
  assert.ok(decisionBytes(statusOf(many(6000, 63)).services.keys()) <= DECISIONS_BYTES_MAX);
});

Deno.test("readResources() takes no file whose decisions would not fit, and says so", () => {
  const text = (count: number) =>
    Array.from({ length: count }, (_, at) => `exec: ${"r".repeat(60)}${at}\n\tcommand x\n`).join(
      "",
    );
  assert.equal(readResources(text(6000)).broken, false);
  const { broken, faults } = readResources(text(7000));
  assert.ok(broken);
  assert.match(faults[0]?.why ?? "", /nothing of it holds: more than so many ids/);
  assert.ok(readResources(text(RESOURCES_MAX + 1)).broken);
});
