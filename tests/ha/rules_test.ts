/** `ha/rules.cfg`: what is read, what is refused, and which rules contradict one another. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText } from "../../mod/base/bytes.ts";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { HaFiles } from "../../mod/ha/files.ts";
import { RuleBook } from "../../mod/ha/rule_book.ts";
import { conflictsOf } from "../../mod/ha/rule_conflicts.ts";
import { readRules, RULES_FILE } from "../../mod/ha/rules.ts";
import { section } from "./scene.ts";
import { parseSections, printSections } from "../../mod/ha/section_config.ts";

function rulesOf(...lines: readonly string[]): string {
  return lines.map(section).join("\n");
}

Deno.test("readRules() reads each kind as Proxmox VE writes it", () => {
  const { rules, faults, broken } = readRules(
    "# ours\nnode-affinity: disks\n\tresources vm:100, exec:db\n\tnodes nodeA:2,nodeB\n" +
      "\tstrict 1\n\tcomment fast ones\n\tcolour red\n\n" +
      rulesOf(
        "resource-affinity apart resources=exec:a,exec:b affinity=negative disable",
        "resource-affinity near resources=exec:a,exec:b affinity=positive weight=20",
        "ordering first resources=exec:a,exec:b,exec:c strict=1",
      ),
  );
  assert.deepEqual([faults, broken], [[], false]);
  const [disks, apart, near, first] = rules;
  assert.deepEqual(disks, {
    kind: "node-affinity",
    id: "disks",
    at: 2,
    resources: ["vm:100", "exec:db"],
    disabled: false,
    nodes: new Map([["nodeA", 2], ["nodeB", 0]]),
    strict: true,
    weight: null,
  });
  assert.equal(apart?.disabled, true);
  assert.equal(near?.kind === "resource-affinity" && near.weight, 20);
  assert.equal(first?.kind === "ordering" && first.strict, true);
});

const FAULTS: readonly (readonly [string, RegExp])[] = [
  ["node-affinity 1st resources=exec:a nodes=nodeA", /not a rule's name/],
  ["node-affinity r nodes=nodeA", /names no resources/],
  ["node-affinity r resources=web nodes=nodeA", /"web" is not kind:name/],
  ["node-affinity r resources=exec:a,exec:a nodes=nodeA", /a resource twice/],
  ["node-affinity r resources=exec:a", /names no nodes/],
  ["node-affinity r resources=exec:a nodes=no_de", /not node\[:priority\]/],
  ["node-affinity r resources=exec:a nodes=nodeA:-1", /priority of "nodeA"/],
  ["node-affinity r resources=exec:a nodes=nodeA:1001", /priority of "nodeA"/],
  ["node-affinity r resources=exec:a nodes=nodeA,nodeA:2", /"nodeA" twice/],
  ["node-affinity r resources=exec:a nodes=nodeA strict=yes", /a switch is 0 or 1/],
  ["node-affinity r resources=exec:a nodes=nodeA weight=0", /weight is 1 to/],
  ["node-affinity r resources=exec:a nodes=nodeA weight=9 strict=1", /strict, so it has no weight/],
  ["resource-affinity r resources=exec:a affinity=positive", /one resource/],
  ["resource-affinity r resources=exec:a,exec:b", /positive or negative/],
  ["location r resources=exec:a,exec:b", /"location" is none of node-affinity/],
];
for (const [line, expected] of FAULTS) {
  Deno.test(`readRules() refuses "${line}"`, () => {
    const good = section("ordering good resources=exec:a,exec:b");
    const { rules, faults } = readRules(`${section(line)}${good}`);
    assert.match(faults[0]?.why ?? "", expected);
    assert.equal(faults[0]?.line, 1);
    assert.deepEqual(rules.map(({ id }) => id), ["good"], "the others stand");
  });
}

Deno.test("readRules() wants each name once, and not more rules than it may read", () => {
  const twice = rulesOf(
    "ordering r resources=exec:a,exec:b",
    "resource-affinity r resources=exec:a,exec:b affinity=positive",
  );
  assert.match(readRules(twice).faults[0]?.why ?? "", /another rule "r"/);
  const many = Array.from({ length: 1001 }, (_, at) => `ordering r${at} resources=exec:a,exec:b`);
  const { broken, rules } = readRules(rulesOf(...many));
  assert.deepEqual([broken, rules.length], [true, 0]);
});

const A = "resources=exec:a";
const AB = "resources=exec:a,exec:b";
const BC = "resources=exec:b,exec:c";
const AC = "resources=exec:a,exec:c";
const ABC = "resources=exec:a,exec:b,exec:c";
const NEAR = "affinity=positive";
const APART = "affinity=negative";

/** Rules in order → `rule>other` of each conflict. */
const CONFLICTS: readonly (readonly [string, readonly string[], string])[] = [
  ["none", [
    ...[`node-affinity n ${AB} nodes=nodeA,nodeB strict=1`, `resource-affinity r ${AB} ${APART}`],
    `ordering o ${AB}`,
  ], ""],
  ["two rules say on which nodes", [
    `node-affinity one ${A} nodes=nodeA`,
    `node-affinity two ${AB} nodes=nodeB`,
  ], "two>one"],
  ["…but one of them is a leaning", [
    `node-affinity one ${A} nodes=nodeA`,
    `node-affinity two ${AB} nodes=nodeB weight=5`,
  ], ""],
  ["…but one of them is off", [
    `node-affinity one ${A} nodes=nodeA disable=1`,
    `node-affinity two ${AB} nodes=nodeB`,
  ], ""],
  ["together and apart", [
    `resource-affinity near ${AB} ${NEAR}`,
    `resource-affinity apart ${ABC} ${APART}`,
  ], "apart>near"],
  ["together by way of others, and apart", [
    `resource-affinity apart ${AC} ${APART}`,
    `resource-affinity one ${AB} ${NEAR}`,
    `resource-affinity two ${BC} ${NEAR}`,
  ], "one>apart"],
  ["…but apart is a leaning", [
    `resource-affinity near ${AB} ${NEAR}`,
    `resource-affinity apart ${AB} ${APART} weight=10`,
  ], ""],
  ["together, on no common node", [
    `node-affinity one resources=exec:a nodes=nodeA,nodeB strict=1`,
    `node-affinity two resources=exec:b nodes=nodeC strict=1`,
    `resource-affinity near ${AB} ${NEAR}`,
  ], "two>one"],
  ["…but not strictly", [
    `node-affinity one resources=exec:a nodes=nodeA,nodeB strict=1`,
    `node-affinity two resources=exec:b nodes=nodeC`,
    `resource-affinity near ${AB} ${NEAR}`,
  ], ""],
  ["apart, on too few nodes", [
    `node-affinity two ${ABC} nodes=nodeA,nodeB strict=1`,
    `resource-affinity apart ${ABC} ${APART}`,
  ], "apart>two"],
  ["apart, on just enough nodes, if each gives way", [
    `node-affinity n1 resources=exec:a nodes=nodeA,nodeB,nodeC strict=1`,
    `node-affinity n2 resources=exec:b nodes=nodeA,nodeB strict=1`,
    `node-affinity n3 resources=exec:c nodes=nodeA strict=1`,
    `resource-affinity apart ${ABC} ${APART}`,
  ], ""],
  ["apart, more than there are nodes", [
    `resource-affinity apart resources=exec:a,exec:b,exec:c,exec:d ${APART}`,
  ], "apart>"],
  ["orders that bite their tail", [
    `ordering one ${AB}`,
    `ordering two ${BC}`,
    `ordering three resources=exec:c,exec:a`,
  ], "three>one"],
];
for (const [what, lines, expected] of CONFLICTS) {
  Deno.test(`conflictsOf(): ${what} → ${expected === "" ? "none" : expected}`, () => {
    const found = conflictsOf(readRules(rulesOf(...lines)).rules, ["nodeA", "nodeB", "nodeC"]);
    const told = found.map(({ rule, other }) => `${rule}>${other ?? ""}`);
    assert.equal(told[0] ?? "", expected);
  });
}

Deno.test("RuleBook leaves out what contradicts an earlier rule, and says so with its line", () => {
  const text = rulesOf(
    `resource-affinity near ${AB} ${NEAR}`,
    `resource-affinity apart ${AB} ${APART}`,
  );
  const book = new RuleBook(readRules(text));
  assert.deepEqual(book.together(resourceId("exec:a")), ["exec:a", "exec:b"]);
  assert.deepEqual(book.bound(resourceId("exec:a")).apart, []);
  const [fault] = book.faults;
  assert.equal(fault?.line, 5);
  assert.match(fault?.why ?? "", /rule "apart" does not hold against "near"/);
});

Deno.test("RuleBook joins positive rules that overlap, and counts how deep an order is", () => {
  const book = new RuleBook(readRules(rulesOf(
    `resource-affinity one ${AB} ${NEAR}`,
    `resource-affinity two ${BC} ${NEAR}`,
    `ordering o ${ABC}`,
    `ordering p resources=exec:c,exec:d`,
  )));
  assert.deepEqual(book.together(resourceId("exec:c")), ["exec:a", "exec:b", "exec:c"]);
  const depths = ["a", "b", "c", "d", "e"].map((name) => book.depth(resourceId(`exec:${name}`)));
  assert.deepEqual(depths, [0, 1, 2, 3, 0]);
});

Deno.test("HaFiles keeps the rules while a newer file cannot be read as a whole, and says so", () => {
  const files = new HaFiles();
  const write = (text: string | Uint8Array) => {
    const data = typeof text === "string" ? encodeText(text) : text;
    const change = { path: RULES_FILE, kind: "file", version: 1, data, writer: nodeId(1) } as const;
    files.apply([change], 1, false);
    return files.rules;
  };
  const apart = section(`resource-affinity apart ${AB} ${APART}`);
  const holds = () => files.rules.bound(resourceId("exec:a")).apart.length;
  assert.deepEqual([write(apart).faults, holds()], [[], 1]);
  assert.match(write(`${apart}<<<<\n`).faults[0]?.why ?? "", /neither a header nor/);
  assert.equal(holds(), 1);
  assert.match(write(new Uint8Array([0xff])).faults[0]?.why ?? "", /UTF-8/);
  assert.equal(holds(), 1);
  assert.deepEqual([write("").faults, holds()], [[], 0]);
});

Deno.test("sections of rules go through reading and printing unharmed, and never throw", () => {
  const text =
    "# head\n\nnode-affinity: r\n\t# why\n\tresources exec:a\n\tnodes nodeA\n\tnew-key x\n";
  const file = parseSections(text);
  assert.ok("sections" in file);
  assert.equal(printSections(file), text);
  const word = fc.constantFrom(
    ...[
      "node-affinity: r",
      "ordering: o",
      "\tresources exec:a,exec:b",
      "\tnodes nodeA:1",
      "\tstrict 1",
    ],
    ...["\taffinity negative", "\tweight 7", "#", "", "x", "\tdisable"],
  );
  fc.assert(fc.property(fc.array(fc.oneof(word, fc.string()), { maxLength: 12 }), (lines) => {
    const read = readRules(lines.join("\n"));
    new RuleBook(read);
    assert.ok(read.faults.every(({ line }) => line >= 1 && line <= lines.length + 1));
  }));
});
