/** Proxmox VE's section format, and what `ha/resources.cfg` makes of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { resourceId } from "../../mod/base/id.ts";
import { locksOf, readResources } from "../../mod/ha/resource.ts";
import { parseSections, printSections, propertiesOf } from "../../mod/ha/section_config.ts";
import { splitWords } from "../../mod/ha/words.ts";

const SAMPLE = `# managed by hand
exec: web
\tcommand /usr/sbin/nginx -g 'daemon off;'
\tstate started
\t# why it is so
\tmax_restart 3

exec: db
\tcommand /usr/bin/db
\tnofailback
`;

function sections(text: string) {
  const file = parseSections(text);
  assert.ok("sections" in file, JSON.stringify(file));
  return file;
}

Deno.test("printSections() gives back what was read, comments and unknown keys too", () => {
  assert.equal(printSections(sections(SAMPLE)), SAMPLE);
  const [web, db] = sections(SAMPLE).sections;
  assert.ok(web && db);
  assert.deepEqual([web.type, web.id, web.at], ["exec", "web", 2]);
  assert.equal(propertiesOf(web).get("max_restart"), "3");
  assert.equal(propertiesOf(db).get("nofailback"), "");
});

Deno.test("parseSections() names the line that cannot be read", () => {
  const fault = (text: string) => {
    const file = parseSections(text);
    return "why" in file ? `${file.line}: ${file.why}` : "none";
  };
  assert.equal(fault("\tcommand x\n"), "1: it is neither a header nor a property below one");
  assert.equal(
    fault("exec: web\ncommand x\n"),
    "2: it is neither a header nor a property below one",
  );
  assert.equal(fault("exec: web\n\nexec: web\n"), '3: "exec:web" is there twice');
  assert.equal(
    fault("exec: web\n\t<<<<<<<\n"),
    "2: it is neither a header nor a property below one",
  );
  assert.equal(fault(""), "none");
});

Deno.test("sections survive print and read", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/);
  const value = fc.stringMatching(/^([!-~]([ -~]{0,20}[!-~])?)?$/);
  const line = fc.oneof(
    fc.record({ key: word, value }, { noNullPrototype: true }),
    fc.constantFrom({ raw: "" }, { raw: "# a comment" }, { raw: "\t#" }),
  );
  const lines = fc.array(line, { maxLength: 5 });
  const section = fc.record({ type: word, id: word, lines }, { noNullPrototype: true });
  const unique = fc.uniqueArray(section, {
    selector: ({ type, id }) => `${type}:${id}`,
    maxLength: 5,
  });
  fc.assert(fc.property(unique, fc.array(fc.constantFrom("", "# head")), (some, head) => {
    const file = sections(
      printSections({ head, sections: some.map((each) => ({ ...each, at: 0 })) }),
    );
    assert.deepEqual(file.head, head);
    assert.deepEqual(file.sections.map(({ at: _at, ...rest }) => rest), some);
  }));
});

Deno.test("parseSections() and readResources() never throw", () => {
  const near = fc.array(
    fc.constantFrom(
      "exec: web",
      "\tcommand run",
      ": ",
      "\t",
      "exec:",
      "state",
      "\u0000",
      "'",
      "\r",
    ),
    { maxLength: 12 },
  ).map((lines) => lines.join("\n"));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), near), (text) => {
    const file = parseSections(text);
    if ("sections" in file) assert.ok(Array.isArray(file.sections));
    else assert.ok(file.line >= 1 && file.line <= text.split("\n").length);
    assert.equal(typeof readResources(text).broken, "boolean");
  }));
});

Deno.test("readResources() reads every property, with its bounds and defaults", () => {
  const { resources, faults } = readResources(`exec: a
\tcommand sh -c "sleep 1"
\tstate stopped
\tmax_restart 0
\tmax_relocate 5
\trecover_on storage
\tstop_timeout 3
\tmonitor /bin/check it
\tmonitor_interval 0
\tmonitor_timeout 4
\tdisk_lock 7
\tluns 0123456789abcdef0123456789abcdef,ffffffffffffffffffffffffffffffff
exec: b
\tcommand run
\tmax_restart -1
`);
  assert.deepEqual(faults, []);
  assert.deepEqual(resources.get(resourceId("exec:a")), {
    id: "exec:a",
    action: { kind: "exec", command: ["sh", "-c", "sleep 1"], monitor: ["/bin/check", "it"] },
    wanted: "stopped",
    ...{ maxRestart: 0, maxRelocate: 5, failback: true, priority: 0 },
    ...{ recoverOn: "storage", onStopFailure: "fence" },
    ...{ startTimeoutMs: 20_000, stopTimeoutMs: 3000 },
    ...{ monitorIntervalMs: 1000, monitorTimeoutMs: 4000, diskLock: 7 },
    luns: ["0123456789abcdef0123456789abcdef", "f".repeat(32)],
  });
  assert.equal(locksOf(resources.get(resourceId("exec:a"))), 14, "each of its disks weighs");
  const b = resources.get(resourceId("exec:b"));
  assert.ok(b);
  assert.deepEqual([b.wanted, b.maxRestart, b.maxRelocate], ["started", 1, 1]);
  assert.deepEqual([b.recoverOn, b.diskLock, b.luns], ["death", 1, []]);
  assert.deepEqual(b.action, { kind: "exec", command: ["run"], monitor: null });
  assert.deepEqual([locksOf(b), locksOf(undefined)], [1, 1]);
  for (const luns of ["x", "ff", "F".repeat(32), "f".repeat(33), "'"]) {
    const { faults: [fault] } = readResources(`exec: a\n\tcommand run\n\tluns ${luns}\n`);
    assert.match(fault?.why ?? "", /disk uuids/, luns);
  }
});

Deno.test("readResources(): what cannot be read is told, and is not taken for what was removed", () => {
  const read = readResources(`exec: a
\tcommand 'open
exec: b
\tcommand run
lxc: 100
\tcommand run
exec: c
\tcommand run
\tstate sideways
exec: d
\tcommand run
\trecover_on luck
exec: e
\tcommand run
\tmonitor "
`);
  assert.deepEqual([...read.resources.keys()], ["exec:b"]);
  assert.deepEqual([...read.unreadable], ["exec:a", "lxc:100", "exec:c", "exec:d", "exec:e"]);
  assert.deepEqual(read.faults.map(({ line }) => line), [1, 5, 7, 10, 13]);
  assert.equal(read.broken, false);
  assert.equal(readResources("nonsense").broken, true);
});

Deno.test("splitWords() splits as a shell does and expands nothing", () => {
  const words = splitWords(`a  'b c' "d \\" e" f\\ g '' $HOME *`);
  assert.deepEqual(words, ["a", "b c", 'd " e', "f g", "", "$HOME", "*"]);
  assert.equal(splitWords("a 'b"), null);
  assert.deepEqual(splitWords("  "), []);
});
