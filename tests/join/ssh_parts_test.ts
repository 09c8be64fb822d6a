/** The pure parts of a join over SSH: keys, files of keys, what stands against a join. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  keyIn,
  ownerOf,
  withNodeKey,
  withOnlyNodes,
  withoutNodeKey,
  withRenamedNode,
} from "../../mod/join/authorized_keys.ts";
import {
  fingerprintOf,
  knownHostsLine,
  namesOf,
  type PublicKey,
  publicKey,
  readHostKeys,
  withHost,
  withNames,
} from "../../mod/join/host_key.ts";
import { type Description, findings, readDescription } from "../../mod/join/preconditions.ts";
import { undoFindings } from "../../mod/join/preconditions.ts";

/** A key of this type whose every byte is that one. */
function key(seed: number, type: PublicKey["type"] = "ssh-ed25519"): PublicKey {
  const name = new TextEncoder().encode(type);
  const bytes = new Uint8Array(4 + name.length + 4 + 32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length);
  bytes.set(name, 4);
  view.setUint32(4 + name.length, 32);
  bytes.fill(seed, 8 + name.length);
  return { type, blob: btoa(String.fromCharCode(...bytes)) };
}

const keys = fc.integer({ min: 0, max: 255 }).map((seed) => key(seed));

Deno.test("a fingerprint is what ssh-keygen prints", () => {
  // ssh-keygen -lf of OpenSSH 9.2 on this key.
  assert.equal(fingerprintOf(key(7)), "SHA256:gNSIRW+2Iyiuvsdp/bgjy38bvWHw6wQm3tuoXrl3WjQ");
});

Deno.test("a key whose blob names another type, or is cut, is none", () => {
  const { blob } = key(1);
  assert.notEqual(publicKey("ssh-ed25519", blob), null);
  for (const [type, text] of [["ssh-rsa", blob], ["ssh-ed25519", blob.slice(0, 8)]]) {
    assert.equal(publicKey(type, text), null);
  }
  for (const text of [undefined, "", "!!!!", "AAAA", "/".repeat(5000)]) {
    assert.equal(publicKey("ssh-ed25519", text), null);
  }
});

Deno.test("a scan gives each key once, the best first, whatever is between", () => {
  const [best, other] = [key(1), key(2, "ecdsa-sha2-nistp256")];
  const text = [
    "# host:22 SSH-2.0-OpenSSH_9.2p1",
    knownHostsLine(["host"], other),
    "garbage",
    knownHostsLine(["host"], best),
    knownHostsLine(["host"], best),
  ].join("\n");
  assert.deepEqual(readHostKeys(text), [best, other]);
  fc.assert(fc.property(fc.string(), (any) => Array.isArray(readHostKeys(any))));
});

Deno.test("known_hosts: a host has its keys once, others keep theirs", () => {
  const others = `# a comment\n|1|hash|hash ssh-rsa AAAA\nother ${key(9).type} ${key(9).blob}\n`;
  fc.assert(fc.property(fc.array(keys, { maxLength: 4 }), (list) => {
    const distinct = [...new Map(list.map((each) => [each.blob, each])).values()];
    let text = others;
    for (const set of [[key(3)], distinct, distinct]) {
      text = withHost(text, ["nodeB", "192.0.2.2"], set) ?? text;
    }
    assert.equal(withHost(text, ["nodeB", "192.0.2.2"], distinct), null);
    const ours = text.split("\n").filter((line) => line.startsWith("nodeB,"));
    assert.equal(ours.length, distinct.length);
    for (const line of others.trim().split("\n")) assert.ok(text.includes(line));
    assert.equal(withHost(text, ["nodeB", "192.0.2.2"], []) ?? text, others);
  }));
});

Deno.test("authorized_keys: one line a node after any joins and leaves, people's lines stay", () => {
  const person = `from="192.0.2.0/24",command="a b" ${key(99).type} ${key(99).blob} anna@desk`;
  const steps = fc.array(
    fc.record({ node: fc.constantFrom("nodeA", "nodeB", "nodeC"), join: fc.boolean(), key: keys }),
    { maxLength: 20 },
  );
  fc.assert(fc.property(steps, (all) => {
    let text = `${person}\n`;
    const expected = new Map<string, string>();
    for (const { node, join, key } of all) {
      const next = join ? withNodeKey(text, node, key) : withoutNodeKey(text, node);
      text = next ?? text;
      // A person's line that lets the same key in already is enough.
      if (join && key.blob !== keyIn(person)?.blob) expected.set(node, key.blob);
      else if (!join) expected.delete(node);
    }
    const lines = text.trim().split("\n");
    assert.equal(lines[0], person);
    const found = new Map(lines.slice(1).map((line) => [ownerOf(line), keyIn(line)?.blob]));
    assert.equal(lines.length - 1, found.size);
    for (const [node, blob] of expected) assert.ok(found.has(node) && blob !== undefined);
    for (const node of found.keys()) assert.ok(node !== null && expected.has(node));
  }));
});

Deno.test("withOnlyNodes() takes away whoever is no member, under whatever name, and no line of people", () => {
  const people = "# pentad:nodeZ\nssh-ed25519 AAAA me@desk\n";
  let text = people;
  for (const [at, name] of ["nodeA", "nodeB", "old-name"].entries()) {
    text = withNodeKey(text, name, key(at + 1)) ?? text;
  }
  const left = withOnlyNodes(text, ["nodeA"]) ?? "";
  assert.deepEqual(left.split("\n").map(ownerOf).filter((name) => name !== null), ["nodeA"]);
  assert.ok(left.startsWith(people));
  assert.equal(withOnlyNodes(left, ["nodeA"]), null);
  assert.equal(withOnlyNodes("", []), null);
});

Deno.test("a line of people that names a node like ours is not taken for ours", () => {
  assert.equal(ownerOf(`# ${key(1).type} ${key(1).blob} pentad:nodeA`), null);
  assert.equal(ownerOf("ssh-ed25519 AAAA pentad:nodeA"), null);
  assert.equal(ownerOf(`${key(1).type} ${key(1).blob} pentad:-bad-`), null);
});

function description(changes: Partial<Description> = {}): Description {
  return {
    schema: "pentad.join-describe/1",
    version: "0.1.0",
    join: 1,
    cluster: null,
    node: "nodeB",
    quorate: false,
    time_ms: 1_000_000,
    mount: "/etc/pve",
    nodes: [{ name: "nodeB", links: ["192.0.2.2:5405"], peer: "192.0.2.2:5406" }],
    guests: [],
    ...changes,
  };
}

const MEMBER = description({
  cluster: { id: "c1", name: "prod" },
  node: "nodeA",
  quorate: true,
  nodes: [{ name: "nodeA", links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" }],
  guests: ["100"],
});

Deno.test("what stands against a join", () => {
  const cases: readonly [Partial<Description>, Partial<Description>, RegExp | null][] = [
    [{}, {}, null],
    [{}, { cluster: null }, /is no member/],
    [{ cluster: { id: "c2", name: "other" } }, {}, /in the cluster "other"/],
    [{ cluster: { id: "c1", name: "prod" }, node: "nodeA" }, {}, null],
    [{ cluster: { id: "c1", name: "prod" }, node: "node 7" }, {}, /was removed from it/],
    [{ join: 2 }, {}, /upgrade pentad on "nodeA"/],
    [{ join: 0 }, {}, /upgrade pentad here/],
    [{}, { quorate: false }, /no quorum/],
    [{ time_ms: 4_600_000 }, {}, /clocks differ by 3600 s/],
    [{ time_ms: 1_029_000 }, {}, null],
    [{ node: "nodeA" }, {}, /called "nodeA" already/],
    [{ nodes: MEMBER.nodes.map((each) => ({ ...each, name: "nodeB" })) }, {}, /has the address/],
    [{ guests: ["100", "101"] }, {}, /VMIDs on both sides: 100$/],
  ];
  for (const [here, there, wanted] of cases) {
    const found = findings(description(here), { ...MEMBER, ...there }, 10);
    if (wanted === null) assert.deepEqual(found, []);
    else assert.match(found.map(({ why }) => why).join("; "), wanted);
  }
});

Deno.test("a machine that is no member has nothing of a member's forgotten", () => {
  const cases: readonly [Partial<Description>, RegExp | null][] = [
    [{}, null],
    [{ cluster: { id: "c1", name: "prod" }, node: "nodeA" }, null],
    [{ cluster: { id: "c2", name: "other" } }, /is in another cluster/],
    [{ node: "nodeA" }, /called "nodeA" already/],
    [{ nodes: MEMBER.nodes.map((each) => ({ ...each, name: "nodeB" })) }, /has the address/],
    [{ guests: ["100"] }, null],
  ];
  for (const [here, wanted] of cases) {
    const found = undoFindings(description(here), MEMBER);
    if (wanted === null) assert.deepEqual(found, []);
    else assert.match(found.map(({ why }) => why).join("; "), wanted);
  }
});

Deno.test("a renamed node's keys bear its new name, and go with it; nobody else's are touched", () => {
  const person = `ssh-ed25519 ${key(9).blob} nodeB`;
  const both = withNodeKey(withNodeKey(`${person}\n`, "nodeA", key(1)) ?? "", "nodeB", key(2)) ??
    "";
  const renamed = withRenamedNode(both, "nodeB", "nodeX") ?? assert.fail();
  assert.deepEqual(renamed.trim().split("\n").map(ownerOf), [null, "nodeA", "nodeX"]);
  assert.equal(renamed.replace("pentad:nodeX", "pentad:nodeB"), both);
  assert.equal(withRenamedNode(both, "nodeC", "nodeX"), null);
  assert.equal(withoutNodeKey(renamed, "nodeX"), withoutNodeKey(both, "nodeB"));

  const hosts =
    withHost("# note\nother.example ssh-rsa AAAA\n", ["nodeB", "192.0.2.2"], [key(2)]) ??
      assert.fail();
  const moved = withNames(hosts, "nodeB", ["nodeX", "192.0.2.9"]) ?? assert.fail();
  assert.match(moved, /^nodeX,192\.0\.2\.9 ssh-ed25519 /m);
  assert.doesNotMatch(moved, /nodeB|192\.0\.2\.2/);
  assert.match(moved, /^# note\nother\.example ssh-rsa AAAA$/m);
  assert.equal(withNames(moved, "nodeX", ["nodeX", "192.0.2.9"]), null);
  assert.equal(withNames(moved, "nodeC", ["nodeC"]), null);
});

Deno.test("a host is known by the same names when it comes and when it goes", () => {
  const addresses = ["192.0.2.2:5405", "[fd00::1]:5406", "fd00::2", "[fd00::3]", "host.example:22"];
  assert.deepEqual(namesOf("nodeB", [...addresses, "192.0.2.2:5406"]), [
    ...["nodeB", "192.0.2.2", "fd00::1", "fd00::2", "fd00::3", "host.example"],
  ]);
});

Deno.test("a description of another form is none", () => {
  assert.deepEqual(readDescription(JSON.parse(JSON.stringify(MEMBER))), MEMBER);
  for (const field of Object.keys(MEMBER)) {
    for (const bad of [undefined, 7.5, {}, [{}], [7]]) {
      assert.equal(readDescription({ ...MEMBER, [field]: bad }), null, field);
    }
  }
  fc.assert(fc.property(fc.anything(), (any) => readDescription(any) === null));
});
