/** What agents say, and what is made of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  advisedTimeout,
  isPromotable,
  parameterFaults,
  parseMetadata,
  parseTimeout,
} from "../../mod/ha/agents/ocf_metadata.ts";
import { failureOf, healthOf } from "../../mod/ha/agents/ocf.ts";
import { readUnit, unitFault, unitHealth } from "../../mod/ha/agents/systemd.ts";
import { parseXml } from "../../mod/ha/agents/xml.ts";

const GOOD = `<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<!-- a <comment> -->
<resource-agent name="x" version='1.0'>
<longdesc lang="en">It &amp; its &lt;friends&gt; &#65;&#x42; <![CDATA[<raw> & so]]></longdesc>
<parameters>
<parameter name="ip" unique="1" required="1"><content type="string" default="" /></parameter>
<parameter name="count"><content type="integer" default="3"/></parameter>
<parameter name="flag" required="no"><content type="boolean"/></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/><action name="stop" timeout="2min" />
<action name="monitor" timeout="7" interval="10s" depth="0"/>
<action name="monitor" timeout="500ms" depth="10"/>
</actions></resource-agent>
`;

function good() {
  const metadata = parseMetadata(GOOD);
  assert.ok(typeof metadata !== "string", String(metadata));
  return metadata;
}

Deno.test("parseXml() reads text, references, CDATA and both quotes, and skips the rest", () => {
  const root = parseXml(GOOD);
  assert.ok(typeof root !== "string");
  assert.equal(root.attributes.get("version"), "1.0");
  assert.equal(root.children[0]?.text, "It & its <friends> AB <raw> & so");
});

for (
  const [what, text, why] of [
    ["an element that is not closed", "<a><b></b>", /<a> is not closed/],
    ["a wrong end", "<a>\n<b></a>", /<\/a> closes nothing in line 2/],
    ["no element", "  ", /there is no element/],
    ["two roots", "<a/><b/>", /a second root/],
    ["text outside", "oops<a/>", /text outside/],
    ["an attribute twice", '<a x="1" x="2"/>', /"x" is there twice/],
    ["an attribute without quotes", "<a x=1/>", /<a> cannot be read/],
    ["entities of its own", '<!DOCTYPE a [<!ENTITY b "c">]><a/>', /defines something itself/],
    ["a comment without end", "<a/><!--", /"<!--" is not closed/],
    ["depth without end", "<a>".repeat(40), /nested too deep/],
    ["elements without end", `<a>${"<b/>".repeat(20_001)}</a>`, /too many elements/],
    ["too much", " ".repeat(600_000), /longer than/],
  ] as const
) {
  Deno.test(`parseXml() refuses ${what}`, () => {
    const read = parseXml(text);
    assert.ok(typeof read === "string");
    assert.match(read, why);
  });
}

Deno.test("parseMetadata() never throws, and what it takes has the actions that are needed", () => {
  const damage = fc.tuple(fc.nat(GOOD.length), fc.nat(40), fc.string({ maxLength: 8 }));
  fc.assert(
    fc.property(damage, ([at, length, put]) => {
      const read = parseMetadata(GOOD.slice(0, at) + put + GOOD.slice(at + length));
      if (typeof read === "string") return;
      for (const wanted of ["start", "stop", "monitor"]) {
        assert.ok(read.operations.some(({ name }) => name === wanted));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseMetadata() names what is missing", () => {
  assert.equal(
    parseMetadata(GOOD.replace('name="stop"', 'name="halt"')),
    'it has no action "stop"',
  );
  assert.equal(parseMetadata("<html/>"), "<html> is no <resource-agent>");
});

Deno.test("what an agent advises is taken for its own depth", () => {
  const metadata = good();
  assert.equal(advisedTimeout(metadata, "stop"), 120_000);
  assert.equal(advisedTimeout(metadata, "monitor"), 7000);
  assert.equal(advisedTimeout(metadata, "monitor", 10), 500);
  assert.equal(advisedTimeout(metadata, "monitor", 99), 7000);
  assert.equal(advisedTimeout(metadata, "promote"), null);
  assert.equal(isPromotable(metadata), false);
});

for (
  const [text, ms] of [
    ["20s", 20_000],
    ["20", 20_000],
    [" 2 min ", 120_000],
    ["500ms", 500],
    ["1h", 3_600_000],
    ["999999999h", 86_400_000],
    ["", null],
    ["soon", null],
    ["-1s", null],
    ["5 weeks", null],
  ] as const
) {
  Deno.test(`parseTimeout("${text}") is ${ms}`, () => assert.equal(parseTimeout(text), ms));
}

Deno.test("parameters are checked against their types", () => {
  const faults = (given: Record<string, string>, level = 0) =>
    parameterFaults(good(), given, level);
  assert.deepEqual(faults({ ip: "10.0.0.1", count: "-4", flag: "Yes" }, 10), []);
  assert.deepEqual(faults({ count: "4s", flag: "maybe", iq: "" }, 20), [
    '"count" wants a whole number, not "4s"',
    '"flag" wants true or false, not "maybe"',
    'it has no parameter "iq"; "ip" was meant?',
    'it needs the parameter "ip"',
    "it has no check level 20, only 0, 10",
  ]);
});

function ended(status: number, output = "") {
  return { status, failure: null, output };
}

for (
  const [status, start, stop, monitor] of [
    [0, null, null, "running"],
    [1, "once", "once", "failed"],
    [2, "node", "node", "failed"],
    [3, "node", "node", "failed"],
    [4, "node", "node", "failed"],
    [5, "node", "node", "failed"],
    [6, "everywhere", "everywhere", "failed"],
    [7, "once", null, "stopped"],
    [8, "everywhere", "everywhere", "failed"],
    [9, "everywhere", "everywhere", "failed"],
    [190, null, "once", "running"],
    [191, "everywhere", "everywhere", "failed"],
    [42, "once", "once", "failed"],
  ] as const
) {
  Deno.test(`status ${status}: start ${start}, stop ${stop}, monitor ${monitor}`, () => {
    assert.equal(failureOf("start", ended(status))?.scope ?? null, start);
    assert.equal(failureOf("stop", ended(status))?.scope ?? null, stop);
    assert.equal(healthOf(ended(status)).state, monitor);
  });
}

Deno.test("a failure is told in the agent's own words: its last reason, or its last line", () => {
  const say = (output: string) => failureOf("start", ended(1, output))?.why;
  const begin = "start ended with 1 (failed)";
  assert.equal(say(""), begin);
  assert.equal(say("one\ntwo\n\n"), `${begin}: two`);
  const reasons = "ocf-exit-reason:old\nocf-exit-reason: new \ntail\n";
  assert.equal(say(reasons), `${begin}: new`);
  assert.equal(say("a\u0007b"), `${begin}: a b`);
  assert.ok((say("x".repeat(9000))?.length ?? 0) < 300);
});

function unit(active: string, sub = "", more = "") {
  const read = readUnit(
    ended(0, `LoadState=loaded\nActiveState=${active}\nSubState=${sub}\n${more}`),
  );
  assert.ok(!("why" in read));
  return read;
}

Deno.test("a unit's state is taken as it is meant", () => {
  const states = [
    ["active", "running", "running"],
    ["reloading", "reload", "running"],
    ["activating", "start", "running"],
    ["activating", "auto-restart", "failed"],
    ["deactivating", "stop", "failed"],
    ["inactive", "dead", "stopped"],
    ["failed", "failed", "failed"],
  ] as const;
  for (const [active, sub, state] of states) {
    assert.equal(unitHealth(unit(active, sub)).state, state, `${active} ${sub}`);
  }
  const health = unitHealth(unit("failed", "failed", "Result=exit-code\n"));
  assert.ok(health.state === "failed");
  assert.equal(health.why, "the unit is failed (failed): exit-code");
});

Deno.test("an enabled unit is refused, with what to do", () => {
  assert.equal(unitFault("a.service", unit("inactive", "dead", "UnitFileState=static\n")), null);
  const fault = unitFault("a.service", unit("inactive", "dead", "UnitFileState=enabled\n"));
  assert.match(fault?.why ?? "", /systemctl disable a\.service/);
});

Deno.test("an answer without a state is none", () => {
  const read = readUnit(ended(0, "garbage\n=\nLoadState\n"));
  assert.ok("why" in read);
  assert.equal(read.scope, "once");
});
